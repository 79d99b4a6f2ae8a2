//! `rules/rules.json`: the change alone, and everything that writing it in another format takes.
//!
//! Whatever writes rules is a function of this file, so that `closegate rules` can do it for a run of last week.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::Audit;
use crate::documents::SCHEMA_VERSION;
use crate::inventory::{Direction, Group, GroupIx, Rule, RulePorts, Target, Upkeep};
use crate::replay::{Stage, StageName};
use crate::resolve::{Confidence, ConnectionId, known_ids};
use crate::suggest::{Revocation, Status, SuggestedRule};

/// After the change a group's rules are: today's − `revocations` + `rules` with
/// status `add`; after its last stage, also − `tightenings`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ChangeDocument {
    schema_version: u32,
    pub(super) rules: Vec<RuleRow>,
    pub(super) revocations: Vec<RevocationRow>,
    /// Ingress rules of today that nothing seen needs beside the mutual pairs: the third stage, on request.
    #[serde(default)]
    pub(super) tightenings: Vec<RevocationRow>,
    /// Every group that a rule belongs to or names.
    #[serde(default)]
    pub(super) groups: Vec<GroupRow>,
    /// Every prefix list that a rule names.
    #[serde(default)]
    pub(super) prefix_lists: Vec<ListRow>,
    /// In which order, and what each step does.
    #[serde(default)]
    pub(super) stages: Vec<StageRow>,
}

/// What a rule lets through, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct PermissionRow {
    pub(super) direction: Way,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for all (never on a rule to add).
    pub(super) protocol: String,
    /// Null where the protocol has no ports.
    pub(super) from_port: Option<u16>,
    pub(super) to_port: Option<u16>,
    /// Only where a rule of today is for one ICMP type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) icmp_type: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) icmp_code: Option<u8>,
    pub(super) target: TargetRow,
}

/// Seen from the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Way {
    Egress,
    Ingress,
}

/// Exactly one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum TargetRow {
    SecurityGroup(String),
    CidrIpv4(String),
    CidrIpv6(String),
    PrefixList(String),
}

/// Whether a rule has to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum StatusRow {
    Add,
    Keep,
}

/// A rule that should stand after the change.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct RuleRow {
    pub(super) id: String,
    pub(super) group_id: String,
    /// The group's name, for people.
    pub(super) group_name: String,
    #[serde(flatten)]
    pub(super) permission: PermissionRow,
    pub(super) status: StatusRow,
    /// The rule's id in AWS, where it stands today and the snapshot names it.
    #[serde(default)]
    pub(super) security_group_rule_id: Option<String>,
    /// The other half of the mutual pair.
    #[serde(default)]
    pub(super) pair: Option<String>,
    /// Today's, where it stands and has one; else empty or ours.
    #[serde(default)]
    pub(super) description: String,
    /// A description that AWS takes.
    #[serde(default)]
    pub(super) wording: String,
    /// Why this rule and no other: the group, and the width.
    #[serde(default)]
    pub(super) why: Cow<'static, str>,
    #[serde(default)]
    pub(super) confidence: Cow<'static, str>,
    /// Connections that need it.
    #[serde(default, deserialize_with = "known_ids")]
    pub(super) evidence: Vec<ConnectionId>,
}

/// A rule of today that goes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct RevocationRow {
    pub(super) group_id: String,
    #[serde(default)]
    pub(super) group_name: String,
    #[serde(default)]
    pub(super) security_group_rule_id: Option<String>,
    #[serde(flatten)]
    pub(super) permission: PermissionRow,
    /// Today's.
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) reason: Cow<'static, str>,
}

/// A group.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct GroupRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) vpc: String,
    /// The account that owns it.
    pub(super) owner: String,
    /// That of its members; empty if nothing carries it.
    pub(super) region: String,
    /// Why nobody but its keeper should write its rules, and what to do; null for a group of one's own.
    #[serde(default)]
    pub(super) kept_by: Option<String>,
    /// Groups that somebody else keeps, that its interfaces carry too, and that get a rule: until those rules are made, none of its
    /// own may go.
    #[serde(default)]
    pub(super) waits_for: Vec<String>,
    /// How many connections rest on its rules.
    #[serde(default)]
    pub(super) connections: u64,
    /// Its rules of today, where the change touches it.
    #[serde(default)]
    pub(super) today: Vec<TodayRow>,
}

/// A rule as it stands today.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct TodayRow {
    #[serde(flatten)]
    pub(super) permission: PermissionRow,
    #[serde(default)]
    pub(super) security_group_rule_id: Option<String>,
    #[serde(default)]
    pub(super) description: String,
}

