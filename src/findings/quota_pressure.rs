//! `quota-pressure`: a group would have more rules than AWS takes.

use super::{Family, Kind, Rating, Severity, Signal};

/// Found where the rules are made: `suggest::notices`.
pub(crate) const KIND: Kind = Kind {
    id: "quota-pressure",
    family: Family::Posture,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: false,
    title: "A group would have more rules than AWS allows",
    remediation: "Review what the written rules open. Where they were left out, decide as plan.md lists: split the rules over several groups, or ask AWS for more rules per group and set [quotas].",
    sources: &["amazon-vpc-limits.html: 60 rules per group and direction"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Rules;
