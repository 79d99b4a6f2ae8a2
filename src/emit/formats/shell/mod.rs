//! `rules/apply.sh` and `rules/rollback.sh`: the change and its undoing, by the AWS CLI, in stages.
//!
//! Nothing runs unless a stage is named. Every call is one rule, so that one that stands already, or is gone already, keeps
//! none of the others from being made: both scripts can be run again. `templates/scripts` has what they check before a call, and
//! what they record.

mod word;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

pub(crate) use self::word::quoted;
use crate::documents::{ChangeDocument, PermissionRow, RevocationRow, Status, TargetRow};
use crate::net::{aws_description, is_account_id, json, stable_id, visible};

/// What both scripts do before a call and around it.
const COMMON: &str = include_str!("../../../../templates/scripts/common.sh");

/// The words of `apply.sh`, and what it does.
const APPLY: [&str; 2] = [
    include_str!("../../../../templates/scripts/apply.sh"),
    include_str!("../../../../templates/scripts/apply-end.sh"),
];

/// The same of `rollback.sh`.
const ROLLBACK: [&str; 2] = [
    include_str!("../../../../templates/scripts/rollback.sh"),
    include_str!("../../../../templates/scripts/rollback-end.sh"),
];

/// The longest text about a group or a rule, in characters.
const LONGEST: usize = 400;

/// `rules/apply.sh`.
pub(in crate::emit) fn apply(change: &ChangeDocument) -> String {
    let mut script = Script::new(change, "the change, by the AWS CLI", APPLY[0]);
    let losing = |rows: &[RevocationRow]| -> Vec<String> {
        rows.iter().map(|row| row.group_id.clone()).collect()
    };
    let adding = change
        .rules
        .iter()
        .filter(|rule| rule.status == Status::Add);
    script.table(&[
        ("add", adding.map(|rule| rule.group_id.clone()).collect()),
        ("revoke", losing(&change.revocations)),
        ("tighten", losing(&change.tightenings)),
    ]);
    script.stage("add", Script::add);
    for (name, rows) in [
        ("revoke", &change.revocations),
        ("tighten", &change.tightenings),
    ] {
        script.stage(name, |script| {
            for row in change.going(rows) {
                script.revoke(
                    &row.group_id,
                    &row.permission,
                    row.security_group_rule_id.as_deref(),
                );
            }
        });
    }
    script.text + "\n" + APPLY[1]
}

/// `rules/rollback.sh`.
pub(in crate::emit) fn rollback(change: &ChangeDocument) -> String {
    let title = "back to the rules of the snapshot, by the AWS CLI";
    let mut script = Script::new(change, title, ROLLBACK[0]);
    let gone = |rows: &[RevocationRow]| -> Vec<String> {
        let rows = change.going(rows).into_iter();
        rows.map(|row| row.group_id.clone()).collect()
    };
    let added = change.additions().map(|rule| rule.group_id.clone());
    script.table(&[
        ("loosen", gone(&change.tightenings)),
        ("open", gone(&change.revocations)),
        ("remove", added.collect()),
    ]);
    for (name, rows) in [
        ("loosen", &change.tightenings),
        ("open", &change.revocations),
    ] {
        script.stage(name, |script| {
            for row in change.going(rows) {
                script.authorize(&row.group_id, &row.permission, &row.description);
            }
        });
    }
    script.stage("remove", |script| {
        for added in additions(change) {
            // The journal has its id.
            script.revoke(added.group, added.permission, None);
        }
    });
    script.text + "\n" + ROLLBACK[1]
}

/// A rule to make, however many reasons there are for it.
struct Addition<'a> {
    group: &'a str,
    permission: &'a PermissionRow,
    description: String,
}

/// What AWS takes as one rule is made by one call, and described by all of its reasons.
fn additions(change: &ChangeDocument) -> Vec<Addition<'_>> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut additions: Vec<Addition<'_>> = Vec::new();
    for rule in change.additions() {
        let place = places.entry(key(change, &rule.group_id, &rule.permission));
        let place = *place.or_insert(additions.len());
        if let Some(same) = additions.get_mut(place) {
            let mut known = same.description.split("; ");
            if known.all(|one| one != rule.wording) && !rule.wording.is_empty() {
                same.description += "; ";
                same.description += &rule.wording;
            }
        } else {
            additions.push(Addition {
                group: &rule.group_id,
                permission: &rule.permission,
                description: rule.wording.clone(),
            });
        }
    }
    additions
}

/// What the journal calls a rule: the same in every run, letters and digits only.
fn key(change: &ChangeDocument, group: &str, row: &PermissionRow) -> String {
    let permission = json::line(&permission(change, group, row, ""));
    stable_id("k", &[group, row.direction.as_str(), &permission]).replace('-', "")
}

/// A script while it is written.
struct Script<'a> {
    change: &'a ChangeDocument,
    text: String,
}

impl<'a> Script<'a> {
    fn new(change: &'a ChangeDocument, title: &str, words: &str) -> Self {
        Self {
            change,
            text: format!(
                "#!/usr/bin/env bash\n# closegate: {title}. `--help` says how to call this.\nset -euo pipefail\n\n{words}\n{COMMON}"
            ),
        }
    }

