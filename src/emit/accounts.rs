//! The accounts of a run over several, and which account a group, a finding or an end of a connection is of.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::audit::Audit;
use crate::documents::{AccountRow, Direction, Severity, Status};
use crate::findings::Finding;
use crate::inventory::{GroupIx, InterfaceIx};
use crate::net::{is_account_id, plural, visible};
use crate::resolve::End;

/// Characters of a note that a row has room for.
const NOTE: usize = 400;

/// Notes that a row has room for.
const NOTES: usize = 20;

/// The accounts of a run.
#[derive(Debug)]
pub(crate) struct Accounts<'a> {
    audit: &'a Audit,
    are_several: bool,
}

impl<'a> Accounts<'a> {
    /// Of an audit.
    pub(crate) fn new(audit: &'a Audit) -> Self {
        let groups = audit.inventory.groups().iter();
        let owners = groups.map(|group| group.owner.as_str());
        let ids: BTreeSet<&str> = owners.filter(|owner| is_account_id(owner)).collect();
        Self {
            audit,
            are_several: ids.len() > 1,
        }
    }

    /// Whether the inventory holds groups of several accounts.
    pub(crate) const fn are_several(&self) -> bool {
        self.are_several
    }

    /// A group's account; empty where none is known.
    fn of_group(&self, ix: GroupIx) -> &'a str {
        let owner = self.audit.inventory.group(ix).owner.as_str();
        if is_account_id(owner) { owner } else { "" }
    }

    fn of_interface(&self, ix: InterfaceIx) -> &'a str {
        let groups = self.audit.inventory.interface(ix).groups.iter();
        let mut accounts = groups.map(|&group| self.of_group(group));
        accounts
            .find(|account| !account.is_empty())
            .unwrap_or_default()
    }

    /// The account that a finding is about: its group's, else its interface's, else that of a local end of its connections. Empty where
    /// none is known.
    fn owner_of(&self, finding: &Finding) -> &'a str {
        let inventory = &self.audit.inventory;
        let found = &finding.found;
        let group = found.group.map(|ix| self.of_group(ix));
        let interface = found.interface.as_deref();
        let interface = interface.and_then(|id| inventory.interface_by_id(id));
        let interface = interface.map(|ix| self.of_interface(ix));
        let connections = finding.evidence.iter();
        let ends = connections.flat_map(|&position| {
            let connection = &self.audit.connections[position];
            [connection.initiator, connection.responder]
        });
        let ends = ends
            .filter_map(End::interface)
            .map(|ix| self.of_interface(ix));
        let mut known = group.into_iter().chain(interface).chain(ends);
        known
            .find(|account| !account.is_empty())
            .unwrap_or_default()
    }

    /// The account that a finding is about; nothing where the run has one account only, or none is known.
    pub(crate) fn of_finding(&self, finding: &Finding) -> Option<&'a str> {
        if !self.are_several {
            return None;
        }
        Some(self.owner_of(finding)).filter(|account| !account.is_empty())
    }

    /// How many connections there are between accounts of the inventory, by the initiator's; nothing where the run has one account only.
    fn crossing(&self) -> BTreeMap<&'a str, u64> {
        let mut crossing: BTreeMap<&str, u64> = BTreeMap::new();
        for connection in &self.audit.connections {
            let ends = [connection.initiator, connection.responder];
            let [Some(from), Some(to)] = ends.map(End::interface) else {
                continue;
            };
            let (from, to) = (self.of_interface(from), self.of_interface(to));
            if from != to && !from.is_empty() && !to.is_empty() {
                *crossing.entry(from).or_default() += 1;
            }
        }
        crossing
    }

    /// A row for each account, the worst first; none where the run has one account only.
    pub(crate) fn rows(&self) -> Vec<AccountRow> {
        if !self.are_several {
            return Vec::new();
        }
        let mut rows: BTreeMap<&str, AccountRow> = BTreeMap::new();
        self.add_groups(&mut rows);
        self.add_findings(&mut rows);
        for (account, connections) in self.crossing() {
            rows.entry(account).or_default().connections_to_others = connections;
        }
        let notes = self.audit.inventory.notes();
        for (account, row) in &mut rows {
            (*account).clone_into(&mut row.account_id);
            let names = |text: &str| !account.is_empty() && text.contains(account);
            let own = notes.iter().filter(|note| names(&note.0)).take(NOTES);
            row.unread = own.map(|note| visible(&note.0, NOTE)).collect();
        }
        let mut rows: Vec<AccountRow> = rows.into_values().collect();
        rows.sort_by_cached_key(|row| {
            let worst = [
                row.threats_critical,
                row.threats_high,
                row.threats_medium,
                row.open_groups,
                row.rules_to_add,
            ];
            (Reverse(worst), row.account_id.clone())
        });
        rows
    }

    fn add_groups(&self, rows: &mut BTreeMap<&'a str, AccountRow>) {
        let inventory = &self.audit.inventory;
        let mut regions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut vpcs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for ix in inventory.group_indexes() {
            let (account, group) = (self.of_group(ix), inventory.group(ix));
            let row = rows.entry(account).or_default();
            row.groups += 1;
            row.open_groups += u64::from(group.has_open_egress());
            let knows = |direction: &Direction| group.knows(*direction);
            let is_read = group.known && Direction::ALL.iter().all(knows);
            row.groups_unread += u64::from(!is_read);
            let members = group.members.iter();
            let found = members.map(|&ix| inventory.interface(ix).region.as_str());
            let found = found.filter(|region| !region.is_empty());
            regions.entry(account).or_default().extend(found);
            if !group.vpc.is_empty() {
                vpcs.entry(account).or_default().insert(&group.vpc);
            }
        }
        for (account, row) in rows.iter_mut() {
            let found = regions.remove(account).unwrap_or_default();
            row.regions = found
                .into_iter()
                .map(|region| visible(region, 40))
                .collect();
            row.vpcs = vpcs.get(account).map_or(0, |found| found.len() as u64);
        }
        let rules = self.audit.rules.rules.iter();
        for rule in rules.filter(|rule| rule.status == Status::Add) {
            let account = self.of_group(rule.group);
            rows.entry(account).or_default().rules_to_add += 1;
        }
        for gone in &self.audit.rules.revocations {
            let account = self.of_group(gone.group);
            rows.entry(account).or_default().revocations += 1;
        }
        for readiness in &self.audit.proof.readiness {
            let row = rows.entry(self.of_group(readiness.group)).or_default();
            row.groups_in_use += 1;
            row.groups_ready += u64::from(readiness.is_ready());
        }
    }

    fn add_findings(&self, rows: &mut BTreeMap<&'a str, AccountRow>) {
        for finding in &self.audit.findings {
            let row = rows.entry(self.owner_of(finding)).or_default();
            row.findings += finding.count();
            if !finding.is_threat() {
                continue;
            }
            let threats = match finding.severity {
                Severity::Critical => &mut row.threats_critical,
                Severity::High => &mut row.threats_high,
                // No threat is less severe.
                Severity::Medium | Severity::Low | Severity::Info => &mut row.threats_medium,
            };
            *threats += finding.count();
        }
    }
}

/// How many connections these accounts have between them.
pub(crate) fn between_accounts(rows: &[AccountRow]) -> u64 {
    rows.iter().map(|row| row.connections_to_others).sum()
}

/// `1 critical, 2 high`; empty without threat findings.
pub(crate) fn threats_by_severity(row: &AccountRow) -> String {
    let counts = [
        (row.threats_critical, Severity::Critical),
        (row.threats_high, Severity::High),
        (row.threats_medium, Severity::Medium),
    ];
    let said = counts.iter().filter(|(count, _)| *count > 0);
    let said = said.map(|(count, severity)| format!("{count} {}", severity.as_str()));
    said.collect::<Vec<_>>().join(", ")
}

/// What of an account was not read, in a few words; empty if all was.
pub(crate) fn unread_in_words(row: &AccountRow) -> String {
    let mut parts = Vec::new();
    if row.groups_unread > 0 {
        parts.push(plural(row.groups_unread, "group"));
    }
    if !row.unread.is_empty() {
        parts.push(plural(row.unread.len() as u64, "note"));
    }
    parts.join(", ")
}
