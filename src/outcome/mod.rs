//! What becomes of every finding after the change.
//!
//! Findings say what is suspicious, the change says what is denied. This is the one place that puts the two together. Whatever
//! counts or prints a finding reads [`Finding::outcome`].

use fixedbitset::FixedBitSet;

use crate::findings::{Family, Finding, Outcome};
use crate::inventory::{Direction, Gates, Inventory};
use crate::replay;
use crate::resolve::{Connection, Verdict};
use crate::suggest::{RuleSet, Status};

/// Gives every finding that rests on connections the outcome of the worst of them. `after` judges by the rules after the change.
/// Posture findings are about rules, and have none.
pub fn decide(
    findings: &mut [Finding],
    inventory: &Inventory,
    connections: &[Connection],
    rules: &RuleSet,
    after: &Gates,
) {
    let written = with_a_new_egress_rule(connections.len(), rules);
    let of = |position: usize| {
        let connection = &connections[position];
        if matches!(connection.verdict, Verdict::Unattributed(_)) {
            Outcome::NotJudged
        } else if !replay::passes(inventory, after, connection) {
            Outcome::Denied
        } else if written.contains(position) {
            Outcome::RuleWritten
        } else {
            Outcome::StillOpen
        }
    };
    for finding in findings {
        finding.outcome = match finding.kind.family {
            Family::Posture => None,
            _ => finding.evidence.iter().map(|&position| of(position)).max(),
        };
    }
}

/// The connections that a rule to add lets out.
fn with_a_new_egress_rule(connections: usize, rules: &RuleSet) -> FixedBitSet {
    let mut written = FixedBitSet::with_capacity(connections);
    let new = rules
        .rules
        .iter()
        .filter(|rule| rule.status == Status::Add && rule.rule.direction == Direction::Egress);
    new.flat_map(|rule| &rule.evidence)
        .for_each(|&position| written.insert(position));
    written
}
