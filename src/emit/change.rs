//! The change as `rules/rules.json` has it.
//!
//! Whatever writes rules is a function of this document, so that `closegate rules` can do it for a run of last week.

use std::collections::BTreeMap;
use std::fmt;

use rayon::prelude::*;

use crate::audit::Audit;
use crate::documents::{
    ChangeDocument, ChangeScope, DecisionRow, GroupRow, ListRow, OptionRow, PermissionRow,
    RevocationRow, RuleRow, SCHEMA_VERSION, StageRow, Status, TargetRow, TodayRow,
};
use crate::inventory::{Group, GroupIx, Inventory, Rule, RulePorts, Target, Upkeep};
use crate::proof::{Readiness, Stage, StageName};
use crate::suggest::{QuotaPressure, Revocation, RevokedBecause, SuggestedRule};

/// The change of an audit.
pub(in crate::emit) fn change(audit: &Audit) -> ChangeDocument {
    let tightenings = audit.proof.tightenings.iter();
    let stages = audit.proof.stages.iter();
    let mut change = ChangeDocument {
        schema_version: SCHEMA_VERSION,
        scope: ChangeScope::Additions,
        rules: rules(audit),
        revocations: revocations(audit),
        tightenings: tightenings.map(|gone| gone_row(audit, gone)).collect(),
        groups: Vec::new(),
        prefix_lists: Vec::new(),
        stages: stages.map(|stage| stage_row(audit, stage)).collect(),
        decisions: decisions(audit),
        left_out: audit.proof.left_out.len() as u64,
        not_written: Vec::new(),
    };
    change.groups = groups(audit, &change);
    change.prefix_lists = lists(&audit.inventory, &change.rules);
    change
}

impl ChangeDocument {
    /// A group by id.
    pub(in crate::emit) fn group(&self, id: &str) -> Option<&GroupRow> {
        let found = self
            .groups
            .binary_search_by(|group| group.id.as_str().cmp(id));
        found.ok().map(|position| &self.groups[position])
    }

    /// A group's name; its id where the change has no name for it.
    pub(in crate::emit) fn group_name<'a>(&'a self, id: &'a str) -> &'a str {
        self.group(id).map_or(id, |group| &group.name)
    }

    /// What people call a prefix list.
    pub(in crate::emit) fn list_name<'a>(&'a self, id: &'a str) -> &'a str {
        let mut lists = self.prefix_lists.iter();
        lists
            .find(|list| list.id == id)
            .map_or(id, |list| &list.name)
    }

    /// Whether a group's rules are ours to write.
    pub(in crate::emit) fn is_ours(&self, group: &str) -> bool {
        self.group(group)
            .is_none_or(|group| group.kept_by.is_none())
    }

    /// Rules to make in groups whose rules are ours to write.
    pub(in crate::emit) fn additions(&self) -> impl Iterator<Item = &RuleRow> {
        let rules = self.rules.iter().filter(|rule| rule.status == Status::Add);
        rules.filter(|rule| self.is_ours(&rule.group_id))
    }

    /// Rules that a file of rules has to hold, of groups whose rules are ours to write: those to make, or all that a policy wants and
    /// nothing else manages.
    pub(in crate::emit) fn written(&self) -> impl Iterator<Item = &RuleRow> {
        let ours = self
            .rules
            .iter()
            .filter(|rule| self.is_ours(&rule.group_id));
        ours.filter(|rule| match self.scope {
            ChangeScope::Additions => rule.status == Status::Add,
            ChangeScope::Policy => rule.managed_at.is_none(),
        })
    }

    /// Whether a group's rules may go: they are ours to write, and nothing that is not stands in for them.
    pub(in crate::emit) fn may_lose(&self, group: &str) -> bool {
        self.is_ours(group)
            && self
                .group(group)
                .is_none_or(|group| group.waits_for.is_empty())
    }

    /// Rules that go, of groups that may lose them; the least connected groups first.
    pub(in crate::emit) fn going<'a>(
        &'a self,
        rows: &'a [RevocationRow],
    ) -> Vec<&'a RevocationRow> {
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
    pub(in crate::emit) fn foreign_owner(&self, own: &str, other: &str) -> Option<&str> {
        let owner = |id| self.group(id).map_or("", |group| group.owner.as_str());
        Some(owner(other)).filter(|other| !other.is_empty() && *other != owner(own))
    }
}

impl GroupRow {
    /// Why none of its rules should go yet; nothing if the evidence is enough.
    pub(in crate::emit) fn not_ready(&self) -> Option<String> {
        match self.ready {
            Some(true) => None,
            Some(false) if self.wait_for.is_empty() => Some("more evidence".to_owned()),
            Some(false) => Some(self.wait_for.join("; ")),
            None => Some(
                "an audit that says whether the evidence is enough: this change does not"
                    .to_owned(),
            ),
        }
    }
}

