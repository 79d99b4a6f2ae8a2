//! `unpinned-internet`: a rule had to stay open on one port.

use super::{Family, Kind, Rating, Severity, Signal};

/// Found where the rules are made: `suggest::notices`.
pub(crate) const KIND: Kind = Kind {
    id: "unpinned-internet",
    family: Family::Posture,
    severity: Severity::Low,
    confidence: Rating::High,
    quarantine: false,
    title: "A rule stays open to the internet on one port",
    remediation: "Send this traffic through an interface or gateway endpoint, an egress proxy, or Network Firewall with Route 53 DNS Firewall. They can filter by name. Then drop the rule.",
    sources: &["vpc-security-groups.html: rules name addresses, not names"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Rules;
