//! `rules/for-account-….json` and `.tf`: one of each for every account that has to make rules and is not in the inventory.

use std::collections::BTreeMap;

use super::formats::foreign_rules;
use crate::audit::Audit;
use crate::documents::{
    ForAccountDocument, ForAccountRow, PermissionRow, SCHEMA_VERSION, TargetRow, Tool,
};
use crate::net::json;
use crate::suggest::{ForeignGroup, OtherHalf};

/// How many connections are named for each rule.
const NAMED: usize = 20;

/// What the names of these files begin with; the account and an extension follow.
const PREFIX: &str = "rules/for-account-";

const EXTENSIONS: [&str; 2] = ["json", "tf"];

/// Whether a path below a run's directory is that of such a file.
pub fn is_for_account(path: &str) -> bool {
    let account = |rest: &str| {
        let (account, extension) = rest.rsplit_once('.')?;
        (EXTENSIONS.contains(&extension) && is_plain(account)).then_some(())
    };
    path.strip_prefix(PREFIX).and_then(account).is_some()
}

/// Accounts are numbers; AWS's own have names in small letters. Nothing else becomes part of a file's name: not every file system tells
/// capital letters from small ones.
fn is_plain(account: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=64).contains(&account.len()) && account.chars().all(is_plain)
}

/// The files, by path.
pub(super) fn files(audit: &Audit) -> BTreeMap<String, String> {
    let mut by_account: BTreeMap<&str, Vec<ForAccountRow>> = BTreeMap::new();
    for (half, evidence) in &audit.other_halves {
        if is_plain(&half.account) {
            let rows = by_account.entry(&half.account).or_default();
            rows.push(row(audit, half, evidence));
        }
    }
    let mut files = BTreeMap::new();
    for (account, rules) in by_account {
        let document = ForAccountDocument {
            schema_version: SCHEMA_VERSION,
            tool: Tool::default(),
            account: account.to_owned(),
            rules,
        };
        let path = |extension| format!("{PREFIX}{account}.{extension}");
        files.insert(path("tf"), foreign_rules(&document));
        files.insert(path("json"), json::pretty(&document));
    }
    files
}

fn row(audit: &Audit, half: &OtherHalf, evidence: &[usize]) -> ForAccountRow {
    let own = audit.inventory.group(half.own);
    let (group_id, address) = match &half.group {
        ForeignGroup::Named(id) => (Some(id.clone()), None),
        ForeignGroup::At(address) => (None, Some(address.to_string())),
    };
    let port = half.service.port();
    ForAccountRow {
        group_id,
        address,
        permission: PermissionRow {
            direction: half.direction,
            protocol: half.service.protocol.to_string(),
            from_port: port,
            to_port: port,
            icmp_type: None,
            icmp_code: None,
            target: TargetRow::SecurityGroup(own.id.clone()),
        },
        target_account: own.owner.clone(),
        target_name: own.name.clone(),
        connections: evidence.len() as u64,
        evidence: evidence
            .iter()
            .take(NAMED)
            .map(|&position| audit.connections[position].id)
            .collect(),
    }
}
