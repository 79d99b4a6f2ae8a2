//! What is done about a group that would have more rules than AWS takes, step by step.

use super::level::{Generalise, Level, Limits};
use super::notices::name;
use super::quota::Quotas;
use crate::inventory::{Direction, GroupIx, Inventory, Keeper, PrefixList};

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

    const fn level(self) -> Level {
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

/// What one group's egress rules may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupLimits<'a> {
    pub(super) level: Level,
    /// What its level allows beyond what was seen; nothing at [`Level::Exact`].
    pub(super) beyond_exact: Option<&'a Limits>,
    /// Ports that may be opened to the whole internet; all of them, if none is named.
    pub(super) unpinned_ports: Option<&'a [u16]>,
    pub(super) rung: Rung,
    most: u64,
}

impl<'a> GroupLimits<'a> {
    /// At a level, and on a rung of the ladder. A rung opens no port to the internet that the level doesn't, but for the last.
    pub(super) fn new(generalise: &'a Generalise, level: Level, rung: Rung, most: u64) -> Self {
        let own = generalise.limits(level);
        let unpinned_ports = match own {
            _ if rung >= Rung::OnePort => None,
            Some(own) => own.unpinned_ports.as_deref(),
            None => Some(&[][..]),
        };
        let level = level.max(rung.level());
        Self {
            level,
            beyond_exact: generalise.limits(level),
            unpinned_ports,
            rung,
            most,
        }
    }

    /// Whether a list may stand for so many addresses. One that the customer keeps holds what the customer wants, and not only what
    /// was seen: the level has to allow that.
    pub(super) fn allow(&self, list: &PrefixList, addresses: usize) -> bool {
        let is_allowed = match list.keeper {
            Keeper::GatewayEndpoint | Keeper::Aws => true,
            Keeper::Customer => self.beyond_exact.is_some(),
        };
        let is_cheap = self.rung < Rung::CheapLists || list.weight <= addresses as u64;
        is_allowed && is_cheap && list.weight <= self.most
    }

    /// Whether a port may be opened to the whole internet.
    pub(super) fn may_unpin(&self, port: u16) -> bool {
        self.beyond_exact.is_some()
            && self
                .unpinned_ports
                .is_none_or(|ports| ports.contains(&port))
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

    /// What happened, for a finding.
    pub(super) fn in_words(&self, inventory: &Inventory) -> String {
        let Self {
            direction,
            at_level,
            rung,
            fewest,
            quotas,
            ..
        } = self;
        let before = format!(
            "Group {} would have {} {} rules; AWS takes {}.",
            name(inventory, self.group),
            at_level.rules,
            direction.as_str(),
            quotas.rules_per_group,
        );
        if !self.is_left_out() {
            return format!(
                "{before} They are written {}, which makes {} and opens {} addresses instead of {}.",
                rung.as_str(),
                fewest.rules,
                fewest.addresses,
                at_level.addresses,
            );
        }
        let stays = match direction {
            Direction::Egress => "its open egress stays",
            Direction::Ingress => "its ingress rules of today go on serving",
        };
        let options = self.options(inventory);
        let options: Vec<String> = options
            .iter()
            .map(|option| {
                let possible = if option.possible {
                    ""
                } else {
                    " (more than AWS takes)"
                };
                format!("{}{possible}", option.what)
            })
            .collect();
        format!(
            "{before} At least {} are needed, so none is written, and {stays}. Decide: {}.",
            fewest.rules,
            options.join("; or ")
        )
    }
}

/// How many groups the fullest interface of a group carries.
fn carried(inventory: &Inventory, group: GroupIx) -> u64 {
    let members = inventory.group(group).members.iter();
    let carried = members.map(|&member| inventory.interface(member).groups.len() as u64);
    carried.max().unwrap_or_default()
}
