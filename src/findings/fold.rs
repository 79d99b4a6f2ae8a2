//! Thousands of findings of one kind and group as few: one for each network that their destinations lie in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::finding::{Finding, FoldedFindings, Found};
use crate::documents::{Outcome, Rating, Severity};
use crate::inventory::{GroupIx, Inventory};
use crate::net::{Service, plural, prefix_of, stable_id, thousands};

/// So many findings of one kind and group stay apart.
pub const APART: usize = 1_000;

/// The widths that are tried, the narrowest first: bits of a destination in IPv4 and in IPv6. The last folds everything on one port.
const WIDTHS: &[(u8, u8)] = &[(24, 48), (16, 32), (0, 0)];

/// Folds findings with a destination, where a kind has more than [`APART`] findings for a group. Those share one that agree in service,
/// severity, confidence, outcome, and whether they are quarantined and known, and whose destinations lie in one network. Nothing else
/// is left out of the result, which is in no order.
pub fn fold(findings: Vec<Finding>, inventory: &Inventory) -> Vec<Finding> {
    let mut same: BTreeMap<(&str, Option<GroupIx>), Vec<Finding>> = BTreeMap::new();
    for finding in findings {
        let key = (finding.kind.id, finding.found.group);
        same.entry(key).or_default().push(finding);
    }
    let each = same.into_iter().flat_map(|((_, group), findings)| {
        if findings.len() <= APART {
            return findings;
        }
        let group = group.map(|group| inventory.group(group).id.as_str());
        fold_all(findings, group.unwrap_or_default())
    });
    each.collect()
}

/// Findings that share one, by what is equal in them.
type ByFacts = BTreeMap<Facts, Vec<Finding>>;

/// What has to be equal in findings that share one, besides the service and the network of their destinations. The worst comes first;
/// known ones come before new ones, so that these keep the id.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Facts {
    is_new: bool,
    severity: Severity,
    confidence: Rating,
    outcome: Option<Outcome>,
    quarantined: bool,
    remediation: &'static str,
}

impl Facts {
    fn of(finding: &Finding) -> Self {
        Self {
            is_new: finding.known_since.is_none(),
            severity: finding.severity,
            confidence: finding.confidence,
            outcome: finding.outcome,
            quarantined: finding.quarantined,
            remediation: finding.remediation(),
        }
    }

    /// For an id.
    fn words(&self) -> String {
        format!(
            "{} {} {} {} {} {}",
            if self.is_new { "new" } else { "known" },
            self.severity.as_str(),
            self.confidence.as_str(),
            self.outcome.map_or("none", Outcome::as_str),
            self.quarantined,
            self.remediation
        )
    }
}

/// The network of a width that holds a destination.
fn pattern(destination: IpAddr, (v4, v6): (u8, u8)) -> IpNet {
    prefix_of(destination, if destination.is_ipv4() { v4 } else { v6 })
}

/// How many findings a width leaves of those with a destination.
fn folded_to(findings: &[Finding], width: (u8, u8)) -> usize {
    let keys = findings.iter().filter_map(|finding| {
        let found = &finding.found;
        let pattern = pattern(found.remote?, width);
        Some((found.service, pattern, Facts::of(finding)))
    });
    keys.collect::<BTreeSet<_>>().len()
}

/// Folds the findings of a kind and group.
fn fold_all(findings: Vec<Finding>, group: &str) -> Vec<Finding> {
    let (findings, mut folded): (Vec<Finding>, Vec<Finding>) = findings
        .into_iter()
        .partition(|finding| finding.found.remote.is_some());
    let enough =
        |width: &&(u8, u8)| folded_to(&findings, **width).saturating_add(folded.len()) <= APART;
    let widest = WIDTHS.last().expect("there are widths");
    let width = *WIDTHS.iter().find(enough).unwrap_or(widest);
    let mut patterns: BTreeMap<(Option<Service>, IpNet), ByFacts> = BTreeMap::new();
    for finding in findings {
        let remote = finding.found.remote.expect("they have a destination");
        let same = patterns
            .entry((finding.found.service, pattern(remote, width)))
            .or_default();
        same.entry(Facts::of(&finding)).or_default().push(finding);
    }
    for ((_, pattern), by_facts) in patterns {
        for (position, (facts, same)) in by_facts.into_iter().enumerate() {
            match <[Finding; 1]>::try_from(same) {
                Ok([alone]) => folded.push(alone),
                Err(same) => {
                    // The first keeps its id, whatever becomes of its connections.
                    let apart = if position == 0 {
                        String::new()
                    } else {
                        facts.words()
                    };
                    folded.push(merged(&same, group, pattern, &apart));
                }
            }
        }
    }
    folded
}

