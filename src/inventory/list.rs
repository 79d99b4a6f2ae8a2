//! Things of one kind from all files, each once.
//!
//! Pages, accounts and snapshots overlap. The same thing twice with the same content is fine. With different content
//! one of the two is out of date: closegate uses the newer, and a note names both files and says how it knows.
//!
//! What one account shares with others (subnets, groups, prefix lists), several accounts see, and not all see all of it:
//! tags, for example, only its owner (vpc-share-limitations.html). closegate joins what they see.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Deref;

use super::Note;
use super::json::Wire;
use super::wire;

/// Where something was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// When its snapshot was made, Unix seconds, by the snapshot's manifest.
    pub(super) time: Option<u64>,
    /// The date in the file's name or path, Unix seconds.
    pub(super) named: Option<u64>,
    /// When the file was modified, Unix seconds. Copying may change it, so it counts only where nothing better is there.
    pub(super) modified: Option<u64>,
    /// The account whose snapshot it is of, by its directory.
    pub(super) account: Option<u64>,
    /// The file's position in path order.
    pub(super) file: usize,
}

impl Origin {
    /// What says when it was made, as far as that is written anywhere: pages of one answer agree in it.
    const fn written(&self) -> (Option<u64>, Option<u64>) {
        (self.time, self.named)
    }

    /// Whether the two are what different accounts saw.
    fn is_of_other_account(&self, other: &Self) -> bool {
        let both = self.account.zip(other.account);
        both.is_some_and(|(one, other)| one != other)
    }

    /// The order of age, the oldest first.
    fn rank(&self) -> impl Ord + use<> {
        let dated = self.named.or(self.modified);
        (self.time, dated, self.modified, self.file)
    }

    /// Why the older of two files is not used.
    fn newer_because(&self, older: &Self) -> &'static str {
        if self.time != older.time {
            return if older.time.is_some() {
                "which was collected later"
            } else {
                "for nothing says when the other was made; delete the one that is out of date"
            };
        }
        match (self.named, older.named) {
            (Some(newer), Some(older)) if newer != older => "which has the later date in its path",
            (Some(_), None) => {
                "for the date in its path is later than the other's modification time; delete the one that is out of date, for copying changes modification times"
            }
            (None, Some(_)) => {
                "for it was modified after the date in the other's path; delete the one that is out of date, for copying changes modification times"
            }
            _ if self.modified != older.modified => {
                "for it was modified later, and no path says more; delete the one that is out of date, for copying changes modification times"
            }
            _ => "the last by path; delete the one that is out of date",
        }
    }
}

/// A kind of thing that the inventory lists.
pub(super) trait Listed: Wire + Clone + Ord {
    /// What one is called.
    const NAME: &'static str;

    /// What tells it from others of its kind; nothing where AWS's answer has no id.
    fn id(&self) -> Option<String>;

    /// AWS's own count of its changes.
    fn version(&self) -> u64 {
        0
    }

    /// What two answers about the same thing have to agree on.
    fn content(&self) -> Self {
        let mut content = self.clone();
        content.sort();
        content
    }

    /// Keeps what only the older answer knows.
    fn learn(&mut self, _older: &Self) {}

    /// Adds what another account's answer has and this one lacks.
    fn complete(&mut self, _other: &Self) {}
}

/// Things of one kind, with their origins.
#[derive(Clone, Debug)]
pub(super) struct List<T> {
    things: Vec<T>,
    origins: Vec<Origin>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self {
            things: Vec::new(),
            origins: Vec::new(),
        }
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.things
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.things.iter()
    }
}

impl<T> List<T> {
    pub(super) fn add(&mut self, things: impl IntoIterator<Item = T>, origin: Origin) {
        self.things.extend(things);
        self.origins.resize(self.things.len(), origin);
    }

    /// The things with their origins, out of the list.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (T, Origin)> + use<T> {
        let things = std::mem::take(&mut self.things);
        things.into_iter().zip(std::mem::take(&mut self.origins))
    }
}

impl<T> List<T> {
    /// Those that were added behind a position.
    pub(super) fn since(&mut self, position: usize) -> &mut [T] {
        &mut self.things[position..]
    }
}

