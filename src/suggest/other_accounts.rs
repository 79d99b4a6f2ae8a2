//! The halves of mutual pairs that belong to accounts which are not in the inventory.
//!
//! A connection between two accounts passes a gate in each. closegate proposes nothing for a group that it cannot see, and takes nothing
//! of it for granted; what the other account has to permit is written down for its owner.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::inventory::{Admission, Direction, Gates, GroupIx, Inventory, Target};
use crate::net::Service;
use crate::resolve::{Connection, End, admission};

/// A rule that another account has to have for connections that were accepted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherHalf {
    /// The account that owns the group.
    pub account: String,
    /// The group, or an address of it where no rule names the group.
    pub group: ForeignGroup,
    /// Egress where the other account's interface initiates.
    pub direction: Direction,
    /// Our group, which the rule has to name.
    pub own: GroupIx,
    /// What for.
    pub service: Service,
}

/// A group of another account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForeignGroup {
    /// Its id, as a rule of ours names it.
    Named(String),
    /// Some group of the interface with this address.
    At(IpAddr),
}

/// Every such rule once, with the positions of the connections that need it.
pub fn other_halves(
    inventory: &Inventory,
    today: &Gates,
    connections: &[Connection],
) -> BTreeMap<OtherHalf, Vec<usize>> {
    let mut halves: BTreeMap<OtherHalf, Vec<usize>> = BTreeMap::new();
    let accepted = connections.iter().enumerate();
    for (position, connection) in accepted.filter(|(_, c)| c.is_accepted()) {
        let (initiator, responder) = (connection.initiator, connection.responder);
        // Ours responds, and theirs needs an egress rule; or the other way round.
        let sides = [
            (responder, initiator, Direction::Ingress, Direction::Egress),
            (initiator, responder, Direction::Egress, Direction::Ingress),
        ];
        for (ours, theirs, here, there) in sides {
            let half = half(inventory, today, (ours, theirs), here, connection.service);
            if let Some((account, group, own)) = half {
                let half = OtherHalf {
                    account,
                    group,
                    direction: there,
                    own,
                    service: connection.service,
                };
                halves.entry(half).or_default().push(position);
            }
        }
    }
    halves
}

/// The account and the group of the other end, and our group that a rule for it has to name.
fn half(
    inventory: &Inventory,
    today: &Gates,
    (ours, theirs): (End, End),
    direction: Direction,
    service: Service,
) -> Option<(String, ForeignGroup, GroupIx)> {
    let interface = inventory.interface(ours.interface()?);
    if theirs.interface().is_some() {
        return None;
    }
    let said = admission(inventory, today, (ours, theirs), direction, service);
    if let Admission::Unknown(_) = said
        && let Some((own, rule)) = said.rule()
        && let Target::Group(id) = &inventory.group(own).rules[rule].target
        && let Some(account) = inventory.absent_group(id).and_then(|g| g.account.clone())
        && account != inventory.group(own).owner
    {
        return Some((account, ForeignGroup::Named(id.clone()), own));
    }
    let account = inventory.account_at(theirs.address)?;
    let mut groups = interface.groups.iter().copied();
    let own = groups.find(|&group| inventory.group(group).known)?;
    Some((account.to_owned(), ForeignGroup::At(theirs.address), own))
}
