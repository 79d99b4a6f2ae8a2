//! Suggested rules, and the draft they are collected in.

use std::collections::BTreeMap;

use crate::documents::Status;
use crate::inventory::{
    Direction, Grade, Group, GroupIx, Inventory, NetworkPath, Rule, RulePorts, RuleProtocol, Target,
};
use crate::net::{Protocol, Service, aws_description, service_name, stable_id};
use crate::replay::Change;
use crate::resolve::{Confidence, Connection};

use super::decided::AcceptedRule;
use super::kept_open::KeptOpen;
use super::ladder::QuotaPressure;

/// A rule that should stand after the change.
#[derive(Clone, Debug)]
pub struct SuggestedRule {
    /// `r-` and 16 hexadecimal digits, from what the rule says.
    pub id: String,
    /// The group it belongs to.
    pub group: GroupIx,
    /// What it says.
    pub rule: Rule,
    /// A description for it: today's where it has one, else ours.
    pub wording: String,
    /// Whether it has to be made.
    pub status: Status,
    /// Why it is what it is.
    pub reason: Reason,
    /// The other half of a mutual pair.
    pub pair: Option<String>,
    /// The best of its evidence.
    pub confidence: Confidence,
    /// Positions of the connections that need it.
    pub evidence: Vec<usize>,
    /// The key of the policy's entry that it belongs to, if the run is against a policy that has one.
    pub key: Option<String>,
}

/// Why a rule is what it is: which evidence chose its group and its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Half of the pair of groups that covers the connections and grants least.
    Mutual,
    /// The same, for a range of ports that a rule of today names.
    Range,
    /// The ingress half would let in more than today's rules do, so only the
    /// egress half is written.
    EgressOnly,
    /// The responders' group would have more ingress rules than AWS takes, so only the egress half is written.
    IngressFull,
    /// A prefix list stands for the destination.
    List,
    /// The same, but the list's entries are not in the inventory: AWS's published
    /// ranges stand in for them.
    PublishedList,
    /// The destination is outside, or carries no group.
    Exact,
    /// The destination is ours, but an egress rule cannot name its group on this way.
    Unreferenced(NetworkPath),
    /// Prefixes of which enough was seen, for there were too many addresses to name.
    Covered,
    /// Prefixes that AWS publishes for the services behind the addresses, for there were too many addresses to name.
    Published,
    /// One port to the whole internet, for there were too many addresses to name.
    Unpinned,
    /// It stands today and lets the connections through.
    Standing,
    /// The policy wants it: people decided, whatever the connections need.
    Policy,
}

impl Reason {
    /// The most that evidence of this kind can be worth.
    const fn best(self) -> Confidence {
        match self {
            Self::PublishedList | Self::Published => Confidence::Likely,
            _ => Confidence::Certain,
        }
    }

    /// A sentence for reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mutual => {
                "half of a mutual pair: of the groups that cover these connections, the two whose members share them most nearly"
            }
            Self::Range => {
                "half of a mutual pair, for the range of ports that today's ingress rule names and that is in use"
            }
            Self::EgressOnly => {
                "egress by group alone: naming the initiators in an ingress rule would let in more than today's rules do"
            }
            Self::IngressFull => {
                "egress by group alone: the responders' group would have more ingress rules than AWS takes, and its ingress rules of today let these connections in"
            }
            Self::List => {
                "a prefix list holds the destination; of the groups that cover these connections, the one that grants least"
            }
            Self::PublishedList => {
                "a prefix list stands for the destination; the inventory lacks its entries, and AWS's published ranges of its service and region hold the destination"
            }
            Self::Exact => "exact addresses: the destination is outside, or carries no group",
            Self::Unreferenced(way) => unreferenced(way),
            Self::Covered => {
                "prefixes of which enough was seen: the addresses are too many to name each"
            }
            Self::Published => {
                "prefixes that AWS publishes for the services behind the addresses: the addresses are too many to name each"
            }
            Self::Unpinned => {
                "one port to the whole internet: the addresses are too many to name, and too scattered for prefixes"
            }
            Self::Standing => "it stands today and lets these connections through",
            Self::Policy => "an accepted entry of the policy wants it",
        }
    }
}

