//! Which AWS service a public address belongs to (aws-ip-syntax.html): from the
//! inventory's ip-ranges.json, else from the table that is compiled in.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use ipnet::IpNet;

use super::wire::ServicePrefix;
use crate::net::AddressSet;

/// AWS's published ranges on the day its first line names; `cargo run --example
/// aws-ranges` makes it from an ip-ranges.json.
const BUNDLED: &str = include_str!("aws-ranges.txt");

/// Published prefixes → service.
#[derive(Debug, Default)]
pub(super) struct ServiceRanges {
    prefixes: Vec<ServicePrefix>,
    v4: Vec<Segment>,
    v6: Vec<Segment>,
    /// When the table was published, if it is the one compiled in.
    pub(super) bundled_on: Option<&'static str>,
}

/// Consecutive addresses of one service, both ends included; `service` is the
/// position of a prefix that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    start: u128,
    end: u128,
    service: usize,
}

/// The bundled table.
static TABLE: LazyLock<Arc<ServiceRanges>> = LazyLock::new(|| Arc::new(bundled()));

/// How specific a service code is: every prefix is also under AMAZON, and those
/// of services may also be under EC2 (aws-ip-syntax.html).
fn specificity(service: &str) -> (u8, std::cmp::Reverse<&str>) {
    let rank = match service {
        "AMAZON" => 0,
        "EC2" => 1,
        _ => 2,
    };
    (rank, std::cmp::Reverse(service))
}

impl ServiceRanges {
    /// Makes the bundled table, unless it is made.
    pub(super) fn prepare() {
        LazyLock::force(&TABLE);
    }

    /// From an inventory's ip-ranges.json, or the bundled table where it has none.
    pub(super) fn new(prefixes: &[ServicePrefix]) -> Arc<Self> {
        if prefixes.is_empty() {
            Arc::clone(&TABLE)
        } else {
            Arc::new(Self::index(prefixes.to_vec()))
        }
    }

    fn index(prefixes: Vec<ServicePrefix>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (service, prefix) in prefixes.iter().enumerate() {
            match prefix.ip_prefix {
                IpNet::V4(net) => v4.push(Segment {
                    start: u128::from(net.network().to_bits()),
                    end: u128::from(net.broadcast().to_bits()),
                    service,
                }),
                IpNet::V6(net) => v6.push(Segment {
                    start: net.network().to_bits(),
                    end: net.broadcast().to_bits(),
                    service,
                }),
            }
        }
        Self {
            v4: flatten(v4, &prefixes),
            v6: flatten(v6, &prefixes),
            prefixes,
            bundled_on: None,
        }
    }

    /// The longest prefix that holds the address decides. A shorter prefix of a
    /// named service beats a longer one that says only AMAZON.
    pub(super) fn service_of(&self, address: IpAddr) -> Option<&str> {
        Some(&self.published_at(address)?.service)
    }

    /// The published prefix that [`Self::service_of`] goes by; it holds the address.
    pub(super) fn published_at(&self, address: IpAddr) -> Option<&ServicePrefix> {
        let (segments, value) = match address {
            IpAddr::V4(a) => (&self.v4, u128::from(a.to_bits())),
            IpAddr::V6(a) => (&self.v6, a.to_bits()),
        };
        let after = segments.partition_point(|segment| segment.start <= value);
        let segment = segments[..after].last().filter(|last| value <= last.end)?;
        Some(&self.prefixes[segment.service])
    }

    /// Everything that is published for a service in a region.
    pub(super) fn published(&self, service: &str, region: &str) -> AddressSet {
        let nets: Vec<IpNet> = self
            .prefixes
            .iter()
            .filter(|p| p.service == service && p.region == region)
            .map(|p| p.ip_prefix)
            .collect();
        AddressSet::new(&nets)
    }
}

/// Nested prefixes into disjoint segments, in order.
fn flatten(mut nested: Vec<Segment>, prefixes: &[ServicePrefix]) -> Vec<Segment> {
    let code = |segment: &Segment| prefixes[segment.service].service.as_str();
    nested.sort_by(|a, b| {
        let widest_first = a.start.cmp(&b.start).then(b.end.cmp(&a.end));
        widest_first.then_with(|| specificity(code(b)).cmp(&specificity(code(a))))
    });
    nested.dedup_by_key(|segment| (segment.start, segment.end));
    let mut flat: Vec<Segment> = Vec::with_capacity(nested.len());
    // Prefixes that hold the place we are at, the narrowest last.
    let mut open: Vec<Segment> = Vec::new();
    let mut at = 0;
    for mut next in nested {
        close(&mut open, &mut flat, &mut at, next.start);
        if let Some(around) = open.last() {
            push(&mut flat, at, next.start.wrapping_sub(1), around.service);
            if code(&next) == "AMAZON" {
                next.service = around.service;
            }
        }
        at = next.start;
        open.push(next);
    }
    close(&mut open, &mut flat, &mut at, u128::MAX);
    flat
}

/// Ends every prefix that does not reach `until`.
fn close(open: &mut Vec<Segment>, flat: &mut Vec<Segment>, at: &mut u128, until: u128) {
    while let Some(last) = open.pop_if(|last| last.end < until || until == u128::MAX) {
        push(flat, *at, last.end, last.service);
        *at = (*at).max(last.end.saturating_add(1));
    }
}

fn push(flat: &mut Vec<Segment>, start: u128, end: u128, service: usize) {
    if start <= end && end != u128::MAX {
        flat.push(Segment {
            start,
            end,
            service,
        });
    }
}

/// The day that AWS published an ip-ranges.json (aws-ip-syntax.html); the error says what is wrong with it.
pub fn published_on(json: &[u8]) -> Result<String, String> {
    let file: serde_json::Value =
        serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let entries = |key: &str| file.get(key).and_then(serde_json::Value::as_array);
    let is_prefix = |entry: &serde_json::Value, key: &str| {
        let prefix = entry.get(key).and_then(serde_json::Value::as_str);
        prefix.is_some_and(|text| text.parse::<IpNet>().is_ok())
    };
    for (list, key) in [("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix")] {
        let all = entries(list).filter(|all| !all.is_empty());
        let all =
            all.ok_or_else(|| format!("it has no {list}; give the file that AWS publishes"))?;
        if let Some(wrong) = all.iter().position(|entry| !is_prefix(entry, key)) {
            return Err(format!(
                "{list}, number {}: {key} is not a prefix",
                wrong + 1
            ));
        }
    }
    let date = file.get("createDate").and_then(serde_json::Value::as_str);
    Ok(date.unwrap_or("of unknown date").chars().take(10).collect())
}

/// The day of the table that is compiled in.
pub fn bundled_on() -> &'static str {
    let line = BUNDLED.lines().next().unwrap_or_default();
    line.trim_start_matches("# ")
}

/// The compiled-in table: `# date`, then lines of service, region and prefixes.
fn bundled() -> ServiceRanges {
    let (date, rest) = BUNDLED.split_once('\n').expect("the table has a date");
    let prefixes = rest.lines().flat_map(|line| {
        let mut words = line.split(' ');
        let (service, region) = (words.next(), words.next());
        let (service, region) = (service.unwrap_or_default(), region.unwrap_or_default());
        words.map(move |prefix| ServicePrefix {
            ip_prefix: prefix.parse().expect("the table holds prefixes"),
            service: service.to_owned(),
            region: region.to_owned(),
        })
    });
    ServiceRanges {
        bundled_on: Some(date.trim_start_matches("# ")),
        ..ServiceRanges::index(prefixes.collect())
    }
}
