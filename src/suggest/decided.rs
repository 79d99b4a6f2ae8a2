//! What a team's policy has decided, in the inventory's terms.
//!
//! A run against a policy starts from it: rules that accepted entries want stand after the change whether or not a connection needs
//! them, and only what they leave over is proposed. `policy`, a later stage, makes this of a policy's files.

use crate::inventory::{
    Direction, Gates, GroupIx, Interface, Inventory, Packet, Peer, Rule, RulePorts, RuleProtocol,
    Target,
};
use crate::net::{AddressSet, Service};
use crate::resolve::{Connection, End, peer_of};

/// A rule that an accepted entry wants.
#[derive(Clone, Debug)]
pub struct AcceptedRule {
    /// The rule; today's, with its id and description, if it stands.
    pub rule: Rule,
    /// Whether it stands today.
    pub stands: bool,
    /// The key of the entry; of the first by key, if several want it.
    pub key: String,
    /// The other half of a mutual pair, and the group it belongs to.
    pub mutual: Option<(GroupIx, Rule)>,
}

/// What a policy says of one group.
#[derive(Clone, Debug, Default)]
pub struct GroupDecisions {
    /// What accepted entries want. None of it is there twice.
    pub accepted: Vec<AcceptedRule>,
    /// What declined entries would permit.
    pub declined: Vec<Rule>,
    /// What entries would permit that are neither: proposed, deferred or expired; with their keys.
    pub undecided: Vec<(String, Rule)>,
    /// Egress of today that the group may not have: it is locked, and no accepted entry permits it.
    pub outside: Vec<Rule>,
}

/// An accepted rule, by its group and its position there.
pub(super) type AcceptedPlace = (GroupIx, usize);

/// What a policy says of every group.
#[derive(Debug)]
pub struct PolicyRules {
    groups: Vec<GroupDecisions>,
    accepted: Gates,
    declined: Gates,
}

impl PolicyRules {
    /// From what it says of each group of the inventory, by position.
    pub fn new(inventory: &Inventory, groups: Vec<GroupDecisions>) -> Self {
        let accepted: Vec<Vec<Rule>> = groups
            .iter()
            .map(|group| group.accepted.iter().map(|own| own.rule.clone()).collect())
            .collect();
        Self {
            accepted: Gates::new(inventory, |group| &accepted[group.index()]),
            declined: Gates::new(inventory, |group| &groups[group.index()].declined),
            groups,
        }
    }

    /// Whether a person said no to a connection: a declined entry covers it, and no accepted one permits it. The initiator's entries
    /// decide about a connection between two groups, and the responder's about one from elsewhere.
    pub fn declines(&self, inventory: &Inventory, connection: &Connection) -> bool {
        if connection.unfiltered(inventory) {
            return false;
        }
        let packet = Packet::from(connection.service);
        let says_no = |at: End, peer: End, direction: Direction| {
            let Some(ix) = at.interface() else {
                return false;
            };
            let groups = &inventory.interface(ix).groups;
            let seen = peer_of(inventory, at, direction, peer);
            let covers = |gates: &Gates| {
                let mut rules = gates.admitting(groups, direction, seen, packet);
                rules.next().is_some()
            };
            covers(&self.declined) && !covers(&self.accepted)
        };
        let (initiator, responder) = (connection.initiator, connection.responder);
        let has_groups = |end: End| {
            let interface = end.interface().map(|ix| inventory.interface(ix));
            interface.is_some_and(|interface| !interface.groups.is_empty())
        };
        if has_groups(initiator) {
            says_no(initiator, responder, Direction::Egress)
        } else {
            says_no(responder, initiator, Direction::Ingress)
        }
    }

    /// Every accepted rule, by group.
    pub(super) fn accepted(&self) -> impl Iterator<Item = (AcceptedPlace, &AcceptedRule)> {
        let groups = self.groups.iter().enumerate();
        groups.flat_map(|(group, decisions)| {
            let group = GroupIx::new(group);
            let rules = decisions.accepted.iter().enumerate();
            rules.map(move |(position, rule)| ((group, position), rule))
        })
    }

    /// The accepted rule at a place.
    pub(super) fn rule(&self, (group, position): AcceptedPlace) -> &AcceptedRule {
        &self.groups[group.index()].accepted[position]
    }

    /// What the policy says of a group.
    pub(super) fn of(&self, group: GroupIx) -> &GroupDecisions {
        &self.groups[group.index()]
    }

    /// The key of the entry that a rule belongs to which is not accepted; if several have it, of the one that says exactly the same.
    pub(super) fn key_of(&self, group: GroupIx, rule: &Rule) -> Option<&str> {
        let entries = self.of(group).undecided.iter();
        let about = entries.filter(|(_, own)| own.covers(rule));
        let first = about.min_by(|a, b| {
            let order = |(key, own): &(String, Rule)| (!own.same_permission(rule), key.clone());
            order(a).cmp(&order(b))
        });
        first.map(|(key, _)| key.as_str())
    }

