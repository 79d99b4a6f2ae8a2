//! `rules/apply.sh` and `rules/rollback.sh`: the change and its undoing, by the AWS CLI, in stages.
//!
//! Nothing runs unless a stage is named. Every call is one rule, so that one that stands already, or is gone already, keeps
//! none of the others from being made: both scripts can be run again.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::documents::{ChangeDocument, PermissionRow, RevocationRow, TargetRow};
use crate::net::{aws_description, is_invisible, json, visible};

/// What both scripts begin with, behind what they are.
const BEGINNING: &str = r#"set -euo pipefail

stage=
dry_run=
groups=()
for word in "$@"; do
    case $word in
        --dry-run) dry_run=--dry-run ;;
        sg-*) groups+=("$word") ;;
        *) stage=$word ;;
    esac
done

# Whether a group is among those that were named, if any were.
wanted() {
    local group
    [ ${#groups[@]} -eq 0 ] && return
    for group in "${groups[@]}"; do [ "$group" = "$1" ] && return; done
    return 1
}

# Prints what the AWS CLI said. It repeats names and ids, so whatever is not plain text in it becomes a question mark.
say() {
    local LC_ALL=C
    printf '%s\n' "${1//[^[:print:]$'\n']/?}"
}

# Prints what is done and does it. A rule that exists already, or is gone already, is as it should be.
call() {
    local group=$1 what=$2 said
    shift 2
    wanted "$group" || return 0
    printf '%s\n' "$what"
    if said=$(aws ec2 "$@" ${dry_run:+"$dry_run"} 2>&1); then return; fi
    case $said in
        *DryRunOperation* | *InvalidPermission.Duplicate* | *InvalidPermission.NotFound* | *InvalidSecurityGroupRuleId.NotFound*)
            say "  $said"
            ;;
        *)
            say "$said" >&2
            exit 1
            ;;
    esac
}
"#;

/// `rules/apply.sh`.
pub(in crate::emit) fn apply(change: &ChangeDocument) -> String {
    let mut script = Script::new(
        change,
        "closegate: the change, by the AWS CLI.\n\
         \n\
         apply.sh add [--dry-run] [sg-...]      make the narrow rules; touches nothing else\n\
         apply.sh revoke [--dry-run] [sg-...]   revoke the open rules, the least connected groups first\n\
         apply.sh tighten [--dry-run] [sg-...]  revoke ingress rules that the mutual pairs cover; on request only\n\
         \n\
         Add first, watch the logs, then revoke group by group. Connections that were untracked under an open rule\n\
         are cut at once (security-group-connection-tracking.html): plan.md lists them. rollback.sh undoes each stage.",
    );
    script.stage("add", |script| {
        for rule in change.additions() {
            script.authorize(&rule.group_id, &rule.permission, &rule.wording);
        }
    });
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
    script.finish("add | revoke | tighten")
}

/// `rules/rollback.sh`.
pub(in crate::emit) fn rollback(change: &ChangeDocument) -> String {
    let mut script = Script::new(
        change,
        "closegate: back to the rules of the snapshot, by the AWS CLI.\n\
         \n\
         rollback.sh loosen [--dry-run] [sg-...]   make the ingress rules again that apply.sh tighten revoked; nothing is cut\n\
         rollback.sh open [--dry-run] [sg-...]     make the open rules again; nothing is cut\n\
         rollback.sh remove [--dry-run] [sg-...]   revoke the rules that apply.sh add has made\n\
         \n\
         In this order. The rules get new sgr- ids, and lose their tags.",
    );
    let again = |script: &mut Script<'_>, rows: &[RevocationRow]| {
        for row in change.going(rows) {
            script.authorize(&row.group_id, &row.permission, &row.description);
        }
    };
    script.stage("loosen", |script| again(script, &change.tightenings));
    script.stage("open", |script| again(script, &change.revocations));
    script.stage("remove", |script| {
        for rule in change.additions() {
            // By what it says: its id is not known here.
            script.revoke(&rule.group_id, &rule.permission, None);
        }
    });
    script.finish("loosen | open | remove")
}

/// A script while it is written.
struct Script<'a> {
    change: &'a ChangeDocument,
    text: String,
}

impl<'a> Script<'a> {
    fn new(change: &'a ChangeDocument, comment: &str) -> Self {
        let comment: String = comment
            .lines()
            .map(|line| format!("# {line}").trim_end().to_owned() + "\n")
            .collect();
        Self {
            change,
            text: format!("#!/usr/bin/env bash\n{comment}{BEGINNING}"),
        }
    }

    fn stage(&mut self, name: &str, calls: impl FnOnce(&mut Self)) {
        write!(self.text, "\n{name}() {{\n    :\n").expect("a string takes everything");
        calls(self);
        self.text += "}\n";
    }

    fn authorize(&mut self, group: &str, row: &PermissionRow, description: &str) {
        let permissions = json::line(&[permission(self.change, group, row, description)]);
        self.call("authorize", group, row, ["--ip-permissions", &permissions]);
    }

    fn revoke(&mut self, group: &str, row: &PermissionRow, id: Option<&str>) {
        if let Some(id) = id {
            self.call("revoke", group, row, ["--security-group-rule-ids", id]);
        } else {
            let permissions = json::line(&[permission(self.change, group, row, "")]);
            self.call("revoke", group, row, ["--ip-permissions", &permissions]);
        }
    }

    fn call(&mut self, verb: &str, group: &str, row: &PermissionRow, arguments: [&str; 2]) {
        let direction = row.direction.as_str();
        let what = format!(
            "{verb} {direction} of {} ({group}): {} {} {}",
            visible(self.change.group_name(group), 80),
            row.services(),
            row.direction.preposition(),
            row.target.text()
        );
        let what = visible(&what, 400);
        let operation = format!("{verb}-security-group-{direction}");
        let mut words = vec!["call", group, &what, &operation, "--group-id", group];
        words.extend(arguments);
        // The CLI's own region, if nothing carries the group.
        let region = self
            .change
            .group(group)
            .map_or("", |known| known.region.as_str());
        if !region.is_empty() {
            words.extend(["--region", region]);
        }
        let words: Vec<String> = words.into_iter().map(quoted).collect();
        writeln!(self.text, "    {}", words.join(" ")).expect("a string takes everything");
    }

    fn finish(mut self, stages: &str) -> String {
        write!(
            self.text,
            "\ncase $stage in\n    {stages}) \"$stage\" ;;\n    *)\n        sed -n '2,/^set /s/^# \\{{0,1\\}}//p' \"$0\"\n        exit 2\n        ;;\nesac\n"
        )
        .expect("a string takes everything");
        self.text
    }
}

/// A word that bash leaves as it is. What a terminal would obey or hide is in it by its bytes, as `$'\x1b'`; no
/// program can be given a NUL, so that one is only shown, and AWS finds nothing of such a name.
fn quoted(word: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | ',');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.contains(is_invisible) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut out = "$'".to_owned();
    for c in word.chars() {
        match c {
            '\0' => out += r"\\u{0}",
            '\'' | '\\' => out.extend(['\\', c]),
            _ if is_invisible(c) => {
                let mut bytes = [0; 4];
                let bytes = c.encode_utf8(&mut bytes).bytes();
                out.extend(bytes.map(|byte| format!("\\x{byte:02x}")));
            }
            _ => out.push(c),
        }
    }
    out + "'"
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
