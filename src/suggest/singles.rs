//! Rules on one side alone: outside destinations, paths on which a group cannot
//! be named, and rules of today that go on serving.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use fixedbitset::FixedBitSet;
use ipnet::IpNet;

use super::candidates::{Candidates, ClassIx};
use super::cover::{Choice, Cover, cover};
use super::demand::{Demand, Demanded, groups_of};
use super::limits::GroupLimits;
use super::pairs;
use super::rule::{Draft, Entries, Reason};
use super::width::{Width, exact_prefixes, width};
use crate::inventory::{
    Direction, Gates, GroupIx, InterfaceIx, Inventory, Keeper, Packet, PrefixList, Target,
};
use crate::net::{AddressSet, Service, is_public, prefix_of};
use crate::resolve::peer_of;

/// What the pairs left over of one demand: the rules for it that are the same at every level, and the connections that need rules by
/// address.
#[derive(Debug)]
pub(super) struct Singles {
    service: Service,
    entries: Entries,
    outside: Vec<Demanded>,
    /// The addresses that each group needs; nothing if prefix lists may stand for some.
    needed: Option<Needed>,
}

/// The addresses that each group needs, with the connections to them.
type Needed = BTreeMap<GroupIx, BTreeMap<IpAddr, Vec<usize>>>;

impl Singles {
    /// `alone` are positions in the demand; `draft` is empty.
    pub(super) fn new(
        demand: &Demand,
        alone: &[usize],
        candidates: &Candidates<'_>,
        surviving: &Gates,
        mut draft: Draft<'_>,
    ) -> Self {
        let service = demand.service;
        let mut closed: Vec<(usize, &Demanded)> = Vec::new();
        for &position in alone {
            let wanted = &demand.wanted[position];
            let mut kept = |direction| {
                keep(
                    wanted, direction, service, candidates, surviving, &mut draft,
                )
            };
            // No ingress rule is ever revoked, so what let the connection in goes on doing so.
            kept(Direction::Ingress);
            if !kept(Direction::Egress) {
                closed.push((position, wanted));
            }
        }
        let outside = by_reference(&closed, service, candidates, &mut draft);
        let outside: Vec<Demanded> = outside.into_iter().copied().collect();
        let inventory = candidates.inventory;
        let is_listed = |wanted: &Demanded| list_for(inventory, wanted).is_some();
        let needed = (!outside.iter().any(is_listed)).then(|| {
            let all = by_address(outside.iter());
            needed(all, service, candidates)
        });
        Self {
            service,
            entries: draft.into_entries(),
            outside,
            needed,
        }
    }

    /// Writes the rules.
    pub(super) fn write(
        &self,
        candidates: &Candidates<'_>,
        limits: &[GroupLimits<'_>],
        draft: &mut Draft<'_>,
    ) {
        draft.absorb(&self.entries);
        let beside_lists;
        let needed = if let Some(needed) = &self.needed {
            needed
        } else {
            let left = by_list(&self.outside, self.service, candidates, limits, draft);
            beside_lists = needed(left, self.service, candidates);
            &beside_lists
        };
        for (&group, addresses) in needed {
            let limits = &limits[group.index()];
            write_addresses(group, addresses, self.service, limits, candidates, draft);
        }
    }
}

fn by_address<'w>(
    wanted: impl Iterator<Item = &'w Demanded>,
) -> BTreeMap<IpAddr, Vec<&'w Demanded>> {
    let mut addresses: BTreeMap<IpAddr, Vec<&Demanded>> = BTreeMap::new();
    for wanted in wanted {
        addresses
            .entry(wanted.responder_address)
            .or_default()
            .push(wanted);
    }
    addresses
}

