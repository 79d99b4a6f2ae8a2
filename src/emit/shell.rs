//! `rules/apply.sh` and `rules/rollback.sh`: the change and its undoing, by the AWS CLI, in stages.
//!
//! Nothing runs unless a stage is named. Every call is one rule, so that one that stands already, or is gone already, keeps
//! none of the others from being made: both scripts can be run again.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::audit::Audit;
use crate::inventory::{Direction, GroupIx, Rule, RulePorts, RuleProtocol, Target};
use crate::net::{aws_description, visible};
use crate::suggest::{Revocation, Status, SuggestedRule};

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

# Says what is done and does it. What stands already, or is gone already, is as it should be.
call() {
    local group=$1 what=$2 said
    shift 2
    wanted "$group" || return 0
    printf '%s\n' "$what"
    if said=$(aws ec2 "$@" ${dry_run:+"$dry_run"} 2>&1); then return; fi
    case $said in
        *DryRunOperation* | *InvalidPermission.Duplicate* | *InvalidPermission.NotFound* | *InvalidSecurityGroupRuleId.NotFound*)
            printf '  %s\n' "$said"
            ;;
        *)
            printf '%s\n' "$said" >&2
            exit 1
            ;;
    esac
}
"#;

/// `rules/apply.sh`.
pub(super) fn apply(audit: &Audit) -> String {
    let mut script = Script::new(
        "closegate: the change, by the AWS CLI.\n\
         \n\
         apply.sh add [--dry-run] [sg-...]      make the narrow rules; touches nothing else\n\
         apply.sh revoke [--dry-run] [sg-...]   revoke the open rules, the least connected groups first\n\
         \n\
         Add first, watch the logs, then revoke group by group. Connections that were untracked under an open rule\n\
         are cut at once (security-group-connection-tracking.html); rollback.sh opens the groups again.",
    );
    script.stage("add", |script| {
        for rule in additions(audit) {
            script.authorize(audit, rule.group, &rule.rule, &rule.wording);
        }
    });
    let mut revocations: Vec<&Revocation> = audit.rules.revocations.iter().collect();
    revocations.sort_by_key(|revocation| (connected(audit, revocation.group), revocation.group));
    script.stage("revoke", |script| {
        for revocation in &revocations {
            script.revoke(audit, revocation.group, &revocation.rule);
        }
    });
    script.finish("add | revoke")
}

/// `rules/rollback.sh`.
pub(super) fn rollback(audit: &Audit) -> String {
    let mut script = Script::new(
        "closegate: back to the rules of the snapshot, by the AWS CLI.\n\
         \n\
         rollback.sh open [--dry-run] [sg-...]     make the open rules again; nothing is cut\n\
         rollback.sh remove [--dry-run] [sg-...]   revoke the rules that apply.sh has added\n\
         \n\
         Open first. The rules get new sgr- ids, and lose their tags.",
    );
    script.stage("open", |script| {
        for Revocation { group, rule } in &audit.rules.revocations {
            script.authorize(audit, *group, rule, &rule.description);
        }
    });
    script.stage("remove", |script| {
        for rule in additions(audit) {
            // By what it says: its id is not known here.
            script.revoke(
                audit,
                rule.group,
                &Rule {
                    rule_id: None,
                    ..rule.rule.clone()
                },
            );
        }
    });
    script.finish("open | remove")
}

fn additions(audit: &Audit) -> impl Iterator<Item = &SuggestedRule> {
    audit
        .rules
        .rules
        .iter()
        .filter(|rule| rule.status == Status::Add)
}

/// How many connections rest on a group's rules.
fn connected(audit: &Audit, group: GroupIx) -> usize {
    let rules = audit.rules.rules.iter().filter(|rule| rule.group == group);
    rules.map(|rule| rule.evidence.len()).sum()
}

/// A script while it is written.
struct Script {
    text: String,
}

impl Script {
    fn new(comment: &str) -> Self {
        let comment: String = comment
            .lines()
            .map(|line| format!("# {line}").trim_end().to_owned() + "\n")
            .collect();
        Self {
            text: format!("#!/usr/bin/env bash\n{comment}{BEGINNING}"),
        }
    }