/// A prefix list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ListRow {
    pub(super) id: String,
    pub(super) name: String,
}

/// A step of the change.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct StageRow {
    /// `add`, `revoke` or `tighten`.
    pub(super) name: Cow<'static, str>,
    /// Rules that come or go.
    pub(super) rules: u64,
    /// Groups in the order to do it.
    pub(super) groups: Vec<String>,
    /// What replay says of the rules as they are after it.
    pub(super) permitted: u64,
    pub(super) lost: u64,
    /// Connections that AWS does not track today, and that are therefore cut when the rule goes, though the rules after it permit them.
    #[serde(deserialize_with = "known_ids")]
    pub(super) cut_at_once: Vec<ConnectionId>,
}

impl ChangeDocument {
    /// Of an audit.
    pub(super) fn of(audit: &Audit) -> Self {
        let tightenings = audit.tightenings.iter();
        let mut change = Self {
            schema_version: SCHEMA_VERSION,
            rules: rules(audit),
            revocations: revocations(audit),
            tightenings: tightenings
                .map(|gone| RevocationRow::new(audit, gone, "covered-by-mutual-pairs"))
                .collect(),
            groups: Vec::new(),
            prefix_lists: Vec::new(),
            stages: audit
                .stages
                .iter()
                .map(|stage| StageRow::new(audit, stage))
                .collect(),
        };
        change.groups = groups(audit, &change);
        change.prefix_lists = lists(audit, &change);
        change
    }

    /// A group by id.
    pub(super) fn group(&self, id: &str) -> Option<&GroupRow> {
        let found = self
            .groups
            .binary_search_by(|group| group.id.as_str().cmp(id));
        found.ok().map(|position| &self.groups[position])
    }

    /// What people call a group; its id, if nobody knows.
    pub(super) fn group_name<'a>(&'a self, id: &'a str) -> &'a str {
        self.group(id).map_or(id, |group| &group.name)
    }

    /// What people call a prefix list.
    pub(super) fn list_name<'a>(&'a self, id: &'a str) -> &'a str {
        let mut lists = self.prefix_lists.iter();
        lists
            .find(|list| list.id == id)
            .map_or(id, |list| &list.name)
    }

    /// Whether a group's rules are ours to write.
    pub(super) fn is_ours(&self, group: &str) -> bool {
        self.group(group)
            .is_none_or(|group| group.kept_by.is_none())
    }

    /// Rules to make in groups whose rules are ours to write.
    pub(super) fn additions(&self) -> impl Iterator<Item = &RuleRow> {
        let rules = self
            .rules
            .iter()
            .filter(|rule| rule.status == StatusRow::Add);
        rules.filter(|rule| self.is_ours(&rule.group_id))
    }

    /// Whether a group's rules may go: they are ours to write, and nothing that is not stands in for them.
    pub(super) fn may_lose(&self, group: &str) -> bool {
        self.is_ours(group)
            && self
                .group(group)
                .is_none_or(|group| group.waits_for.is_empty())
    }

    /// Rules that go, of groups that may lose them; the least connected groups first.
    pub(super) fn going<'a>(&'a self, rows: &'a [RevocationRow]) -> Vec<&'a RevocationRow> {
        let connections =
            |row: &RevocationRow| self.group(&row.group_id).map_or(0, |g| g.connections);
        let mut going: Vec<&RevocationRow> = rows
            .iter()
            .filter(|row| self.may_lose(&row.group_id))
            .collect();
        going.sort_by(|a, b| (connections(a), &a.group_id).cmp(&(connections(b), &b.group_id)));
        going
    }

    /// The account of a group that belongs to another one than the first.
    pub(super) fn foreign_owner(&self, own: &str, other: &str) -> Option<&str> {
        let owner = |id| self.group(id).map_or("", |group| group.owner.as_str());
        Some(owner(other)).filter(|other| !other.is_empty() && *other != owner(own))
    }
}

impl PermissionRow {
    pub(super) fn new(rule: &Rule) -> Self {
        let (from_port, to_port) = rule.port_pair().unzip();
        let (icmp_type, icmp_code) = match rule.ports {
            RulePorts::Icmp { kind, code } => (kind, code),
            RulePorts::Any | RulePorts::Ports(_) => (None, None),
        };
        Self {
            direction: match rule.direction {
                Direction::Egress => Way::Egress,
                Direction::Ingress => Way::Ingress,
            },
            protocol: rule.protocol.to_string(),
            from_port,
            to_port,
            icmp_type,
            icmp_code,
            target: TargetRow::new(&rule.target),
        }
    }

