//! The question for Logs Insights, which has no CASE: three filters that every row passes one of.

use super::dialect::PRIVATE;
use super::rows::listeners;
use super::{Over, named_query};
use crate::flow::{EPHEMERAL_FROM, PRIVILEGED_BELOW};
use crate::ingest::LogFormat;
use crate::inventory::Inventory;

/// Which ports a question keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptPorts {
    /// The sender's: the receiver is the client.
    Src,
    /// The receiver's: the sender is the client.
    Dst,
    /// Both.
    Both,
    /// None: the question is about intervals without traffic, and those that AWS dropped.
    None,
}

impl KeptPorts {
    /// All of them; every record passes one.
    pub const ALL: [Self; 4] = [Self::Dst, Self::Src, Self::Both, Self::None];

    const fn name(self) -> &'static str {
        match self {
            Self::Src => "1 of 3",
            Self::Dst => "2 of 3",
            Self::Both => "3 of 3",
            Self::None => "",
        }
    }
}

/// What recorded a row that names no interface.
const RESOURCE: &str = "resource_id";

/// The names of a format's fields as they are written in a question.
fn fields(format: &LogFormat) -> Vec<String> {
    format
        .names()
        .iter()
        .map(|name| name.replace('-', "_"))
        .collect()
}

/// How the fields of a format get their names.
fn parse(format: &LogFormat) -> String {
    let fields = fields(format);
    format!(
        "parse @message \"{}\" as {}",
        vec!["*"; fields.len()].join(" "),
        fields.join(", ")
    )
}

/// Whether a port says that its end is: 0 a service with privileges, 1 a known listener, 2 registered, 3 a client.
fn class(port: &str, class: u8) -> String {
    let listeners = listeners();
    match class {
        0 => format!("{port} < {PRIVILEGED_BELOW}"),
        1 => format!("{port} in [{listeners}]"),
        2 => format!(
            "({port} >= {PRIVILEGED_BELOW} and {port} < {EPHEMERAL_FROM} and {port} not in [{listeners}])"
        ),
        _ => format!("({port} >= {EPHEMERAL_FROM} and {port} not in [{listeners}])"),
    }
}

/// Rows of which the port of `client` is dropped, as `src/flow/presume.rs` has it.
fn drops(client: &str, server: &str, refuted: Option<&str>) -> String {
    let at_least = |port: &str, least: u8| {
        let classes: Vec<String> = (least..=3).map(|c| class(port, c)).collect();
        format!("({})", classes.join(" or "))
    };
    let presumed = format!(
        "(({} and {}) or ({} and {}) or ({} and {}))",
        class(server, 0),
        at_least(client, 2),
        class(server, 1),
        at_least(client, 2),
        class(server, 2),
        class(client, 3),
    );
    match refuted {
        Some(refuted) => {
            format!("(protocol in [6, 17] and {presumed} and not (protocol = 6 and {refuted}))")
        }
        None => format!("(protocol in [6, 17] and {presumed})"),
    }
}

/// The question `connections`, for one of the three, or `coverage`.
pub fn insights_connections(kept: KeptPorts, format: &LogFormat) -> String {
    let text = |name| named_query(Over::Events, name).text;
    let fields = fields(format);
    let flags = fields.iter().any(|name| name == "tcp_flags");
    // SYN is 2 and ACK is 16: a SYN opens, a SYN-ACK answers (flow-log-records.html).
    let (syn, syn_ack) = (
        "(tcp_flags % 4 >= 2 and tcp_flags % 32 < 16)",
        "(tcp_flags % 4 >= 2 and tcp_flags % 32 >= 16)",
    );
    let sender = drops("srcport", "dstport", flags.then_some(syn_ack));
    let receiver = drops("dstport", "srcport", flags.then_some(syn));
    let (filter, dropped, ports) = match kept {
        KeptPorts::Dst => (sender, "srcport", "dstport"),
        KeptPorts::Src => (receiver, "dstport", "srcport"),
        KeptPorts::None => {
            let resource = fields.iter().any(|field| field == RESOURCE);
            let more = if resource {
                format!(", {RESOURCE}")
            } else {
                String::new()
            };
            return text("coverage")
                .replace("{{parse}}", &parse(format))
                .replace("{{more}}", &more);
        }
        KeptPorts::Both => (
            format!("not {sender} and not {receiver}"),
            "srcport",
            "srcport, dstport",
        ),
    };
    let mut more = String::new();
    for name in ["tcp_flags", "flow_direction", RESOURCE] {
        if fields.iter().any(|field| field == name) {
            more += ", ";
            more += name;
        }
    }
    text("connections")
        .replace("{{kept}}", kept.name())
        .replace("{{parse}}", &parse(format))
        .replace("{{filter}}", &filter)
        .replace(
            "{{dropped}}",
            &format!("min({dropped}) as least_port, max({dropped}) as most_port, count_distinct({dropped}) as distinct_ports"),
        )
        .replace("{{ports}}", ports)
        .replace("{{more}}", &more)
}

/// Another question for Logs Insights.
pub fn over_events(text: &str, format: &LogFormat, inventory: Option<&Inventory>) -> String {
    let mut open: Vec<String> = Vec::new();
    if let Some(inventory) = inventory {
        let groups = inventory
            .groups()
            .iter()
            .filter(|group| group.has_open_egress());
        let members = groups.flat_map(|group| &group.members);
        open = members
            .map(|&ix| format!("{:?}", inventory.interface(ix).id))
            .collect();
        open.sort();
        open.dedup();
    }
    if open.is_empty() {
        open.push("\"eni-0123456789abcdef0\"".to_owned());
    }
    text.replace("{{parse}}", &parse(format))
        .replace("{{more}}", "")
        .replace("{{private}}", PRIVATE)
        .replace("{{listeners}}", &listeners())
        .replace("{{open_interfaces}}", &open.join(", "))
}