    fn stage(&mut self, name: &str, calls: impl FnOnce(&mut Self)) {
        write!(self.text, "\n{name}() {{\n    :\n").expect("a string takes everything");
        calls(self);
        self.text += "}\n";
    }

    fn authorize(&mut self, audit: &Audit, group: GroupIx, rule: &Rule, description: &str) {
        let permission = permission(audit, group, rule, description);
        self.call(
            audit,
            group,
            "authorize",
            rule,
            &["--ip-permissions", &format!("[{permission}]")],
        );
    }

    fn revoke(&mut self, audit: &Audit, group: GroupIx, rule: &Rule) {
        if let Some(id) = &rule.rule_id {
            self.call(
                audit,
                group,
                "revoke",
                rule,
                &["--security-group-rule-ids", id],
            );
        } else {
            let permission = permission(audit, group, rule, "");
            let permissions = format!("[{permission}]");
            self.call(
                audit,
                group,
                "revoke",
                rule,
                &["--ip-permissions", &permissions],
            );
        }
    }

    fn call(&mut self, audit: &Audit, group: GroupIx, verb: &str, rule: &Rule, arguments: &[&str]) {
        let known = audit.inventory.group(group);
        let direction = rule.direction.as_str();
        let way = if rule.direction == Direction::Egress {
            "to"
        } else {
            "from"
        };
        let ports = match rule.port_pair() {
            Some((from, to)) if from == to => format!("/{from}"),
            Some((from, to)) => format!("/{from}-{to}"),
            None => String::new(),
        };
        let what = format!(
            "{verb} {direction} of {} ({}): {}{ports} {way} {}",
            visible(&known.name, 80),
            known.id,
            rule.protocol,
            rule.target
        );
        let mut words = vec!["call", &known.id, &what];
        let operation = format!("{verb}-security-group-{direction}");
        words.extend([operation.as_str(), "--group-id", &known.id]);
        words.extend(arguments);
        let region = region(audit, group);
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

/// The region of a group: that of the interfaces that carry it. The CLI's own, if none does.
fn region(audit: &Audit, group: GroupIx) -> &str {
    let mut members = audit.inventory.group(group).members.iter();
    members
        .next()
        .map_or("", |&ix| audit.inventory.interface(ix).region.as_str())
}

/// A word that the shell leaves as it is.
fn quoted(word: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | ',');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A rule in the shape of `API_IpPermission.html`.
fn permission(audit: &Audit, group: GroupIx, rule: &Rule, description: &str) -> Value {
    let mut permission = Map::new();
    permission.insert("IpProtocol".to_owned(), rule.protocol.to_string().into());
    let ports = match (rule.protocol, rule.ports) {
        (RuleProtocol::One(_), RulePorts::Ports(range)) => {
            Some((i64::from(range.from()), i64::from(range.to())))
        }
        (RuleProtocol::One(_), RulePorts::Icmp { kind, code }) => {
            Some((kind.map_or(-1, i64::from), code.map_or(-1, i64::from)))
        }
        _ => None,
    };
    if let Some((from, to)) = ports {
        permission.insert("FromPort".to_owned(), from.into());
        permission.insert("ToPort".to_owned(), to.into());
    }
    let (key, mut target) = match &rule.target {
        Target::Cidr(prefix) if prefix.addr().is_ipv4() => {
            ("IpRanges", json!({"CidrIp": prefix.to_string()}))
        }
        Target::Cidr(prefix) => ("Ipv6Ranges", json!({"CidrIpv6": prefix.to_string()})),
        Target::PrefixList(id) => ("PrefixListIds", json!({"PrefixListId": id})),
        Target::Group(id) => {
            let owner = |ix| audit.inventory.group(ix).owner.as_str();
            let other = audit.inventory.group_by_id(id).map(owner);
            let foreign = other.filter(|other| !other.is_empty() && *other != owner(group));
            let pair = match foreign {
                Some(other) => json!({"GroupId": id, "UserId": other}),
                None => json!({"GroupId": id}),
            };
            ("UserIdGroupPairs", pair)
        }
    };
    if !description.is_empty() {
        target["Description"] = aws_description(description).into();
    }
    permission.insert(key.to_owned(), json!([target]));
    Value::Object(permission)
}