/// Why addresses stand where the destination carries groups (security-group-rules.html,
/// vpc-peering-security-groups.html, tgw-vpc-attachments.html).
const fn unreferenced(way: NetworkPath) -> &'static str {
    match way {
        NetworkPath::OtherRegion => {
            "exact addresses: the peering leads to another region, where a rule can't name a group"
        }
        NetworkPath::TransitGateway { .. } => {
            "exact addresses: across a transit gateway an egress rule can't name a group"
        }
        NetworkPath::Inspected => {
            "exact addresses: the route leads through a middlebox, past which a rule can't name a group"
        }
        NetworkPath::Vpc | NetworkPath::Peering => {
            "exact addresses: the destination's groups are not all in the inventory"
        }
        NetworkPath::Unknown => {
            "exact addresses: a rule can't name a group where the inventory knows neither peering nor transit gateway between the two VPCs"
        }
    }
}

/// A rule of today that goes.
#[derive(Clone, Debug)]
pub struct Revocation {
    /// The group it belongs to.
    pub group: GroupIx,
    /// The rule as it stands.
    pub rule: Rule,
    /// Why.
    pub because: RevokedBecause,
}

/// Why a rule of today goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokedBecause {
    /// It is open egress.
    OpenEgress,
    /// It permits some ports to everybody.
    OpenPort,
    /// Its group is locked, and no accepted entry of the policy permits it.
    OutsidePolicy,
    /// It is ingress that the mutual pairs cover.
    CoveredByPairs,
}

impl RevokedBecause {
    /// The word in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenEgress => "open-egress",
            Self::OpenPort => "open-egress-port",
            Self::OutsidePolicy => "outside-the-policy",
            Self::CoveredByPairs => "covered-by-mutual-pairs",
        }
    }
}

/// The change: today's rules − revocations + rules to add.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// Rules to make, and those of today that the evidence needs.
    pub rules: Vec<SuggestedRule>,
    /// Rules that go.
    pub revocations: Vec<Revocation>,
    /// Open rules that stay, and why.
    pub kept_open: Vec<KeptOpen>,
    /// Groups that would have more rules than AWS takes, and what was done about it.
    pub pressure: Vec<QuotaPressure>,
}

impl RuleSet {
    /// Whether a rule is one that the policy wants.
    pub fn is_of_policy(&self, group: GroupIx, rule: &Rule) -> bool {
        let mut wanted = self.rules.iter().filter(|r| r.reason == Reason::Policy);
        wanted.any(|r| r.group == group && r.rule.same_permission(rule))
    }

    /// Whether rules for some ports to everybody are among those that go, or that were to go.
    pub fn narrows(&self) -> bool {
        let mut gone = self.revocations.iter();
        gone.any(|gone| gone.because == RevokedBecause::OpenPort)
            || self.kept_open.iter().any(|kept| kept.rule.is_some())
    }

    /// The rules that come and go.
    pub fn change(&self) -> Change {
        let added = self.rules.iter().filter(|r| r.status == Status::Add);
        let gone = self.revocations.iter();
        Change {
            additions: added.map(|r| (r.group, r.rule.clone())).collect(),
            removals: gone.map(|r| (r.group, r.rule.clone())).collect(),
        }
    }
}

/// The id of a rule: `r-` and 16 hexadecimal digits, from its group and what it permits. A rule of today and an added one that permit
/// the same have the same id.
pub fn rule_id(inventory: &Inventory, group: GroupIx, rule: &Rule) -> String {
    id_of(inventory, &permission(group, rule))
}

fn id_of(
    inventory: &Inventory,
    (group, direction, protocol, ports, target): &RulePermission,
) -> String {
    stable_id(
        "r",
        &[
            &inventory.group(*group).id,
            direction.as_str(),
            &protocol.to_string(),
            &format!("{ports:?}"),
            &format!("{target:?}"),
        ],
    )
}

/// What tells rules of one group apart.
pub(super) type RulePermission = (GroupIx, Direction, RuleProtocol, RulePorts, Target);

/// Rules while they are collected: each permission once, evidence added up.
pub(super) struct Draft<'a> {
    inventory: &'a Inventory,
    /// Today's rules that are not revoked, by group.
    remaining: &'a [Vec<Rule>],
    connections: &'a [Connection],
    rules: BTreeMap<RulePermission, Entry>,
}

/// Rules that were collected, to be taken over by another draft.
pub(super) type Entries = BTreeMap<RulePermission, Entry>;