/// Whether a rule of the policy or one that stays lets the connection through on one side, or no gate
/// judges it there.
fn keep(
    wanted: &Demanded,
    direction: Direction,
    service: Service,
    candidates: &Candidates<'_>,
    surviving: &Gates,
    draft: &mut Draft<'_>,
) -> bool {
    let inventory = candidates.inventory;
    let (initiator, responder) = wanted.ends;
    let (at, end, other) = match direction {
        Direction::Egress => (wanted.initiator, initiator, responder),
        Direction::Ingress => (wanted.responder, responder, initiator),
    };
    let Some(at) = at else { return true };
    let peer = peer_of(inventory, end, direction, other);
    let own = &inventory.interface(at).groups;
    let packet = Packet::from(service);
    if let Some(policy) = candidates.policy {
        let serving = policy.serving_at(inventory, (end, other), direction, service);
        for &place in &serving {
            draft.accept(place.0, policy.rule(place), &[wanted.connection]);
        }
        if !serving.is_empty() {
            return true;
        }
    }
    if let Some((group, position)) = surviving.admitting(own, direction, peer, packet).next() {
        draft.keep(group, position, &[wanted.connection]);
        return true;
    }
    // Accepted, and today no rule certainly permits it: the change takes none away that does.
    candidates.is_uncertain(at, direction, peer, service)
}

/// Egress that can name the responder's group although the mutual ingress rule
/// would widen what its members accept: the ingress rule of today stays alone.
/// Returns what is left.
fn by_reference<'a>(
    closed: &[(usize, &'a Demanded)],
    service: Service,
    candidates: &Candidates<'_>,
    draft: &mut Draft<'_>,
) -> Vec<&'a Demanded> {
    let (eligible, mut rest): (Vec<_>, Vec<_>) = closed
        .iter()
        .partition(|(_, w)| w.by_reference && w.responder.is_some());
    let (lots, mut choices) = pairs::choices(&eligible, candidates, service, |(a, b)| {
        candidates.egress_is_open(a, b, service)
    });
    let cover = cover(eligible.len(), &lots, &mut choices);
    for (a, b) in cover.chosen {
        let covered = pairs::covered_by(&choices, (a, b)).iter();
        let evidence = covered.map(|&item| eligible[item].1.connection);
        let evidence: Vec<usize> = evidence.collect();
        let responders = candidates.inventory.group(b);
        draft.egress(
            a,
            service,
            (Target::Group(responders.id.clone()), &responders.name),
            Reason::EgressOnly,
            &evidence,
        );
    }
    rest.extend(cover.uncovered.into_iter().map(|item| eligible[item]));
    rest.into_iter().map(|(_, wanted)| wanted).collect()
}

/// Writes rules for the prefix lists that stand for destinations, and returns what no group may reach so.
fn by_list<'w>(
    outside: &'w [Demanded],
    service: Service,
    candidates: &Candidates<'_>,
    limits: &[GroupLimits<'_>],
    draft: &mut Draft<'_>,
) -> BTreeMap<IpAddr, Vec<&'w Demanded>> {
    let inventory = candidates.inventory;
    let mut lists: BTreeMap<usize, Vec<&Demanded>> = BTreeMap::new();
    let mut left: Vec<&Demanded> = Vec::new();
    for wanted in outside {
        match list_for(inventory, wanted) {
            Some(list) => lists.entry(list).or_default().push(wanted),
            None => left.push(wanted),
        }
    }
    for (position, wanted) in lists {
        let list = &inventory.prefix_lists()[position];
        let stands_for: BTreeSet<IpAddr> = wanted.iter().map(|w| w.responder_address).collect();
        let valid = |group: GroupIx| {
            limits[group.index()].allow(list, stands_for.len())
                && candidates.may_have(group, &list.addresses, service)
        };
        let granted = |class| candidates.is_granted_to(class, &list.addresses, service);
        let (groups, uncovered) = assign(&wanted, candidates, valid, granted);
        for (group, evidence) in groups {
            draft.egress(
                group,
                service,
                (Target::PrefixList(list.id.clone()), &list.name),
                if list.published {
                    Reason::PublishedList
                } else {
                    Reason::List
                },
                &evidence,
            );
        }
        left.extend(uncovered.into_iter().map(|item| wanted[item]));
    }
    by_address(left.into_iter())
}

/// Which groups need which addresses.
fn needed(
    addresses: BTreeMap<IpAddr, Vec<&Demanded>>,
    service: Service,
    candidates: &Candidates<'_>,
) -> Needed {
    let mut needed = Needed::new();
    for (address, wanted) in addresses {
        let valid = |group| candidates.address_is_open(group, address, service);
        let granted = |class| {
            let address = AddressSet::new([&prefix_of(address, u8::MAX)]);
            candidates.is_granted_to(class, &address, service)
        };
        let (groups, _) = assign(&wanted, candidates, valid, granted);
        for (group, evidence) in groups {
            needed
                .entry(group)
                .or_default()
                .entry(address)
                .or_default()
                .extend(evidence);
        }
    }
    needed
}