impl<T: PartialEq> List<(String, T)> {
    /// Of each thing that has parts, the parts of the newest snapshot. Parts of one time are pages of one answer. `what` names the thing
    /// and its parts in a note: `prefix list`, `entries`.
    pub(super) fn keep_newest(
        &mut self,
        what: (&str, &str),
        files: &[String],
        notes: &mut Vec<Note>,
    ) {
        let mut newest: BTreeMap<String, (Option<u64>, Option<u64>)> = BTreeMap::new();
        for ((list, _), origin) in self.things.iter().zip(&self.origins) {
            let time = newest.entry(list.clone()).or_default();
            *time = origin.written().max(*time);
        }
        let (kept, older): (Vec<_>, Vec<_>) = self
            .take()
            .partition(|((list, _), origin)| origin.written() == newest[list]);
        let mut noted: BTreeMap<&str, &Origin> = BTreeMap::new();
        for (entry, origin) in &older {
            if !kept.iter().any(|(newer, _)| newer == entry) {
                noted.insert(&entry.0, origin);
            }
        }
        for (list, origin) in noted {
            notes.push(Note::new(format!(
                "{} {list} has other {} in `{}`: closegate uses those that were collected last",
                what.0, what.1, files[origin.file]
            )));
        }
        (self.things, self.origins) = kept.into_iter().unzip();
    }
}

/// How many things of a kind are named in notes before the rest is counted.
const NAMED: usize = 5;

impl<T: Listed> List<T> {
    /// Leaves each thing once, in the order in which they were read.
    pub(super) fn settle(&mut self, files: &[String], notes: &mut Vec<Note>) {
        let mut by_id: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (position, thing) in self.things.iter().enumerate() {
            if let Some(id) = thing.id() {
                by_id.entry(id).or_default().push(position);
            }
        }
        let mut dropped = vec![false; self.things.len()];
        let mut differing = 0;
        for (id, mut positions) in by_id {
            if positions.len() == 1 {
                continue;
            }
            // Newest first.
            positions.sort_by(|&a, &b| self.age(b, a));
            self.prefer(&mut positions);
            let newest = positions[0];
            let origin = self.origins[newest];
            for &older in &positions[1..] {
                if origin.is_of_other_account(&self.origins[older]) {
                    let thing = self.things[older].clone();
                    self.things[newest].complete(&thing);
                }
            }
            let content = self.things[newest].content();
            let mut other = None;
            for &older in &positions[1..] {
                dropped[older] = true;
                let mut thing = self.things[older].content();
                if origin.is_of_other_account(&self.origins[older]) {
                    thing.complete(&content);
                    thing.sort();
                }
                if other.is_none() && thing != content {
                    other = Some(older);
                }
                let thing = self.things[older].clone();
                self.things[newest].learn(&thing);
            }
            let Some(other) = other else { continue };
            differing += 1;
            if differing <= NAMED {
                notes.push(self.note(&id, newest, other, files));
            }
        }
        if differing > NAMED {
            notes.push(Note::new(format!(
                "{} more of the kind {} are in several files with different content; closegate uses the newest of each",
                differing - NAMED,
                T::NAME
            )));
        }
        let kept = self.take().zip(dropped).filter(|(_, dropped)| !dropped);
        (self.things, self.origins) = kept.map(|(kept, _)| kept).unzip();
    }

    /// Moves to the front, of what several accounts saw at one time, what comes first by content: files are in no order that
    /// means anything, and were all written after that time.
    fn prefer(&self, positions: &mut [usize]) {
        let newest = positions[0];
        let (origin, version) = (self.origins[newest], self.things[newest].version());
        let is_rival = |at: usize| {
            let rival = self.origins[at];
            rival.written() == origin.written()
                && self.things[at].version() == version
                && (at == newest || rival.is_of_other_account(&origin))
        };
        let rivals = (0..positions.len()).filter(|&place| is_rival(positions[place]));
        let best = rivals.max_by_key(|&place| self.things[positions[place]].content());
        positions.swap(0, best.unwrap_or(0));
    }

    fn age(&self, a: usize, b: usize) -> Ordering {
        let rank = |at: usize| (self.things[at].version(), self.origins[at].rank(), at);
        rank(a).cmp(&rank(b))
    }

    fn note(&self, id: &str, newest: usize, other: usize, files: &[String]) -> Note {
        let name = T::NAME;
        let [new, old] = [newest, other].map(|at| self.origins[at]);
        let (used, unused) = (&files[new.file], &files[old.file]);
        if new.file == old.file {
            return Note::new(format!(
                "{name} {id} is twice in `{used}`, with different content: closegate uses the later one"
            ));
        }
        if new.is_of_other_account(&old) && new.written() == old.written() {
            return Note::new(format!(
                "{name} {id} is in `{used}` and in `{unused}` with different content, for two accounts see it differently: closegate uses `{used}`"
            ));
        }
        let because = if self.things[newest].version() == self.things[other].version() {
            new.newer_because(&old)
        } else {
            "which has the higher Version"
        };
        Note::new(format!(
            "{name} {id} is in `{used}` and in `{unused}` with different content: closegate uses `{used}`, {because}"
        ))
    }
}

