//! What AWS always prints and a snapshot may lack all the same, cut by `--query` or by hand: said once, with its cost.

use super::note::Note;
use super::snapshot::Snapshot;

/// A member that a thing should have.
struct Member {
    name: &'static str,
    /// What things that have none are called, from the second on.
    things: &'static str,
    /// What closegate does without.
    cost: &'static str,
    /// The ids of the things without it.
    lacking: fn(&Snapshot) -> Vec<&str>,
}

const MEMBERS: &[Member] = &[
    Member {
        name: "IpPermissions",
        things: "security group",
        cost: "closegate can't tell what their ingress rules permit",
        lacking: |snapshot| {
            let groups = snapshot.groups.iter();
            let lacking = groups.filter(|group| group.ip_permissions.is_none());
            lacking.map(|group| group.group_id.as_str()).collect()
        },
    },
    Member {
        name: "IpPermissionsEgress",
        things: "security group",
        cost: "closegate can't tell what their egress rules permit",
        lacking: |snapshot| {
            let groups = snapshot.groups.iter();
            let lacking = groups.filter(|group| group.ip_permissions_egress.is_none());
            lacking.map(|group| group.group_id.as_str()).collect()
        },
    },
    Member {
        name: "Groups",
        things: "network interface",
        cost: "closegate can't tell which security groups judge their connections",
        lacking: |snapshot| {
            let interfaces = snapshot.interfaces.iter();
            let lacking = interfaces.filter(|interface| interface.groups.is_none());
            lacking.map(|i| i.network_interface_id.as_str()).collect()
        },
    },
    Member {
        name: "VpcId",
        things: "network interface",
        cost: "closegate can't tell whom rules may name by group there, and uses addresses",
        lacking: |snapshot| {
            let interfaces = snapshot.interfaces.iter();
            let lacking = interfaces.filter(|interface| interface.vpc_id.is_empty());
            lacking.map(|i| i.network_interface_id.as_str()).collect()
        },
    },
];

/// A note for each member that something lacks.
pub(super) fn notes(snapshot: &Snapshot) -> impl Iterator<Item = Note> + '_ {
    MEMBERS.iter().filter_map(|member| {
        let Member {
            name,
            things,
            cost,
            lacking,
        } = member;
        let mut ids = lacking(snapshot);
        ids.sort_unstable();
        let first = ids.first()?;
        let who = match ids.len() - 1 {
            0 => format!("{first} has"),
            1 => format!("{first} and 1 other {things} have"),
            more => format!("{first} and {more} other {things}s have"),
        };
        Some(Note::new(format!(
            "{who} no {name} in the inventory: {cost}"
        )))
    })
}
