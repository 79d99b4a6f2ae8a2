//! How wide one group's rules may be: by its level, and by how far it had to go to fit under AWS's quota.

use std::collections::BTreeSet;

use super::ladder::Rung;
use super::level::{Generalise, Level, Limits};
use crate::inventory::{Keeper, PrefixList};
use crate::net::Service;

/// What one group's egress rules may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupLimits<'a> {
    pub(super) level: Level,
    /// What its level allows beyond what was seen; nothing at [`Level::Exact`].
    pub(super) beyond_exact: Option<&'a Limits>,
    /// Ports that the level opens to the whole internet; all of them, if none is named.
    unpinned_ports: Option<&'a [u16]>,
    /// Services that the last rung opens to the whole internet.
    opened: Option<&'a BTreeSet<Service>>,
    rung: Rung,
    most: u64,
}

impl<'a> GroupLimits<'a> {
    /// At a level, and on a rung of the ladder. A rung opens nothing to the internet that the level doesn't, but the last rung: what is
    /// `opened`.
    pub(super) fn new(
        generalise: &'a Generalise,
        level: Level,
        rung: Rung,
        opened: Option<&'a BTreeSet<Service>>,
        most: u64,
    ) -> Self {
        let own = generalise.limits(level);
        let level = level.max(rung.level());
        Self {
            level,
            beyond_exact: generalise.limits(level),
            unpinned_ports: own.map_or(Some(&[]), |own| own.unpinned_ports.as_deref()),
            opened,
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

    /// Whether a service may be opened to the whole internet.
    pub(super) fn may_unpin(&self, service: Service) -> bool {
        let by_level = |port: u16| {
            self.unpinned_ports
                .is_none_or(|ports| ports.contains(&port))
        };
        let by_rung = self.opened.is_some_and(|opened| opened.contains(&service));
        self.beyond_exact.is_some() && service.port().is_some_and(|port| by_rung || by_level(port))
    }

    /// Whether prefixes that AWS publishes may stand for addresses of a service.
    pub(super) fn may_publish(&self, service: Service) -> bool {
        self.rung >= Rung::PublishedRanges && !self.may_unpin(service)
    }
}