#[derive(Clone, Debug)]
pub(super) struct Entry {
    rule: Rule,
    wording: String,
    status: Status,
    reason: Reason,
    mutual: Option<RulePermission>,
    evidence: Vec<usize>,
    /// Of the policy's entry that wants the rule.
    key: Option<String>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        inventory: &'a Inventory,
        remaining: &'a [Vec<Rule>],
        connections: &'a [Connection],
    ) -> Self {
        Self {
            inventory,
            remaining,
            connections,
            rules: BTreeMap::new(),
        }
    }

    /// Both halves of connections between two groups: initiators and responders.
    pub(super) fn mutual(
        &mut self,
        (initiators, responders): (GroupIx, GroupIx),
        protocol: Protocol,
        ports: RulePorts,
        reason: Reason,
        evidence: &[usize],
    ) {
        let (from, to) = (
            self.inventory.group(initiators),
            self.inventory.group(responders),
        );
        let half = |direction, other: &Group, word: &str| {
            let target = Target::Group(other.id.clone());
            let mut rule = rule_for(direction, protocol, ports, target);
            rule.description = aws_description(&format!("{word} {}: {}", other.name, what(&rule)));
            rule
        };
        let egress = half(Direction::Egress, to, "to");
        let ingress = half(Direction::Ingress, from, "from");
        let (out, into) = (
            permission(initiators, &egress),
            permission(responders, &ingress),
        );
        self.put(initiators, egress, reason, Some(into), evidence);
        self.put(responders, ingress, reason, Some(out), evidence);
    }

    /// An egress rule without a mutual half of its own.
    pub(super) fn egress(
        &mut self,
        group: GroupIx,
        service: Service,
        to: (Target, &str),
        reason: Reason,
        evidence: &[usize],
    ) {
        let (target, name) = to;
        let mut rule = rule_for(
            Direction::Egress,
            service.protocol,
            RulePorts::of(service),
            target,
        );
        rule.description = aws_description(&format!("to {name}: {}", what(&rule)));
        self.put(group, rule, reason, None, evidence);
    }

    /// A rule of today that the evidence needs; `position` among those that remain.
    pub(super) fn keep(&mut self, group: GroupIx, position: usize, evidence: &[usize]) {
        let rule = self.remaining[group.index()][position].clone();
        self.put(group, rule, Reason::Standing, None, evidence);
    }

    /// A rule that the policy wants, whether or not a connection needs it.
    pub(super) fn accept(&mut self, group: GroupIx, accepted: &AcceptedRule, evidence: &[usize]) {
        let AcceptedRule {
            rule,
            stands,
            key,
            mutual,
        } = accepted;
        let inventory = self.inventory;
        let entry = self.rules.entry(permission(group, rule));
        let entry = entry.or_insert_with(|| {
            let mut rule = rule.clone();
            let wording = if rule.description.is_empty() {
                let word = rule.direction.preposition();
                let name = name_of(inventory, &rule.target);
                aws_description(&format!("{word} {name}: {}", what(&rule)))
            } else {
                aws_description(&rule.description)
            };
            let status = if *stands { Status::Keep } else { Status::Add };
            if status == Status::Add {
                rule.description.clone_from(&wording);
            }
            Entry {
                rule,
                wording,
                status,
                reason: Reason::Policy,
                mutual: mutual
                    .as_ref()
                    .map(|(group, half)| permission(*group, half)),
                evidence: Vec::new(),
                key: Some(key.clone()),
            }
        });
        entry.evidence.extend_from_slice(evidence);
    }

    /// Why addresses are written exactly.
    pub(super) fn exact_reason(&self, evidence: &[usize]) -> Reason {
        let way = |&c: &usize| {
            let Connection {
                initiator,
                responder,
                ..
            } = &self.connections[c];
            let from = self.inventory.interface(initiator.interface()?);
            let to = self.inventory.interface(responder.interface()?);
            (!to.groups.is_empty()).then(|| self.inventory.way(from, to))
        };
        // Of several ways the one that rules out most.
        let worst = evidence.iter().filter_map(way).max();
        worst.map_or(Reason::Exact, Reason::Unreferenced)
    }

    fn put(
        &mut self,
        group: GroupIx,
        rule: Rule,
        reason: Reason,
        mutual: Option<RulePermission>,
        evidence: &[usize],
    ) {
        let standing = self.remaining[group.index()]
            .iter()
            .find(|r| r.same_permission(&rule));
        let entry = self
            .rules
            .entry(permission(group, &rule))
            .or_insert_with(|| {
                let (rule, status, ours) = match standing {
                    Some(standing) => (standing.clone(), Status::Keep, rule.description),
                    None => (rule.clone(), Status::Add, rule.description),
                };
                let wording = if rule.description.is_empty() {
                    ours
                } else {
                    aws_description(&rule.description)
                };
                Entry {
                    rule,
                    wording,
                    status,
                    reason,
                    mutual: None,
                    evidence: Vec::new(),
                    key: None,
                }
            });
        entry.mutual = entry.mutual.take().or(mutual);
        entry.evidence.extend_from_slice(evidence);
    }

    /// What was collected.
    pub(super) fn into_entries(self) -> Entries {
        self.rules
    }

    /// Adds what another draft of the same account collected, as if it had been put here.
    pub(super) fn absorb(&mut self, entries: &Entries) {
        for (permission, more) in entries {
            match self.rules.get_mut(permission) {
                Some(entry) => {
                    entry.mutual = entry.mutual.take().or_else(|| more.mutual.clone());
                    entry.evidence.extend_from_slice(&more.evidence);
                }
                None => {
                    self.rules.insert(permission.clone(), more.clone());
                }
            }
        }
    }

    /// The rules in order: by group, direction, protocol, ports, target.
    pub(super) fn finish(self, revocations: Vec<Revocation>, kept_open: Vec<KeptOpen>) -> RuleSet {
        let id = |permission: &RulePermission| id_of(self.inventory, permission);
        let ids: Vec<String> = self.rules.keys().map(id).collect();
        let known: BTreeMap<&RulePermission, &String> = self.rules.keys().zip(&ids).collect();
        let pair = |entry: &Entry| known.get(entry.mutual.as_ref()?).copied().cloned();
        let pairs: Vec<Option<String>> = self.rules.values().map(pair).collect();
        let rules = self.rules.into_iter().zip(ids.into_iter().zip(pairs));
        let rules = rules.map(|((key, entry), (id, pair))| {
            let Entry {
                rule,
                wording,
                status,
                reason,
                mutual: _,
                mut evidence,
                key: policy_key,
            } = entry;
            evidence.sort_unstable();
            evidence.dedup();
            let best = evidence.iter().map(|&c| {
                let initiator = self.connections[c].initiator.interface();
                let is_guess = |ix| self.inventory.interface(ix).grade == Grade::Guessed;
                if initiator.is_some_and(is_guess) {
                    Confidence::Guessed
                } else {
                    self.connections[c].confidence
                }
            });
            let most = match &rule.target {
                Target::PrefixList(id) if reason == Reason::Policy => {
                    best_of_list(self.inventory, id)
                }
                _ => reason.best(),
            };
            SuggestedRule {
                id,
                group: key.0,
                rule,
                wording,
                status,
                reason,
                pair,
                confidence: best.max().unwrap_or(Confidence::Guessed).min(most),
                evidence,
                key: policy_key,
            }
        });
        RuleSet {
            rules: rules.collect(),
            revocations,
            kept_open,
            pressure: Vec::new(),
        }
    }
}