/// The rules for the addresses that one group needs for one service. What may not
/// be written as wide as the level has it is written exactly.
fn write_addresses(
    group: GroupIx,
    addresses: &BTreeMap<IpAddr, Vec<usize>>,
    service: Service,
    limits: &GroupLimits<'_>,
    candidates: &Candidates<'_>,
    draft: &mut Draft<'_>,
) {
    let (public, private): (Vec<IpAddr>, Vec<IpAddr>) =
        addresses.keys().partition(|address| is_public(**address));
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = public.into_iter().partition(IpAddr::is_ipv4);
    let mut left: Vec<IpAddr> = Vec::new();
    let mut put = |prefix: IpNet, reason: Option<Reason>| {
        let within = addresses.range(prefix.network()..=prefix.broadcast());
        let evidence: Vec<usize> = within
            .flat_map(|(_, connections)| connections)
            .copied()
            .collect();
        let reason = reason.unwrap_or_else(|| draft.exact_reason(&evidence));
        draft.egress(
            group,
            service,
            (Target::Cidr(prefix), &prefix.to_string()),
            reason,
            &evidence,
        );
    };
    let mut opened: Vec<IpNet> = Vec::new();
    // Destinations of a service on the internet are one thing, in each family, and those in private networks another.
    for addresses in [v4, v6, private] {
        let is_closed =
            |address: &IpAddr| !opened.iter().any(|prefix: &IpNet| prefix.contains(address));
        let addresses: Vec<IpAddr> = addresses.into_iter().filter(is_closed).collect();
        let may_have = |prefix: &IpNet| {
            let addresses = AddressSet::new([prefix]);
            candidates.may_have(group, &addresses, service)
        };
        let inventory = candidates.inventory;
        let published = if limits.may_publish(service) {
            published(limits, &addresses, inventory, may_have)
        } else {
            Vec::new()
        };
        for &prefix in &published {
            put(prefix, Some(Reason::Published));
        }
        let held = AddressSet::new(&published);
        let is_left = |address: &IpAddr| !held.contains(*address);
        let addresses: Vec<IpAddr> = addresses.into_iter().filter(is_left).collect();
        let (prefixes, reason) = match width(limits, &addresses, service) {
            Width::Unpinned => (everywhere(&addresses), Reason::Unpinned),
            Width::Prefixes(prefixes) => (prefixes, Reason::Covered),
        };
        for prefix in prefixes {
            let from = addresses.partition_point(|address| *address < prefix.network());
            let to = addresses.partition_point(|address| *address <= prefix.broadcast());
            let within = &addresses[from..to];
            if exact_prefixes(within) == [prefix] {
                put(prefix, None);
            } else if candidates.may_have(group, &AddressSet::new([&prefix]), service) {
                put(prefix, Some(reason));
                if reason == Reason::Unpinned {
                    opened.push(prefix);
                }
            } else {
                left.extend(within);
            }
        }
    }
    for prefix in exact_prefixes(&left) {
        put(prefix, None);
    }
}

/// The prefixes that AWS publishes for several of the addresses each, where the addresses are too many; joined where they can be.
fn published(
    limits: &GroupLimits<'_>,
    addresses: &[IpAddr],
    inventory: &Inventory,
    may_have: impl Fn(&IpNet) -> bool,
) -> Vec<IpNet> {
    let beyond = limits.beyond_exact;
    if beyond.is_none_or(|limits| exact_prefixes(addresses).len() <= limits.exact_up_to) {
        return Vec::new();
    }
    let mut held: BTreeMap<IpNet, usize> = BTreeMap::new();
    for &address in addresses {
        if let Some(prefix) = inventory.published_prefix(address) {
            *held.entry(prefix).or_default() += 1;
        }
    }
    held.retain(|prefix, addresses| *addresses > 1 && may_have(prefix));
    IpNet::aggregate(&held.into_keys().collect())
}