    /// The table of groups: those of each stage.
    fn table(&mut self, stages: &[(&str, Vec<String>)]) {
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (stage, ids) in stages {
            for id in ids {
                let of = groups.entry(id).or_default();
                if of.last() != Some(stage) {
                    of.push(stage);
                }
            }
        }
        self.text += "\n# The groups: id, name, account, stages, why it is not ready, who keeps it instead.\nevery_group() {\n    :\n";
        for (id, stages) in groups {
            let group = self.change.group(id);
            let kept = group.and_then(|group| group.kept_by.clone());
            let waits = group.map_or(&[] as &[String], |group| group.waits_for.as_slice());
            if kept.is_some() || waits.is_empty() {
                self.group(id, &stages, &kept.unwrap_or_default());
                continue;
            }
            // Rules may be made, and none may go.
            let (making, losing): (Vec<&str>, Vec<&str>) = stages
                .into_iter()
                .partition(|stage| matches!(*stage, "add" | "remove"));
            if !making.is_empty() {
                self.group(id, &making, "");
            }
            if !losing.is_empty() {
                let why = format!(
                    "waits for rules of {}, which are maintained elsewhere: make them, then run the audit again",
                    waits.join(", ")
                );
                self.group(id, &losing, &why);
            }
        }
        self.text += "}\n";
        // Where the account is asked for: the CLI may have no region of its own.
        let mut regions = self.change.groups.iter().map(|group| group.region.as_str());
        let region = regions.find(|region| !region.is_empty());
        let region = quoted(region.unwrap_or_default());
        writeln!(self.text, "\nregion={region}").expect("a string takes everything");
    }

    fn group(&mut self, id: &str, stages: &[&str], kept: &str) {
        let group = self.change.group(id);
        // An account is a number of twelve digits. What is none can't be the caller's.
        let account = group.map(|group| group.owner.as_str());
        let account = account.filter(|owner| is_account_id(owner));
        let loses = stages
            .iter()
            .any(|stage| matches!(*stage, "revoke" | "tighten"));
        let not_ready = group.and_then(|group| group.not_ready().filter(|_| loses));
        let words = [
            "group",
            id,
            &visible(self.change.group_name(id), 80),
            account.unwrap_or_default(),
            &stages.join(" "),
            &visible(&not_ready.unwrap_or_default(), LONGEST),
            &visible(kept, LONGEST),
        ];
        self.line(&words);
    }

    fn stage(&mut self, name: &str, calls: impl FnOnce(&mut Self)) {
        write!(self.text, "\n{name}() {{\n    :\n").expect("a string takes everything");
        calls(self);
        self.text += "}\n";
    }

    fn add(&mut self) {
        for added in additions(self.change) {
            self.authorize(added.group, added.permission, &added.description);
        }
    }

    fn authorize(&mut self, group: &str, row: &PermissionRow, description: &str) {
        let permission = permission(self.change, group, row, description);
        self.call("authorize", group, row, None, &permission);
    }

    fn revoke(&mut self, group: &str, row: &PermissionRow, id: Option<&str>) {
        let permission = permission(self.change, group, row, "");
        self.call("revoke", group, row, id, &permission);
    }

    fn call(
        &mut self,
        verb: &str,
        group: &str,
        row: &PermissionRow,
        id: Option<&str>,
        permission: &Value,
    ) {
        let direction = row.direction.as_str();
        let what = format!(
            "{verb} {direction} of {} ({group}): {} {} {}",
            visible(self.change.group_name(group), 80),
            row.services(),
            row.direction.preposition(),
            row.target.text()
        );
        let key = key(self.change, group, row);
        let what = visible(&what, LONGEST);
        let operation = format!("{verb}-security-group-{direction}");
        let id = id.filter(|id| !id.is_empty()).unwrap_or("-");
        let mut words = vec!["call", &key, &what, id, &operation, "--group-id", group];
        // The CLI's own region, if nothing carries the group.
        let region = self
            .change
            .group(group)
            .map_or("", |known| known.region.as_str());
        if !region.is_empty() {
            words.extend(["--region", region]);
        }
        let permissions = json::line(&[permission]);
        words.extend(["--ip-permissions", &permissions]);
        self.line(&words);
    }

    /// One command.
    fn line(&mut self, words: &[&str]) {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        writeln!(self.text, "    {}", words.join(" ")).expect("a string takes everything");
    }
}

/// A rule in the shape of `API_IpPermission.html`.
fn permission(
    change: &ChangeDocument,
    group: &str,
    row: &PermissionRow,
    description: &str,
) -> Value {
    let mut permission = Map::new();
    permission.insert("IpProtocol".to_owned(), row.protocol.as_str().into());
    if let Some((from, to)) = row.api_ports() {
        permission.insert("FromPort".to_owned(), from.into());
        permission.insert("ToPort".to_owned(), to.into());
    }
    let (key, mut target) = match &row.target {
        TargetRow::CidrIpv4(prefix) => ("IpRanges", json!({"CidrIp": prefix})),
        TargetRow::CidrIpv6(prefix) => ("Ipv6Ranges", json!({"CidrIpv6": prefix})),
        TargetRow::PrefixList(id) => ("PrefixListIds", json!({"PrefixListId": id})),
        TargetRow::SecurityGroup(id) => {
            let mut pair = json!({"GroupId": id});
            if let Some(owner) = change.foreign_owner(group, id) {
                pair["UserId"] = owner.into();
            }
            ("UserIdGroupPairs", pair)
        }
    };
    if !description.is_empty() {
        target["Description"] = aws_description(description).into();
    }
    permission.insert(key.to_owned(), json!([target]));
    Value::Object(permission)
}
