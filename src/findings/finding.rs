//! A finding, and what a detection gives for one.

use std::net::IpAddr;

use ipnet::IpNet;

use super::context::Context;
use super::kind::Kind;
use crate::documents::{Family, Outcome, Rating, Severity};
use crate::inventory::GroupIx;
use crate::net::{Service, stable_id};

/// What a detection found, before it gets a kind's severity and an id.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What makes this finding different from others of its kind, besides the fields below.
    pub subject: String,
    /// One sentence or two for a person.
    pub detail: String,
    /// The group concerned.
    pub group: Option<GroupIx>,
    /// The interface concerned, as an id: it may not be in the inventory.
    pub interface: Option<String>,
    /// The address on our side.
    pub local: Option<IpAddr>,
    /// The address on the other side.
    pub remote: Option<IpAddr>,
    /// The service concerned.
    pub service: Option<Service>,
    /// Ports, where a finding is about a rule.
    pub rule_ports: Option<String>,
    /// Confidence, when lower than the kind's.
    pub at_most: Option<Rating>,
    /// How bad, where it is not as bad as the kind.
    pub severity: Option<Severity>,
    /// What to do, where the kind's advice does not fit.
    pub remediation: Option<&'static str>,
    /// Positions of connections, or none.
    pub evidence: Vec<usize>,
    /// First and last time, and rows, where no connection carries them.
    pub when: Option<(u64, u64, u64)>,
}

/// A finding.
#[derive(Clone, Debug)]
pub struct Finding {
    /// `f-` and 16 hexadecimal digits.
    pub id: String,
    /// Its kind.
    pub kind: &'static Kind,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Rating,
    /// What was found.
    pub found: Found,
    /// First evidence, Unix seconds.
    pub first: u64,
    /// Last evidence, Unix seconds.
    pub last: u64,
    /// Rows.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
    /// Whether its connections are quarantined.
    pub quarantined: bool,
    /// What becomes of its connections after the change; [`crate::outcome`] decides it.
    pub outcome: Option<Outcome>,
    /// The earlier run that reported it already.
    pub known_since: Option<String>,
    /// Positions of its connections.
    pub evidence: Vec<usize>,
    /// The findings that it stands for; none if it stands for itself.
    pub folded: Option<FoldedFindings>,
}

/// The findings that one stands for.
#[derive(Clone, Debug)]
pub struct FoldedFindings {
    /// The network of their destinations; `0.0.0.0/0` or `::/0` if they share the port alone.
    pub pattern: IpNet,
    /// Their ids, in order.
    pub ids: Vec<String>,
}

/// How many findings these are, with those that some of them stand for.
pub fn counted<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> u64 {
    findings.into_iter().map(Finding::count).sum()
}

impl Finding {
    /// How many findings it stands for: 1, unless it is folded.
    pub fn count(&self) -> u64 {
        let folded = self.folded.as_ref();
        folded.map_or(1, |folded| folded.ids.len() as u64)
    }

    /// What to do.
    pub fn remediation(&self) -> &'static str {
        self.found.remediation.unwrap_or(self.kind.remediation)
    }

    /// Whether it is a threat finding: a destination or a behaviour, of medium severity or worse. "Suspicious" means this everywhere.
    pub fn is_threat(&self) -> bool {
        matches!(self.kind.family, Family::Destination | Family::Behaviour)
            && self.severity <= Severity::Medium
    }

    pub(crate) fn new(kind: &'static Kind, mut found: Found, context: &Context<'_>) -> Self {
        let text = |address: Option<IpAddr>| address.map(|a| a.to_string()).unwrap_or_default();
        let group = found
            .group
            .map(|g| context.inventory.group(g).id.as_str())
            .unwrap_or_default();
        let service = found.service.map(|s| s.to_string()).unwrap_or_default();
        let id = stable_id(
            "f",
            &[
                kind.id,
                group,
                found.interface.as_deref().unwrap_or_default(),
                &text(found.local),
                &text(found.remote),
                &service,
                &found.subject,
            ],
        );
        let evidence = std::mem::take(&mut found.evidence);
        let connections = || {
            evidence
                .iter()
                .map(|&position| &context.connections[position])
        };
        let (first, last, records) = found.when.unwrap_or_else(|| {
            (
                connections()
                    .map(|c| c.totals.first)
                    .min()
                    .unwrap_or_default(),
                connections()
                    .map(|c| c.totals.last)
                    .max()
                    .unwrap_or_default(),
                connections().map(|c| c.totals.records).sum(),
            )
        });
        Self {
            id,
            kind,
            severity: context.policy.severity(kind, found.severity),
            confidence: found
                .at_most
                .map_or(kind.confidence, |limit| limit.min(kind.confidence)),
            first,
            last,
            records,
            bytes: connections().fold(0, |sum, c| sum.saturating_add(c.totals.bytes)),
            quarantined: false,
            outcome: None,
            known_since: None,
            evidence,
            folded: None,
            found,
        }
    }
}