macro_rules! kinds {
    ($($kind:ident $name:literal: $thing:ident => $id:expr $(, version $version:ident)? $(, complete $complete:ident)?;)*) => {$(
        impl Listed for wire::$kind {
            const NAME: &'static str = $name;

            fn id(&self) -> Option<String> {
                let $thing = self;
                $id
            }

            $(fn version(&self) -> u64 {
                self.$version
            })?

            $(fn complete(&mut self, other: &Self) {
                $complete(self, other);
            })?
        }
    )*};
}

kinds! {
    Group "security group": it => Some(it.group_id.clone()), complete complete_group;
    GroupRule "security group rule": it => it.rule.rule_id.clone(), complete complete_rule;
    Vpc "VPC": it => Some(it.vpc_id.clone());
    // describe-prefix-lists prints the CIDRs, describe-managed-prefix-lists the rest: both are needed.
    PrefixList "prefix list": it => Some(format!("{}{}", it.prefix_list_id, if it.cidrs.is_empty() { "" } else { " with Cidrs" })), version version;
    Endpoint "VPC endpoint": it => it.vpc_endpoint_id.clone();
    Peering "peering connection": it => it.vpc_peering_connection_id.clone();
    TransitGateway "transit gateway": it => Some(it.transit_gateway_id.clone()), complete complete_gateway;
    TransitGatewayVpcAttachment "transit gateway attachment": it => it.transit_gateway_attachment_id.clone(), complete complete_attachment;
    NatGateway "NAT gateway": it => it.nat_gateway_id.clone();
    RouteTable "route table": it => it.route_table_id.clone(), complete complete_route_table;
    GroupVpc "association of": it => Some(format!("{} with {}", it.group_id, it.vpc_id));
    FlowLog "flow log": it => Some(it.flow_log_id.clone());
    Instance "instance": it => Some(it.instance_id.clone());
    LoadBalancer "load balancer": it => Some(it.load_balancer_arn.clone());
    TargetGroup "target group": it => Some(it.target_group_arn.clone());
}

/// Takes the other's list where this one is empty.
fn fill<T: Clone>(list: &mut Vec<T>, other: &[T]) {
    if list.is_empty() {
        list.extend_from_slice(other);
    }
}

fn complete_group(group: &mut wire::Group, other: &wire::Group) {
    fill(&mut group.tags, &other.tags);
    let rules = [
        (&mut group.ip_permissions, &other.ip_permissions),
        (
            &mut group.ip_permissions_egress,
            &other.ip_permissions_egress,
        ),
    ];
    for (own, other) in rules {
        if own.is_none() {
            own.clone_from(other);
        }
    }
}

fn complete_rule(rule: &mut wire::GroupRule, other: &wire::GroupRule) {
    fill(&mut rule.rule.tags, &other.rule.tags);
}

/// The options of a gateway or an attachment.
fn complete_options(
    options: &mut wire::TransitGatewayOptions,
    other: &wire::TransitGatewayOptions,
) {
    let support = &mut options.security_group_referencing_support;
    if support.is_empty() {
        support.clone_from(&other.security_group_referencing_support);
    }
}

fn complete_gateway(gateway: &mut wire::TransitGateway, other: &wire::TransitGateway) {
    complete_options(&mut gateway.options, &other.options);
}

fn complete_attachment(
    attachment: &mut wire::TransitGatewayVpcAttachment,
    other: &wire::TransitGatewayVpcAttachment,
) {
    complete_options(&mut attachment.options, &other.options);
}

/// An account sees a table with the subnets that it may use.
fn complete_route_table(table: &mut wire::RouteTable, other: &wire::RouteTable) {
    table.associations.extend_from_slice(&other.associations);
    table.associations.sort();
    table.associations.dedup();
}

impl Listed for wire::Subnet {
    const NAME: &'static str = "subnet";

    fn id(&self) -> Option<String> {
        Some(self.subnet_id.clone())
    }

    fn content(&self) -> Self {
        let mut content = self.clone();
        // Snapshots from before subnets were shared don't differ from later ones.
        content.owner_id.clear();
        content
    }

    fn learn(&mut self, older: &Self) {
        if self.owner_id.is_empty() {
            self.owner_id.clone_from(&older.owner_id);
        }
    }
}

impl Listed for wire::Interface {
    const NAME: &'static str = "network interface";

    fn id(&self) -> Option<String> {
        Some(self.network_interface_id.clone())
    }

    fn content(&self) -> Self {
        let mut content = self.clone();
        content.sort();
        content.absent_until = None;
        content.seen_at = None;
        content
    }

    /// An interface that an older snapshot has too was there before.
    fn learn(&mut self, older: &Self) {
        self.absent_until = self.absent_until.min(older.absent_until);
    }

    fn complete(&mut self, other: &Self) {
        fill(&mut self.tag_set, &other.tag_set);
        if self.groups.is_none() {
            self.groups.clone_from(&other.groups);
        }
        if self.attachment.is_none() {
            self.attachment.clone_from(&other.attachment);
        }
    }
}