    /// The accepted rules that a connection needs, if they permit it at each end that rules judge: both halves of every mutual pair
    /// that permits it; else one rule of today on each side, or the rules to add that name its other end most closely.
    pub(super) fn serving(
        &self,
        inventory: &Inventory,
        (initiator, responder): (Option<End>, Option<End>),
        peers: (End, End),
        service: Service,
    ) -> Option<Vec<AcceptedPlace>> {
        let judged = |at: Option<End>, peer, direction| match at {
            Some(at) => self.permitting(inventory, (at, peer), direction, service),
            None => Vec::new(),
        };
        let egress = judged(initiator, peers.1, Direction::Egress);
        let ingress = judged(responder, peers.0, Direction::Ingress);
        if initiator.is_some() && egress.is_empty() || responder.is_some() && ingress.is_empty() {
            return None;
        }
        let pair = |&place: &AcceptedPlace| {
            let (group, half) = self.rule(place).mutual.as_ref()?;
            let mut halves = ingress.iter();
            let other = halves
                .find(|&&other| other.0 == *group && self.rule(other).rule.same_permission(half))?;
            Some([place, *other])
        };
        let pairs: Vec<AcceptedPlace> = egress.iter().filter_map(pair).flatten().collect();
        if !pairs.is_empty() {
            return Some(pairs);
        }
        let mut serving = self.closest(egress);
        serving.extend(self.closest(ingress));
        Some(serving)
    }

    /// The same of one side alone; nothing if no accepted rule certainly permits the connection there.
    pub(super) fn serving_at(
        &self,
        inventory: &Inventory,
        ends: (End, End),
        direction: Direction,
        service: Service,
    ) -> Vec<AcceptedPlace> {
        self.closest(self.permitting(inventory, ends, direction, service))
    }

    /// The accepted rules that certainly permit a connection at one end.
    fn permitting(
        &self,
        inventory: &Inventory,
        (at, peer): (End, End),
        direction: Direction,
        service: Service,
    ) -> Vec<AcceptedPlace> {
        let Some(ix) = at.interface() else {
            return Vec::new();
        };
        let groups = &inventory.interface(ix).groups;
        let seen = peer_of(inventory, at, direction, peer);
        let packet = Packet::from(service);
        let rules = self.accepted.admitting(groups, direction, seen, packet);
        rules.collect()
    }

    /// Of rules that permit the same, the first that stands today; else those that name a group, a list or prefixes, in this order.
    fn closest(&self, mut rules: Vec<AcceptedPlace>) -> Vec<AcceptedPlace> {
        let stands = |place: &&AcceptedPlace| self.rule(**place).stands;
        if let Some(&first) = rules.iter().find(stands) {
            return vec![first];
        }
        let kind = |place: &AcceptedPlace| match self.rule(*place).rule.target {
            Target::Group(_) => 0,
            Target::PrefixList(_) => 1,
            Target::Cidr(_) => 2,
        };
        let closest = rules.iter().map(kind).min();
        rules.retain(|place| Some(kind(place)) == closest);
        rules
    }

    /// Whether a declined entry is about this pair of groups and the service.
    pub(super) fn declines_pair(
        &self,
        inventory: &Inventory,
        (initiators, responders): (GroupIx, GroupIx),
        service: Service,
    ) -> bool {
        let declined = &self.of(initiators).declined;
        if declined.is_empty() {
            return false;
        }
        let pair = Rule {
            direction: Direction::Egress,
            protocol: RuleProtocol::One(service.protocol),
            ports: RulePorts::of(service),
            target: Target::Group(inventory.group(responders).id.clone()),
            rule_id: None,
            description: String::new(),
            tag_keys: Vec::new(),
        };
        declined.iter().any(|rule| rule.covers(&pair))
    }

    /// The addresses to which declined entries of a group would permit a service.
    pub(super) fn declined_addresses(&self, group: GroupIx, service: Service) -> AddressSet {
        let packet = Packet::from(service);
        (self.declined).open_addresses(&[group], Direction::Egress, packet)
    }

    /// Whether accepted rules certainly let interfaces like `at` exchange a service with those like `peer`.
    pub(super) fn permits_between(
        &self,
        inventory: &Inventory,
        at: &Interface,
        direction: Direction,
        peer: &Interface,
        service: Service,
    ) -> bool {
        let Some(&address) = peer.addresses.first() else {
            return false;
        };
        let named = inventory.nameable_groups(at, direction, peer);
        let seen = Peer::listed(address, named);
        let packet = Packet::from(service);
        let mut rules = (self.accepted).admitting(&at.groups, direction, seen, packet);
        rules.next().is_some()
    }

    /// Whether accepted rules certainly let interfaces like `at` send to all of these addresses.
    pub(super) fn permits_to(
        &self,
        at: &Interface,
        addresses: &AddressSet,
        service: Service,
    ) -> bool {
        let packet = Packet::from(service);
        let open = (self.accepted).open_addresses(&at.groups, Direction::Egress, packet);
        open.contains_set(addresses)
    }
}