    /// `FromPort` and `ToPort` as the API wants them: ports, ICMP type and code with -1 for any, or nothing (`API_IpPermission.html`).
    pub(super) fn api_ports(&self) -> Option<(i64, i64)> {
        let icmp = matches!(self.protocol.as_str(), "icmp" | "icmpv6");
        let any = |number: Option<u8>| number.map_or(-1, i64::from);
        match (self.from_port, self.to_port) {
            (Some(from), Some(to)) => Some((from.into(), to.into())),
            _ if icmp => Some((any(self.icmp_type), any(self.icmp_code))),
            _ => None,
        }
    }

    /// `tcp/443`, `udp/1024-2048`, `icmp`.
    pub(super) fn services(&self) -> String {
        match (self.from_port, self.to_port) {
            (Some(from), Some(to)) if from == to => format!("{}/{from}", self.protocol),
            (Some(from), Some(to)) => format!("{}/{from}-{to}", self.protocol),
            _ => self.protocol.clone(),
        }
    }
}

impl Way {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        }
    }

    /// Between the group and the target of a rule, in a sentence.
    pub(super) const fn preposition(self) -> &'static str {
        match self {
            Self::Egress => "to",
            Self::Ingress => "from",
        }
    }
}

impl TargetRow {
    pub(super) fn new(target: &Target) -> Self {
        match target {
            Target::Group(id) => Self::SecurityGroup(id.clone()),
            Target::PrefixList(id) => Self::PrefixList(id.clone()),
            Target::Cidr(net) if net.addr().is_ipv4() => Self::CidrIpv4(net.to_string()),
            Target::Cidr(net) => Self::CidrIpv6(net.to_string()),
        }
    }

    /// The group, if it is one.
    pub(super) fn group(&self) -> Option<&str> {
        match self {
            Self::SecurityGroup(id) => Some(id),
            Self::CidrIpv4(_) | Self::CidrIpv6(_) | Self::PrefixList(_) => None,
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::SecurityGroup(text)
            | Self::CidrIpv4(text)
            | Self::CidrIpv6(text)
            | Self::PrefixList(text) => text,
        }
    }
}

/// The rules that should stand, for every file that carries them.
pub(super) fn rules(audit: &Audit) -> Vec<RuleRow> {
    let rules = audit.rules.rules.par_iter();
    rules.map(|rule| RuleRow::new(audit, rule)).collect()
}

/// The rules that go, for every file that carries them.
pub(super) fn revocations(audit: &Audit) -> Vec<RevocationRow> {
    let revocations = audit.rules.revocations.iter();
    revocations
        .map(|gone| RevocationRow::new(audit, gone, "open-egress"))
        .collect()
}

impl RuleRow {
    fn new(audit: &Audit, suggested: &SuggestedRule) -> Self {
        let group = audit.inventory.group(suggested.group);
        let evidence = suggested.evidence.iter();
        Self {
            id: suggested.id.clone(),
            group_id: group.id.clone(),
            group_name: group.name.clone(),
            permission: PermissionRow::new(&suggested.rule),
            status: match suggested.status {
                Status::Add => StatusRow::Add,
                Status::Keep => StatusRow::Keep,
            },
            security_group_rule_id: suggested.rule.rule_id.clone(),
            pair: suggested.pair.clone(),
            description: suggested.rule.description.clone(),
            wording: suggested.wording.clone(),
            why: suggested.reason.as_str().into(),
            confidence: rating(suggested.confidence).into(),
            evidence: evidence.map(|&c| audit.connections[c].id).collect(),
        }
    }
}

impl RevocationRow {
    fn new(audit: &Audit, gone: &Revocation, reason: &'static str) -> Self {
        let group = audit.inventory.group(gone.group);
        Self {
            group_id: group.id.clone(),
            group_name: group.name.clone(),
            security_group_rule_id: gone.rule.rule_id.clone(),
            permission: PermissionRow::new(&gone.rule),
            description: gone.rule.description.clone(),
            reason: reason.into(),
        }
    }
}

impl StageRow {
    fn new(audit: &Audit, stage: &Stage) -> Self {
        let id = |ix: &GroupIx| audit.inventory.group(*ix).id.clone();
        Self {
            name: match stage.name {
                StageName::Add => "add".into(),
                StageName::Revoke => "revoke".into(),
                StageName::Tighten => "tighten".into(),
            },
            rules: stage.rules as u64,
            groups: stage.groups.iter().map(id).collect(),
            permitted: stage.replay.permitted,
            lost: stage.replay.lost.len() as u64,
            cut_at_once: stage
                .cut_at_once
                .iter()
                .map(|&c| audit.connections[c].id)
                .collect(),
        }
    }
}

