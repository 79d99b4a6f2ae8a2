//! How wide one group's rules may be: by its level, and by how far it had to go to fit under AWS's quota.

use super::ladder::Rung;
use super::level::{Generalise, Level, Limits};
use crate::inventory::{Keeper, PrefixList};

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
