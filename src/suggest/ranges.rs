//! Ports into ranges, where a responder really uses a range: passive FTP, RPC.
//!
//! The range is never guessed from the ports that were seen. It is the one that a
//! rule of today names, and only where enough of its ports were used.

use std::collections::BTreeMap;

use super::candidates::Candidates;
use super::level::{Generalise, Level};
use super::rule::{Draft, Reason};
use crate::inventory::{Direction, GroupIx, RulePorts, RuleProtocol};
use crate::net::{PortRange, Protocol, Service};

/// A mutual pair that was chosen.
#[derive(Debug)]
pub(super) struct Mutual {
    pub(super) initiators: GroupIx,
    pub(super) responders: GroupIx,
    pub(super) service: Service,
    pub(super) evidence: Vec<usize>,
}

/// Writes the pairs, those of one range as one; `level` is that of initiators and responders.
pub(super) fn write(
    mutuals: &[Mutual],
    generalise: &Generalise,
    level: impl Fn(GroupIx, GroupIx) -> Level,
    candidates: &Candidates<'_>,
    draft: &mut Draft<'_>,
) {
    let mut by_pair: BTreeMap<(GroupIx, GroupIx, Protocol), Vec<&Mutual>> = BTreeMap::new();
    for mutual in mutuals {
        let key = (
            mutual.initiators,
            mutual.responders,
            mutual.service.protocol,
        );
        by_pair.entry(key).or_default().push(mutual);
    }
    for ((a, b, protocol), mut left) in by_pair {
        if let Some(limits) = generalise.limits(level(a, b)) {
            let least = limits.range_from;
            for range in named_ranges(candidates, b, protocol) {
                let inside = |m: &&Mutual| range.contains(m.service.port);
                let used = left.iter().filter(|m| inside(m)).count();
                if used < least || !candidates.range_is_open(a, b, protocol, range) {
                    continue;
                }
                let (gathered, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(inside);
                left = rest;
                let evidence = gathered.into_iter().flat_map(|m| &m.evidence);
                let evidence: Vec<usize> = evidence.copied().collect();
                draft.mutual(
                    (a, b),
                    protocol,
                    RulePorts::Ports(range),
                    Reason::Range,
                    &evidence,
                );
            }
        }
        for m in left {
            let ports = RulePorts::of(m.service);
            draft.mutual((a, b), protocol, ports, Reason::Mutual, &m.evidence);
        }
    }
}

/// Ranges that the responders' ingress rules name, the narrowest first; a rule for
/// every port names none.
fn named_ranges(candidates: &Candidates<'_>, group: GroupIx, protocol: Protocol) -> Vec<PortRange> {
    let rules = &candidates.inventory.group(group).rules;
    let mut ranges: Vec<PortRange> = rules
        .iter()
        .filter(|r| r.direction == Direction::Ingress && r.protocol == RuleProtocol::One(protocol))
        .filter_map(|r| match r.ports {
            RulePorts::Ports(range) if range.count() > 1 && !range.is_all() => Some(range),
            _ => None,
        })
        .collect();
    ranges.sort_unstable_by_key(|range| (range.count(), *range));
    ranges.dedup();
    ranges
}