/// Every group that the change touches or names, in order.
fn groups(audit: &Audit, change: &ChangeDocument) -> Vec<GroupRow> {
    let mut touched: BTreeMap<&str, bool> = BTreeMap::new();
    let mut connections: BTreeMap<&str, u64> = BTreeMap::new();
    for rule in &change.rules {
        *touched.entry(&rule.group_id).or_default() |= rule.status == StatusRow::Add;
        *connections.entry(&rule.group_id).or_default() += rule.evidence.len() as u64;
    }
    let gone = || change.revocations.iter().chain(&change.tightenings);
    for gone in gone() {
        touched.insert(&gone.group_id, true);
    }
    // Whatever is named, by a rule that comes, goes or stays: its account may have to be written.
    let rules = change.rules.iter().map(|rule| &rule.permission);
    let named = rules.chain(gone().map(|gone| &gone.permission));
    let mut named: Vec<&str> = named.filter_map(|row| row.target.group()).collect();
    for (id, _) in touched.iter().filter(|(_, touched)| **touched) {
        let known = audit.inventory.group_by_id(id);
        let rules = known.map(|ix| &audit.inventory.group(ix).rules);
        named.extend(
            rules
                .into_iter()
                .flatten()
                .filter_map(|rule| match &rule.target {
                    Target::Group(id) => Some(id.as_str()),
                    Target::Cidr(_) | Target::PrefixList(_) => None,
                }),
        );
    }
    for id in named {
        touched.entry(id).or_default();
    }
    let gains = |ix: GroupIx| {
        let id = &audit.inventory.group(ix).id;
        let mut rules = change.rules.iter();
        rules.any(|rule| rule.group_id == *id && rule.status == StatusRow::Add)
    };
    let kept_elsewhere: Vec<GroupIx> = audit
        .inventory
        .group_indexes()
        .filter(|&ix| audit.inventory.group(ix).upkeep != Upkeep::Own && gains(ix))
        .collect();
    let waits_for = |group: &Group| {
        let beside = |ix: &&GroupIx| {
            let mut members = group.members.iter();
            members.any(|&member| audit.inventory.interface(member).groups.contains(ix))
        };
        let others = kept_elsewhere.iter().filter(beside);
        let others = others.map(|&ix| audit.inventory.group(ix).id.clone());
        others.filter(|id| *id != group.id).collect()
    };
    let row = |(id, touched): (&str, bool)| {
        let ix = audit.inventory.group_by_id(id)?;
        let group = audit.inventory.group(ix);
        let region = group
            .members
            .first()
            .map(|&ix| audit.inventory.interface(ix).region.clone());
        let today = group.rules.iter().filter(|_| touched).map(|rule| TodayRow {
            permission: PermissionRow::new(rule),
            security_group_rule_id: rule.rule_id.clone(),
            description: rule.description.clone(),
        });
        Some(GroupRow {
            id: group.id.clone(),
            name: group.name.clone(),
            vpc: group.vpc.clone(),
            owner: group.owner.clone(),
            region: region.unwrap_or_default(),
            kept_by: what_to_do(&group.upkeep),
            waits_for: waits_for(group),
            connections: connections.get(id).copied().unwrap_or_default(),
            today: today.collect(),
        })
    };
    touched.into_iter().filter_map(row).collect()
}

/// Why a group's rules are not written here, and what to do instead.
fn what_to_do(upkeep: &Upkeep) -> Option<String> {
    match upkeep {
        Upkeep::Own => None,
        Upkeep::Default => Some(
            "the default group of its network: give its interfaces groups of their own, then take every rule from it".to_owned(),
        ),
        Upkeep::Stack(name) => Some(format!(
            "CloudFormation stack {name}: put the rules into its template, or the next update of the stack may undo them"
        )),
        Upkeep::Service(tag) => Some(format!(
            "an AWS service made it (tag {tag}): change its rules where that service is configured"
        )),
    }
}

/// Every prefix list that a rule names, in order.
fn lists(audit: &Audit, change: &ChangeDocument) -> Vec<ListRow> {
    let targets = change.rules.iter().map(|rule| &rule.permission.target);
    let mut ids: Vec<&String> = targets
        .filter_map(|target| match target {
            TargetRow::PrefixList(id) => Some(id),
            _ => None,
        })
        .collect();
    ids.sort();
    ids.dedup();
    let row = |id: &String| ListRow {
        id: id.clone(),
        name: audit
            .inventory
            .prefix_list(id)
            .map_or_else(|| id.clone(), |list| list.name.clone()),
    };
    ids.into_iter().map(row).collect()
}

/// A rule is as sure as the direction of its best connection.
pub(super) const fn rating(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "high",
        Confidence::Likely => "medium",
        Confidence::Guessed => "low",
    }
}