impl TodayRow {
    pub(super) fn new(rule: &Rule) -> Self {
        Self {
            permission: PermissionRow::new(rule),
            security_group_rule_id: rule.rule_id.clone(),
            description: rule.description.clone(),
        }
    }
}

impl PermissionRow {
    pub(in crate::emit) fn new(rule: &Rule) -> Self {
        let (from_port, to_port) = rule.port_pair().unzip();
        let (icmp_type, icmp_code) = match rule.ports {
            RulePorts::Icmp { kind, code } => (kind, code),
            RulePorts::Any | RulePorts::Ports(_) => (None, None),
        };
        Self {
            direction: rule.direction,
            protocol: rule.protocol.to_string(),
            from_port,
            to_port,
            icmp_type,
            icmp_code,
            target: TargetRow::new(&rule.target),
        }
    }

    /// `FromPort` and `ToPort` as the API wants them: ports, ICMP type and code with -1 for any, or nothing (`API_IpPermission.html`).
    pub(in crate::emit) fn api_ports(&self) -> Option<(i64, i64)> {
        let icmp = matches!(self.protocol.as_str(), "icmp" | "icmpv6");
        let any = |number: Option<u8>| number.map_or(-1, i64::from);
        match (self.from_port, self.to_port) {
            (Some(from), Some(to)) => Some((from.into(), to.into())),
            _ if icmp => Some((any(self.icmp_type), any(self.icmp_code))),
            _ => None,
        }
    }

    /// `tcp/443`, `udp/1024-2048`, `icmp`, `icmp/8`, `icmp/3/4`.
    pub(in crate::emit) fn services(&self) -> String {
        match (self.from_port, self.to_port) {
            (Some(from), Some(to)) if from == to => format!("{}/{from}", self.protocol),
            (Some(from), Some(to)) => format!("{}/{from}-{to}", self.protocol),
            _ => match (self.icmp_type, self.icmp_code) {
                (None, _) => self.protocol.clone(),
                (Some(kind), None) => format!("{}/{kind}", self.protocol),
                (Some(kind), Some(code)) => format!("{}/{kind}/{code}", self.protocol),
            },
        }
    }
}

impl fmt::Display for PermissionRow {
    /// `egress tcp/443 to sg-0123`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = self.direction;
        write!(
            f,
            "{} {} {} {}",
            direction.as_str(),
            self.services(),
            direction.preposition(),
            self.target.text()
        )
    }
}

impl TargetRow {
    pub(in crate::emit) fn new(target: &Target) -> Self {
        match target {
            Target::Group(id) => Self::SecurityGroup(id.clone()),
            Target::PrefixList(id) => Self::PrefixList(id.clone()),
            Target::Cidr(net) if net.addr().is_ipv4() => Self::CidrIpv4(net.to_string()),
            Target::Cidr(net) => Self::CidrIpv6(net.to_string()),
        }
    }

    /// The group, if it is one.
    pub(in crate::emit) fn group(&self) -> Option<&str> {
        match self {
            Self::SecurityGroup(id) => Some(id),
            Self::CidrIpv4(_) | Self::CidrIpv6(_) | Self::PrefixList(_) => None,
        }
    }

    pub(in crate::emit) fn text(&self) -> &str {
        match self {
            Self::SecurityGroup(text)
            | Self::CidrIpv4(text)
            | Self::CidrIpv6(text)
            | Self::PrefixList(text) => text,
        }
    }
}

/// The groups for which somebody has to decide, as their rules are more than AWS takes.
fn decisions(audit: &Audit) -> Vec<DecisionRow> {
    let left_out = audit.rules.pressure.iter().filter(|p| p.is_left_out());
    let decision = |pressure: &QuotaPressure| {
        let group = audit.inventory.group(pressure.group);
        let options = pressure.options(&audit.inventory).into_iter();
        DecisionRow {
            group_id: group.id.clone(),
            group_name: group.name.clone(),
            direction: pressure.direction,
            rules_per_group: pressure.quotas.rules_per_group,
            options: options
                .map(|option| OptionRow {
                    what: option.what,
                    possible: option.possible,
                    rules: option.cost.rules,
                    addresses: option.cost.addresses.to_string(),
                })
                .collect(),
        }
    };
    left_out.map(decision).collect()
}

/// The rules that should stand, for every file that carries them.
pub(in crate::emit) fn rules(audit: &Audit) -> Vec<RuleRow> {
    let rules = audit.rules.rules.par_iter();
    rules.map(|rule| rule_row(audit, rule)).collect()
}