/// The most that evidence for a prefix list can be worth.
fn best_of_list(inventory: &Inventory, id: &str) -> Confidence {
    let list = inventory.prefix_list(id);
    if list.is_some_and(|list| list.published) {
        Reason::PublishedList.best()
    } else {
        Reason::List.best()
    }
}

/// What people call a target.
fn name_of(inventory: &Inventory, target: &Target) -> String {
    match target {
        Target::Group(id) => inventory
            .group_by_id(id)
            .map_or_else(|| id.clone(), |group| inventory.group(group).name.clone()),
        Target::PrefixList(id) => inventory
            .prefix_list(id)
            .map_or_else(|| id.clone(), |list| list.name.clone()),
        Target::Cidr(net) => net.to_string(),
    }
}

fn permission(group: GroupIx, rule: &Rule) -> RulePermission {
    (
        group,
        rule.direction,
        rule.protocol,
        rule.ports,
        rule.target.clone(),
    )
}

fn rule_for(direction: Direction, protocol: Protocol, ports: RulePorts, target: Target) -> Rule {
    Rule {
        direction,
        protocol: RuleProtocol::One(protocol),
        ports,
        target,
        rule_id: None,
        description: String::new(),
        tags: Vec::new(),
    }
}

/// What people call what a rule lets through.
fn what(rule: &Rule) -> String {
    let name = rule.single_service().and_then(service_name);
    name.map_or_else(|| rule.services(), ToOwned::to_owned)
}