/// One finding for several, which are of one kind, group, service and network; `apart` tells it from another of these.
fn merged(same: &[Finding], group: &str, pattern: IpNet, apart: &str) -> Finding {
    let Finding { kind, found, .. } = &same[0];
    let kind = *kind;
    let service = found.service.map(|service| service.to_string());
    let id = stable_id(
        "f",
        &[
            "folded",
            kind.id,
            group,
            service.as_deref().unwrap_or_default(),
            &pattern.to_string(),
            apart,
        ],
    );
    let mut ids: Vec<String> = same.iter().map(|finding| finding.id.clone()).collect();
    ids.sort_unstable();
    let mut evidence: Vec<usize> = same.iter().flat_map(|f| f.evidence.clone()).collect();
    evidence.sort_unstable();
    evidence.dedup();
    let sum = |of: fn(&Finding) -> u64| same.iter().map(of).fold(0, u64::saturating_add);
    let (records, bytes) = (sum(|f| f.records), sum(|f| f.bytes));
    Finding {
        id,
        kind,
        severity: same[0].severity,
        confidence: same[0].confidence,
        found: Found {
            detail: detail(same, pattern, records, bytes),
            group: found.group,
            interface: common(same.iter().map(|f| f.found.interface.as_ref())).cloned(),
            local: common(same.iter().map(|f| f.found.local)),
            remote: common(same.iter().map(|f| f.found.remote)),
            service: found.service,
            remediation: found.remediation,
            ..Found::default()
        },
        first: same.iter().map(|f| f.first).min().unwrap_or_default(),
        last: same.iter().map(|f| f.last).max().unwrap_or_default(),
        records,
        bytes,
        quarantined: same[0].quarantined,
        outcome: same[0].outcome,
        known_since: same[0].known_since.clone(),
        evidence,
        folded: Some(FoldedFindings { pattern, ids }),
    }
}

/// The value that all have; none if they differ.
fn common<T: PartialEq>(mut values: impl Iterator<Item = Option<T>>) -> Option<T> {
    let first = values.next()??;
    let equal = values.all(|value| value.as_ref() == Some(&first));
    equal.then_some(first)
}

fn detail(same: &[Finding], pattern: IpNet, records: u64, bytes: u64) -> String {
    let title = same[0].kind.title;
    let from = ends(same.iter().filter_map(|f| f.found.local));
    let from = from.map_or_else(String::new, |from| format!(" from {from}"));
    let to = ends(same.iter().filter_map(|f| f.found.remote)).unwrap_or_default();
    let place = if to.parse::<IpAddr>().is_ok() || pattern.prefix_len() == 0 {
        String::new()
    } else {
        format!(" in {pattern}")
    };
    let service = same[0].found.service;
    let service = service.map_or_else(String::new, |service| format!(" on {service}"));
    format!(
        "{title}: {},{from} to {to}{place}{service}; {}, {}.",
        plural(same.len() as u64, "finding"),
        plural(records, "record"),
        plural(bytes, "byte"),
    )
}

/// One address, or how many they are.
fn ends(addresses: impl Iterator<Item = IpAddr>) -> Option<String> {
    let addresses: BTreeSet<IpAddr> = addresses.collect();
    let first = addresses.first()?;
    Some(match addresses.len() {
        1 => first.to_string(),
        several => format!("{} addresses", thousands(several as u64)),
    })
}
