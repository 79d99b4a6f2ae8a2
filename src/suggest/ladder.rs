//! What is done about a group that would have more rules than AWS takes, step by step.

use std::collections::{BTreeMap, BTreeSet};

use super::level::Level;
use super::quota::Quotas;
use crate::inventory::{Direction, GroupIx, Inventory};
use crate::net::Service;

/// How far a group's rules of one direction go so that AWS takes them; each rung gives up more than the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// What the level says.
    #[default]
    Level,
    /// No prefix list that counts for more rules than the addresses that it stands for.
    CheapLists,
    /// Prefixes of which enough was seen, as at [`Level::Balanced`].
    Prefixes,
    /// The same as at [`Level::Compact`].
    WidePrefixes,
    /// The prefixes that AWS publishes for the service behind an address.
    PublishedRanges,
    /// Services that go to too many addresses of the internet, open to all of it on their port.
    OnePort,
    /// Nothing fits: no rule to add is written.
    LeftOut,
}

impl Rung {
    /// The next one that makes a difference.
    pub(super) const fn next(self, direction: Direction) -> Option<Self> {
        match (self, direction) {
            (Self::Level, Direction::Egress) => Some(Self::CheapLists),
            // Ingress halves name groups, so that only ranges of ports make them fewer.
            (Self::CheapLists, _) | (Self::Level, Direction::Ingress) => Some(Self::Prefixes),
            (Self::Prefixes, _) => Some(Self::WidePrefixes),
            (Self::WidePrefixes, Direction::Egress) => Some(Self::PublishedRanges),
            (Self::PublishedRanges, _) => Some(Self::OnePort),
            (Self::OnePort, _) | (Self::WidePrefixes, Direction::Ingress) => Some(Self::LeftOut),
            (Self::LeftOut, _) => None,
        }
    }

    /// The level that a rung is at.
    pub(super) const fn level(self) -> Level {
        match self {
            Self::Level | Self::CheapLists => Level::Exact,
            Self::Prefixes => Level::Balanced,
            Self::WidePrefixes | Self::PublishedRanges | Self::OnePort | Self::LeftOut => {
                Level::Compact
            }
        }
    }

    /// What was written, in words.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Level => "as the level has them",
            Self::CheapLists => {
                "with addresses instead of prefix lists that count for more rules than the addresses they stand for"
            }
            Self::Prefixes => {
                "with prefixes of which at least a part was seen, as at level balanced"
            }
            Self::WidePrefixes => {
                "with prefixes of which at least a part was seen, as at level compact"
            }
            Self::PublishedRanges => {
                "with the prefixes that AWS publishes for the services behind the addresses"
            }
            Self::OnePort => {
                "with one port open to the whole internet where its addresses are too many"
            }
            Self::LeftOut => "not written",
        }
    }
}

/// Where groups are on the ladder.
#[derive(Clone, Debug, Default)]
pub(super) struct Rungs {
    /// Of those that are not at its foot.
    reached: BTreeMap<(GroupIx, Direction), Rung>,
    /// What groups on the last rung open to the whole internet.
    opened: BTreeMap<GroupIx, BTreeSet<Service>>,
}

impl Rungs {
    pub(super) fn of(&self, group: GroupIx, direction: Direction) -> Rung {
        let reached = self.reached.get(&(group, direction));
        reached.copied().unwrap_or_default()
    }

    pub(super) fn climb(&mut self, group: GroupIx, direction: Direction, rung: Rung) {
        self.reached.insert((group, direction), rung);
    }

    /// The services that a group opens to the whole internet for want of room.
    pub(super) fn opened(&self, group: GroupIx) -> Option<&BTreeSet<Service>> {
        self.opened.get(&group)
    }

    /// Opens more of them; says whether any was not open yet.
    pub(super) fn open(&mut self, group: GroupIx, services: BTreeSet<Service>) -> bool {
        let known = self.opened.entry(group).or_default();
        let before = known.len();
        known.extend(services);
        known.len() > before
    }

    /// The groups for whose rules of a direction nothing fits.
    pub(super) fn left_out(&self, direction: Direction) -> impl Iterator<Item = GroupIx> + '_ {
        let reached = self.reached.iter();
        let left_out =
            reached.filter(move |&(&(_, own), &rung)| own == direction && rung == Rung::LeftOut);
        left_out.map(|(&(group, _), _)| group)
    }
}

/// What a group's rules of one direction come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleCost {
    /// How many, as AWS counts them, of the fuller family.
    pub rules: u64,
    /// Addresses that the rules to add name; prefix lists apart.
    pub addresses: u128,
}

/// A group that would have more rules than AWS takes at the chosen level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaPressure {
    /// The group.
    pub group: GroupIx,
    /// The direction.
    pub direction: Direction,
    /// Its rules at the chosen level.
    pub at_level: RuleCost,
    /// How far it went to have fewer.
    pub rung: Rung,
    /// Its rules there; if nothing fits, those of the last rung.
    pub fewest: RuleCost,
    /// What AWS takes.
    pub quotas: Quotas,
}

/// What somebody can decide about a group for which nothing fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaOption {
    /// In words.
    pub what: String,
    /// Whether AWS's quotas allow it.
    pub possible: bool,
    /// The rules that it takes.
    pub cost: RuleCost,
}

impl QuotaPressure {
    /// Whether no rule to add is written.
    pub const fn is_left_out(&self) -> bool {
        matches!(self.rung, Rung::LeftOut)
    }

    /// What can be decided, the least exposure first; nothing where rules are written.
    pub fn options(&self, inventory: &Inventory) -> Vec<QuotaOption> {
        if !self.is_left_out() {
            return Vec::new();
        }
        let carried = carried(inventory, self.group);
        let Quotas {
            rules_per_group,
            groups_per_interface,
        } = self.quotas;
        let split = |cost: RuleCost| {
            let groups = cost.rules.div_ceil(rules_per_group.max(1));
            QuotaOption {
                what: format!(
                    "split the rules over {groups} groups: each interface then carries {} more (the fullest carries {carried} of {groups_per_interface})",
                    groups - 1
                ),
                possible: carried + groups - 1 <= groups_per_interface,
                cost,
            }
        };
        let raise = |cost: RuleCost| QuotaOption {
            what: format!(
                "ask AWS for {} rules per group: rules times groups per interface is then {} of at most {}; write it as [quotas] into closegate.toml",
                cost.rules,
                cost.rules * groups_per_interface,
                Quotas::MOST
            ),
            possible: cost.rules * groups_per_interface <= Quotas::MOST,
            cost,
        };
        let mut options = vec![split(self.at_level), raise(self.at_level)];
        if self.fewest.rules < self.at_level.rules {
            options.extend([split(self.fewest), raise(self.fewest)]);
        }
        options
    }
}

/// How many groups the fullest interface of a group carries.
fn carried(inventory: &Inventory, group: GroupIx) -> u64 {
    let members = inventory.group(group).members.iter();
    let carried = members.map(|&member| inventory.interface(member).groups.len() as u64);
    carried.max().unwrap_or_default()
}