/// The rules that go, for every file that carries them.
pub(in crate::emit) fn revocations(audit: &Audit) -> Vec<RevocationRow> {
    let revocations = audit.rules.revocations.iter();
    revocations.map(|gone| gone_row(audit, gone)).collect()
}

fn rule_row(audit: &Audit, suggested: &SuggestedRule) -> RuleRow {
    let group = audit.inventory.group(suggested.group);
    let evidence = suggested.evidence.iter();
    RuleRow {
        id: suggested.id.clone(),
        group_id: group.id.clone(),
        group_name: group.name.clone(),
        permission: PermissionRow::new(&suggested.rule),
        status: suggested.status,
        security_group_rule_id: suggested.rule.rule_id.clone(),
        pair: suggested.pair.clone(),
        description: suggested.rule.description.clone(),
        wording: suggested.wording.clone(),
        tag_keys: keys(&suggested.rule.tags),
        why: suggested.reason.as_str().into(),
        confidence: suggested.confidence.into(),
        evidence: evidence.map(|&c| audit.connections[c].id).collect(),
        key: suggested.key.clone(),
        name: None,
        wanted_by: Vec::new(),
        tags: BTreeMap::new(),
        managed_at: None,
    }
}

fn gone_row(audit: &Audit, gone: &Revocation) -> RevocationRow {
    let group = audit.inventory.group(gone.group);
    revocation_row(group, &gone.rule, gone.because)
}

pub(super) fn revocation_row(group: &Group, rule: &Rule, because: RevokedBecause) -> RevocationRow {
    RevocationRow {
        group_id: group.id.clone(),
        group_name: group.name.clone(),
        security_group_rule_id: rule.rule_id.clone(),
        permission: PermissionRow::new(rule),
        description: rule.description.clone(),
        reason: because.as_str().into(),
    }
}

fn stage_row(audit: &Audit, stage: &Stage) -> StageRow {
    let id = |ix: &GroupIx| audit.inventory.group(*ix).id.clone();
    StageRow {
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

/// Every group that the change touches or names, in order.
fn groups(audit: &Audit, change: &ChangeDocument) -> Vec<GroupRow> {
    let mut touched: BTreeMap<&str, bool> = BTreeMap::new();
    let mut connections: BTreeMap<&str, u64> = BTreeMap::new();
    for rule in &change.rules {
        *touched.entry(&rule.group_id).or_default() |= rule.status == Status::Add;
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
        let known = known.map(|ix| audit.inventory.group(ix));
        named.extend(known.into_iter().flat_map(Group::named_groups));
    }
    for id in named {
        touched.entry(id).or_default();
    }
    let gains = |ix: GroupIx| {
        let id = &audit.inventory.group(ix).id;
        let mut rules = change.rules.iter();
        rules.any(|rule| rule.group_id == *id && rule.status == Status::Add)
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
        let readiness = &audit.proof.readiness;
        let judged = readiness.binary_search_by_key(&ix, |judged| judged.group);
        let judged = judged.ok().map(|place| &readiness[place]);
        let today = group.rules.iter().filter(|_| touched).map(TodayRow::new);
        Some(GroupRow {
            id: group.id.clone(),
            name: group.name.clone(),
            vpc: group.vpc.clone(),
            owner: group.owner.clone(),
            owner_tag: owner_tag(audit, group),
            region: region.unwrap_or_default(),
            kept_by: what_to_do(&group.upkeep),
            waits_for: waits_for(group),
            ready: judged.map(Readiness::is_ready),
            wait_for: judged.map(Readiness::wait_for).unwrap_or_default(),
            connections: connections.get(id).copied().unwrap_or_default(),
            today: today.collect(),
            locked: false,
        })
    };
    touched.into_iter().filter_map(row).collect()
}

/// The value of the tag that the configuration names.
fn owner_tag(audit: &Audit, group: &Group) -> Option<String> {
    let value = group.tag(audit.owner_tag.as_deref()?)?;
    Some(value.to_owned())
}

/// The keys of tags.
pub(in crate::emit) fn keys(tags: &[(String, String)]) -> Vec<String> {
    tags.iter().map(|(key, _)| key.clone()).collect()
}

/// Why a group's rules are not written here, and what to do instead.
pub(in crate::emit) fn what_to_do(upkeep: &Upkeep) -> Option<String> {
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
pub(super) fn lists(inventory: &Inventory, rules: &[RuleRow]) -> Vec<ListRow> {
    let targets = rules.iter().map(|rule| &rule.permission.target);
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
        name: inventory
            .prefix_list(id)
            .map_or_else(|| id.clone(), |list| list.name.clone()),
    };
    ids.into_iter().map(row).collect()
}
