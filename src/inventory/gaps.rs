//! What `closegate collect` could not get, as the manifests of its snapshots say: calls that AWS refused, and accounts of an
//! organization.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::note::Note;
use super::wire;
use crate::net::{is_account_id, plural, visible};

/// How many places a note names before the rest is counted.
const PLACES: usize = 5;

/// How many accounts a note names before the rest is counted.
const ACCOUNTS: usize = 20;

/// Operation, code and cost.
type RefusedCall = (String, String, String);

/// Account and region.
type Place = (String, String);

/// The calls whose answers join networks.
const JOINING: [&str; 2] = [
    "DescribeTransitGatewayVpcAttachments",
    "DescribeVpcPeeringConnections",
];

/// A call without which there is nothing of a region. Where it was refused too, as in regions that are switched off, there are no
/// networks to join.
const NEEDED: &str = "DescribeNetworkInterfaces";

/// The gaps of all snapshots of an inventory.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    refused: BTreeMap<RefusedCall, BTreeSet<Place>>,
    /// Accounts that a snapshot lacks, with its time.
    accounts: Vec<(u64, wire::MemberAccount)>,
    /// Accounts of which a snapshot lacks what joins their networks, with its time.
    joins: Vec<(u64, String)>,
    /// By account: the time of the newest snapshot that has it.
    newest: BTreeMap<String, u64>,
}

impl Gaps {
    /// Adds what the manifest of a snapshot says.
    pub(super) fn add(&mut self, manifest: wire::Manifest) {
        let time = manifest.collected_at;
        let refused = |call: &str, place: (&String, &String)| {
            let mut all = manifest.refused.iter();
            all.any(|refused| {
                refused.operation == call && (&refused.account, &refused.region) == place
            })
        };
        for one in &manifest.refused {
            let is_joining = JOINING.contains(&one.operation.as_str());
            if is_joining && !refused(NEEDED, (&one.account, &one.region)) {
                self.joins.push((time, one.account.clone()));
            }
        }
        for refused in manifest.refused {
            let kind = (refused.operation, refused.code, refused.cost);
            let places = self.refused.entry(kind).or_default();
            places.insert((refused.account, refused.region));
        }
        let lacking = manifest.accounts.into_iter();
        let lacking = lacking.filter(|member| member.state != "collected");
        self.accounts.extend(lacking.map(|member| (time, member)));
    }

    /// Adds a file of a snapshot, by its path below it.
    pub(super) fn has(&mut self, time: u64, file: &Path) {
        let mut folders = file.iter().filter_map(|folder| folder.to_str());
        if let Some(account) = folders.find(|folder| is_account_id(folder)) {
            let newest = self.newest.entry(account.to_owned()).or_default();
            *newest = time.max(*newest);
        }
    }

    /// The accounts whose networks may be joined to others without the inventory saying so, for AWS refused to tell.
    pub(super) fn unknown_joins(&self) -> BTreeSet<String> {
        let is_newest = |(time, account): &&(u64, String)| {
            let newest = self.newest.get(account);
            newest.is_none_or(|newest| newest <= time)
        };
        let joins = self.joins.iter().filter(is_newest);
        joins.map(|(_, account)| account.clone()).collect()
    }

    /// What the report says about them.
    pub(super) fn notes(self) -> impl Iterator<Item = Note> {
        let lacking = self.lacking_accounts();
        self.refused
            .into_iter()
            .map(|((operation, code, cost), places)| {
                let separator = if cost.is_empty() { "" } else { ": " };
                let places: Vec<String> = places
                    .into_iter()
                    .map(|(account, region)| format!("{account} {region}"))
                    .collect();
                let places = listed(&places, PLACES, "region");
                Note::new(format!(
                    "{operation} was refused in {places} ({code}){separator}{cost}"
                ))
            })
            .chain(lacking)
    }

    /// A note for each reason for which accounts are not there, or not as they were last.
    fn lacking_accounts(&self) -> Vec<Note> {
        let mut lacking: BTreeMap<(bool, String), BTreeSet<String>> = BTreeMap::new();
        for (time, member) in &self.accounts {
            let is_old = match self.newest.get(&member.account) {
                Some(newest) if newest >= time => continue,
                newest => newest.is_some(),
            };
            let name = match member.name.as_str() {
                "" => visible(&member.account, 60),
                name => format!("{} ({})", visible(&member.account, 60), visible(name, 60)),
            };
            let accounts = lacking.entry((is_old, reason(member))).or_default();
            accounts.insert(name);
        }
        let notes = lacking.into_iter().map(|((is_old, reason), accounts)| {
            let accounts: Vec<String> = accounts.into_iter().collect();
            let what = match accounts.len() {
                1 => "account",
                _ => "accounts",
            };
            let accounts = listed(&accounts, ACCOUNTS, "account");
            Note::new(if is_old {
                format!(
                    "the newest snapshot of the organization lacks {what} {accounts}: {reason}; closegate uses an older snapshot"
                )
            } else {
                format!(
                    "the inventory lacks {what} {accounts} of the organization: {reason}; groups and interfaces there are unknown"
                )
            })
        });
        notes.collect()
    }
}

/// Why a snapshot lacks an account.
fn reason(member: &wire::MemberAccount) -> String {
    let code = visible(&member.code, 60);
    match member.state.as_str() {
        "refused" => format!("{} was refused ({code})", visible(&member.operation, 60)),
        "inactive" => format!("state {code}"),
        _ => "left out by the command line".to_owned(),
    }
}

/// The first few of many, and the number of the others.
pub(super) fn listed(all: &[String], named: usize, what: &str) -> String {
    let rest = all.len().saturating_sub(named);
    let named = all[..all.len() - rest].join(", ");
    match rest {
        0 => named,
        rest => format!(
            "{named} and {}",
            plural(rest as u64, &format!("more {what}"))
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(place: &str) -> wire::Refused {
        wire::Refused {
            account: "111122223333".to_owned(),
            region: place.to_owned(),
            operation: "DescribeVpcs".to_owned(),
            code: "No".to_owned(),
            cost: String::new(),
        }
    }

    fn notes(regions: &[&str]) -> Vec<String> {
        let mut gaps = Gaps::default();
        gaps.add(wire::Manifest {
            schema_version: Some(2),
            collected_at: 1,
            refused: regions.iter().map(|region| refused(region)).collect(),
            accounts: Vec::new(),
        });
        gaps.notes().map(|note| note.0).collect()
    }

    #[test]
    fn a_call_that_is_refused_in_many_regions_is_one_note() {
        assert_eq!(
            notes(&["b", "a", "b"]),
            ["DescribeVpcs was refused in 111122223333 a, 111122223333 b (No)"]
        );
        let many = notes(&["g", "f", "e", "d", "c", "b", "a"]);
        assert_eq!(many.len(), 1, "{many:?}");
        assert!(
            many[0].ends_with("111122223333 e and 2 more regions (No)"),
            "{many:?}"
        );
    }
}
