//! `open-egress`: a group lets everything out.

use super::finding::{Context, Found};
use super::{Family, Kind, Rating, Severity, Signal};
use crate::inventory::{Direction, GroupIx, Packet, Rule};
use crate::net::visible;
use crate::resolve::peer_of;

pub(super) const KIND: Kind = Kind {
    id: "open-egress",
    family: Family::Posture,
    severity: Severity::High,
    confidence: Rating::High,
    quarantine: false,
    title: "Every port is open to the whole internet",
    remediation: "Add the suggested rules, then revoke the open one: one compromised host can otherwise send anything anywhere.",
    sources: &[
        "vpc-security-groups.html: a new group lets all traffic out",
        "AWS FSBP and CIS: restrict egress",
    ],
    thresholds: &[],
    signal: Signal::Function(find),
};

/// One finding per group with at least one such rule.
fn find(context: &Context<'_>) -> Vec<Found> {
    let leaving = Leaving::new(context);
    context
        .inventory
        .group_indexes()
        .filter_map(|group| {
            let rules: Vec<&Rule> = context
                .inventory
                .group(group)
                .rules
                .iter()
                .filter(|r| r.is_open_egress())
                .collect();
            if rules.is_empty() {
                return None;
            }
            let targets: Vec<String> = rules.iter().map(|rule| rule.target.to_string()).collect();
            let members = context.inventory.group(group).members.len();
            Some(Found {
                detail: format!(
                    "Group {} ({}) lets everything out to {}; {members} interface{} it.",
                    visible(&context.inventory.group(group).name, 80),
                    context.inventory.group(group).id,
                    targets.join(" and "),
                    if members == 1 { " carries" } else { "s carry" },
                ),
                group: Some(group),
                evidence: leaving.by(group, Rule::is_open_egress),
                ..Found::default()
            })
        })
        .collect()
}

/// Accepted connections by the interface that opened them.
pub(super) struct Leaving<'a> {
    context: &'a Context<'a>,
    by_interface: Vec<Vec<usize>>,
}

impl<'a> Leaving<'a> {
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let mut by_interface = vec![Vec::new(); context.inventory.interfaces().len()];
        for (position, connection) in context.connections.iter().enumerate() {
            if let Some(ix) = connection
                .initiator
                .interface()
                .filter(|_| connection.is_accepted())
            {
                by_interface[ix.index()].push(position);
            }
        }
        Self {
            context,
            by_interface,
        }
    }

    /// Connections of the group's members that one of these rules lets out.
    pub(super) fn by(&self, group: GroupIx, wanted: impl Fn(&Rule) -> bool) -> Vec<usize> {
        let Context {
            inventory,
            gates,
            connections,
            ..
        } = self.context;
        let group_itself = inventory.group(group);
        let leaves = |position: &usize| {
            let connection = &connections[*position];
            let peer = peer_of(
                inventory,
                connection.initiator,
                Direction::Egress,
                connection.responder,
            );
            let packet = Packet::from(connection.service);
            gates
                .admitting(&[group], Direction::Egress, peer, packet)
                .any(|(_, rule)| wanted(&group_itself.rules[rule]))
        };
        let members = group_itself.members.iter();
        let opened = members.flat_map(|member| &self.by_interface[member.index()]);
        let mut leaving: Vec<usize> = opened.copied().filter(leaves).collect();
        leaving.sort_unstable();
        leaving.dedup();
        leaving
    }
}
