//! The fields of flow records that closegate uses, and what it does without each.

use crate::ingest::{FIELDS, field};

/// Fields that cost the same.
struct FieldUse {
    fields: &'static [&'static str],
    /// What closegate does without them.
    cost: &'static str,
    /// Whether a flow log should be made again for them: a format can't be changed.
    is_recommended: bool,
}

const fn field_use(fields: &'static [&'static str], cost: &'static str) -> FieldUse {
    FieldUse {
        fields,
        cost,
        is_recommended: true,
    }
}

/// Without them, or the addresses in the packets, there are no records to use; `ingest` refuses such a format.
const NEEDED: &[&str] = &[
    "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "action", "start",
];

/// The other fields that are used, what matters most first (flow-log-records.html).
const USES: &[FieldUse] = &[
    field_use(
        &["interface-id"],
        "every record counts as recorded on the way, and none as an interface's own",
    ),
    field_use(
        &["tcp-flags"],
        "closegate infers the initiator of a TCP connection from today's rules, ports and other connections, instead of reading the handshake",
    ),
    field_use(
        &["pkt-srcaddr", "pkt-dstaddr"],
        "pods and secondary addresses show as their interface's primary address, and hosts behind a NAT gateway as the gateway",
    ),
    field_use(
        &["log-status"],
        "intervals in which AWS skipped records (SKIPDATA) can't be told from idle ones",
    ),
    field_use(
        &["flow-direction"],
        "which way packets went at an interface that no longer exists is less certain",
    ),
    field_use(
        &["pkt-src-aws-service", "pkt-dst-aws-service"],
        "closegate recognises AWS services by their published address ranges alone",
    ),
    field_use(&["end"], "a record counts as the moment at which it starts"),
    field_use(
        &["packets", "bytes"],
        "every volume is 0, and large-upload finds nothing",
    ),
    FieldUse {
        is_recommended: false,
        ..field_use(
            &["resource-id"],
            "findings can't name a regional NAT gateway",
        )
    },
];

/// Fields that a source lacks, and what closegate does without them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingFields {
    /// Their names.
    pub fields: Vec<&'static str>,
    /// What that costs.
    pub cost: &'static str,
    /// Whether that is worth another flow log.
    pub is_recommended: bool,
}

/// The fields that are used and not among these, what matters most first.
pub fn missing_fields(there: &[&str]) -> Vec<MissingFields> {
    let uses = USES.iter().map(|used| {
        let lacking = used.fields.iter().copied();
        MissingFields {
            fields: lacking.filter(|name| !there.contains(name)).collect(),
            cost: used.cost,
            is_recommended: used.is_recommended,
        }
    });
    uses.filter(|missing| !missing.fields.is_empty()).collect()
}

/// The highest version that introduced one of the fields, as the field `version` of a record has it.
pub fn format_version(fields: &[&str]) -> Option<u8> {
    let known = fields.iter().filter_map(|name| field(name));
    known.map(|field| field.version).max()
}

/// A format with every field that is worth having, in the documentation's order, as `--log-format` of
/// `aws ec2 create-flow-logs` takes it.
pub fn recommended_format() -> String {
    let is_wanted = |name: &str| {
        let of_account = ["version", "account-id"].contains(&name);
        let uses = USES.iter().filter(|used| used.is_recommended);
        let used = uses.flat_map(|used| used.fields).any(|used| *used == name);
        of_account || used || NEEDED.contains(&name)
    };
    let fields = FIELDS.iter().filter(|field| is_wanted(field.name));
    let words: Vec<String> = fields.map(|field| format!("${{{}}}", field.name)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{DEFAULT, LogFormat};

    /// A field that `ingest` comes to use has its cost here.
    #[test]
    fn every_field_that_is_read_has_its_cost() {
        for field in FIELDS {
            let times = USES.iter().flat_map(|used| used.fields);
            let times = times.filter(|name| **name == field.name).count();
            let needed = usize::from(NEEDED.contains(&field.name));
            let expected = usize::from(field.column.is_some());
            assert_eq!(times + needed, expected, "{}", field.name);
        }
    }

    #[test]
    fn the_recommended_format_lacks_nothing_that_is_recommended() {
        let format = LogFormat::parse(&recommended_format()).unwrap();
        let names: Vec<&str> = format.names().iter().map(String::as_str).collect();
        assert!(!missing_fields(&names).iter().any(|m| m.is_recommended));
        assert_eq!(format_version(&names), Some(5));
    }

    #[test]
    fn the_default_format_lacks_what_came_later() {
        let names: Vec<&str> = DEFAULT.split(' ').collect();
        let missing = missing_fields(&names);
        let fields: Vec<&str> = missing.iter().flat_map(|m| m.fields.clone()).collect();
        assert_eq!(
            fields,
            [
                "tcp-flags",
                "pkt-srcaddr",
                "pkt-dstaddr",
                "flow-direction",
                "pkt-src-aws-service",
                "pkt-dst-aws-service",
                "resource-id"
            ]
        );
        assert_eq!(format_version(&names), Some(2));
    }
}
