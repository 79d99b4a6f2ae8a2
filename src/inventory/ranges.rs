//! Which AWS service a public address belongs to, from an ip-ranges.json.

use std::net::IpAddr;

use ipnet::IpNet;

use super::wire::ServicePrefix;
use crate::net::{HashMap, prefix_of};

/// Published prefixes → service.
#[derive(Debug, Default)]
pub(super) struct ServiceRanges {
    services: HashMap<IpNet, String>,
    /// Prefix lengths in use, longest first.
    lengths: Vec<u8>,
}

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
    pub(super) fn new(prefixes: &[ServicePrefix]) -> Self {
        let mut ranges = Self::default();
        for prefix in prefixes {
            let Ok(net) = prefix.ip_prefix.parse::<IpNet>() else {
                continue;
            };
            let service = ranges.services.entry(net.trunc()).or_default();
            if service.is_empty() || specificity(service) < specificity(&prefix.service) {
                service.clone_from(&prefix.service);
            }
            if !ranges.lengths.contains(&net.prefix_len()) {
                ranges.lengths.push(net.prefix_len());
            }
        }
        ranges.lengths.sort_unstable_by(|a, b| b.cmp(a));
        ranges
    }

    /// The longest prefix that holds the address decides. A shorter prefix of a
    /// named service beats a longer one that says only AMAZON.
    pub(super) fn service_of(&self, address: IpAddr) -> Option<&str> {
        let width = if address.is_ipv4() { 32 } else { 128 };
        let mut best: Option<&str> = None;
        for &length in self.lengths.iter().filter(|&&length| length <= width) {
            match self.services.get(&prefix_of(address, length)) {
                Some(service) if service != "AMAZON" => return Some(service),
                Some(service) => best = best.or(Some(service)),
                None => {}
            }
        }
        best
    }
}
