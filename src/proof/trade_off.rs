//! Fewer rules against less exposure: what each level would cost.

use rayon::prelude::*;

use super::exposure::allowed_pairs;
use super::reachable::Network;
use crate::inventory::{Direction, Target};
use crate::net::AddressSet;
use crate::replay::RulesAfter;
use crate::suggest::{Level, RuleBasis, RuleEvidence, RuleSet, Status};

/// What one level comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeOff {
    /// The level.
    pub level: Level,
    /// Rules that would have to be made.
    pub rules: u64,
    /// Pairs of interfaces that may talk afterwards, on the services in use.
    pub exposure: u64,
    /// Addresses outside that the added egress rules let some group reach, each
    /// counted once; prefix lists apart.
    pub addresses: u128,
    /// Groups whose rules don't fit under AWS's quota however they are written.
    pub over_quota: u64,
}

/// Every level, the narrowest first.
/// `made` are the rules at the level that is set.
pub fn trade_off(
    evidence: &RuleEvidence<'_>,
    basis: &RuleBasis<'_>,
    made: &RuleSet,
) -> Vec<TradeOff> {
    let network = Network::new(evidence.inventory);
    Level::ALL
        .into_par_iter()
        .map(|level| {
            let other = (level != evidence.generalise.level).then(|| basis.rules(level));
            let rules = other.as_ref().unwrap_or(made);
            let then = RulesAfter::new(evidence.inventory, &rules.change());
            let added = || rules.rules.iter().filter(|r| r.status == Status::Add);
            let prefixes = added()
                .filter(|r| r.rule.direction == Direction::Egress)
                .filter_map(|r| match &r.rule.target {
                    Target::Cidr(net) => Some(net),
                    Target::Group(_) | Target::PrefixList(_) => None,
                });
            let left_out = rules.pressure.iter().filter(|p| p.is_left_out());
            TradeOff {
                level,
                rules: added().count() as u64,
                exposure: allowed_pairs(&network, &then.gates, evidence.connections),
                addresses: AddressSet::new(prefixes).count(),
                over_quota: left_out.count() as u64,
            }
        })
        .collect()
}