/// The whole of each family that is needed.
fn everywhere(addresses: &[IpAddr]) -> Vec<IpNet> {
    let mut everywhere: Vec<IpNet> = addresses
        .iter()
        .map(|&address| prefix_of(address, 0))
        .collect();
    everywhere.sort_unstable();
    everywhere.dedup();
    everywhere
}

/// Which groups get a rule for a destination that these connections share. What is `granted` to a class already costs nothing.
fn assign(
    wanted: &[&Demanded],
    candidates: &Candidates<'_>,
    valid: impl Fn(GroupIx) -> bool,
    granted: impl Fn(ClassIx) -> bool,
) -> Assigned {
    let initiators: Vec<InterfaceIx> = wanted.iter().filter_map(|w| w.initiator).collect();
    let mut covers: BTreeMap<GroupIx, Vec<usize>> = BTreeMap::new();
    for (item, initiator) in initiators.iter().enumerate() {
        for group in groups_of(candidates.inventory, *initiator) {
            covers.entry(group).or_default().push(item);
        }
    }
    covers.retain(|&group, _| valid(group));
    if let Some(assigned) = without_choice(wanted, &covers) {
        return assigned;
    }
    let mut lots: Vec<u64> = Vec::new();
    let mut seen: BTreeMap<ClassIx, BTreeSet<InterfaceIx>> = BTreeMap::new();
    for &initiator in &initiators {
        seen.entry(candidates.class_of(initiator))
            .or_default()
            .insert(initiator);
    }
    let mut positions: BTreeMap<ClassIx, usize> = BTreeMap::new();
    let mut lot = |class: ClassIx| {
        *positions.entry(class).or_insert_with(|| {
            let unseen =
                candidates.members_of(class).len() - seen.get(&class).map_or(0, BTreeSet::len);
            lots.push(if granted(class) { 0 } else { unseen as u64 });
            lots.len() - 1
        })
    };
    let mut choices: Vec<Choice<GroupIx>> = covers
        .iter()
        .map(|(&key, covers)| {
            let grants = candidates.classes_with(key).map(&mut lot).collect();
            Choice {
                key,
                covers: covers.clone(),
                grants,
                novel: false,
            }
        })
        .collect();
    let Cover { chosen, uncovered } = cover(initiators.len(), &lots, &mut choices);
    let assigned = chosen
        .into_iter()
        .map(|group| {
            (
                group,
                covers[&group]
                    .iter()
                    .map(|&item| wanted[item].connection)
                    .collect(),
            )
        })
        .collect();
    (assigned, uncovered)
}

/// The same where no connection has a choice of groups.
fn without_choice(
    wanted: &[&Demanded],
    covers: &BTreeMap<GroupIx, Vec<usize>>,
) -> Option<Assigned> {
    let mut is_covered = FixedBitSet::with_capacity(wanted.len());
    for &item in covers.values().flatten() {
        if is_covered.put(item) {
            return None;
        }
    }
    let assigned = covers.iter().map(|(&group, items)| {
        let connections = items.iter().map(|&item| wanted[item].connection);
        (group, connections.collect())
    });
    let uncovered = is_covered.zeroes().collect();
    Some((assigned.collect(), uncovered))
}

/// Groups with the connections that a rule of theirs serves, and the items that none serves.
type Assigned = (Vec<(GroupIx, Vec<usize>)>, Vec<usize>);

/// The prefix list that stands for a destination outside: of a gateway endpoint
/// first, then one that AWS keeps, then the customer's; the smallest of several.
fn list_for(inventory: &Inventory, wanted: &Demanded) -> Option<usize> {
    /// A customer's list with this many addresses says nothing about a destination.
    const TOO_WIDE: u128 = 1 << 24;
    if wanted.responder.is_some() {
        return None;
    }
    let covers = |list: &PrefixList| {
        list.addresses.contains(wanted.responder_address)
            && (list.keeper != Keeper::Customer || list.addresses.count() < TOO_WIDE)
    };
    inventory
        .prefix_lists()
        .iter()
        .enumerate()
        .filter(|(_, list)| covers(list))
        .min_by_key(|(_, list)| (list.keeper, list.addresses.count(), &list.id))
        .map(|(position, _)| position)
}
