//! What the change does with every finding.
//!
//! Findings say what is suspicious, and [`crate::replay`] says what a rule set does with each connection. This is the one place that puts
//! the two together. Whatever counts or prints a finding reads [`Finding::outcome`].

use crate::findings::{Family, Finding, Outcome};
use crate::replay::{After, AfterState, RulesAfter};

/// Gives every finding that rests on connections the outcome of the worst of them; `after` holds what `rules` do with each connection.
/// Posture findings are about rules, and have none.
pub fn decide(findings: &mut [Finding], rules: &RulesAfter, after: &[After]) {
    for finding in findings {
        let connections = finding.evidence.iter().map(|&position| &after[position]);
        finding.outcome = match finding.kind.family {
            Family::Posture => None,
            Family::Destination | Family::Behaviour | Family::Evidence => {
                connections.map(|after| of(rules, after)).max()
            }
        };
    }
}

fn of(rules: &RulesAfter, after: &After) -> Outcome {
    match after.state {
        AfterState::Unjudged => Outcome::NotJudged,
        AfterState::Denied | AfterState::Lost => Outcome::Denied,
        // Nothing denies it, and no rule permits it: its interface carries no group, or one that the inventory lacks.
        AfterState::Permitted if after.rules().next().is_none() => Outcome::NotJudged,
        AfterState::Permitted if after.rules().any(|rule| rules.is_added(rule)) => {
            Outcome::RuleWritten
        }
        AfterState::Permitted => Outcome::StillOpen,
    }
}
