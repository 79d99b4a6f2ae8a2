//! `open-egress-port`: a group lets some ports out to everybody.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::inventory::{Rule, RulePorts};
use crate::net::visible;

pub(crate) const KIND: Kind = Kind {
    id: "open-egress-port",
    family: Family::Posture,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: false,
    title: "A port is open to the whole internet",
    remediation: "Restrict the rule to the destinations in use: a prefix list for an AWS service, an endpoint, a proxy, or addresses.",
    sources: &["vpc-security-groups.html"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per rule. ICMP carries no ports and is left out.
fn find(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for group in context.inventory.group_indexes() {
        let rules = &context.inventory.group(group).rules;
        for rule in rules.iter().filter(|rule| rule.is_open_port()) {
            let ports = ports_of(rule);
            let family = rule.target.to_string();
            found.push(Found {
                subject: subject(rule),
                detail: format!(
                    "Group {} ({}) permits egress on {ports} to {family}.",
                    visible(&context.inventory.group(group).name, 80),
                    context.inventory.group(group).id
                ),
                group: Some(group),
                rule_ports: Some(ports),
                evidence: context.permitted_egress(group, |r| r.same_permission(rule)),
                ..Found::default()
            });
        }
    }
    found
}

/// What tells the findings of one group apart.
pub(crate) fn subject(rule: &Rule) -> String {
    format!("{} {}", ports_of(rule), rule.target)
}

fn ports_of(rule: &Rule) -> String {
    match rule.ports {
        RulePorts::Ports(range) => format!("{}/{range}", rule.protocol),
        RulePorts::Any | RulePorts::Icmp { .. } => format!("protocol {}", rule.protocol),
    }
}
