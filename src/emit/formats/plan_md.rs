//! `rules/plan.md`: in which order, what each step does, what it may break, and how it is undone.

use std::collections::BTreeSet;

use askama::Template;

use super::names::{ResourceNames, fits_module};
use super::terraform::tags_of;
use crate::audit::left_out_in_words;
use crate::documents::{ChangeDocument, GroupRow, RevocationRow, StageRow, Status};
use crate::emit::report_md::md;
use crate::emit::text::joined;
use crate::net::plural;
use crate::suggest::RevokedBecause;

#[derive(Template)]
#[template(path = "plan.md", escape = "none")]
struct Plan<'a> {
    stages: Vec<Step<'a>>,
    elsewhere: Vec<&'a GroupRow>,
    /// Rules of groups that somebody else keeps: those to make, and those that would go.
    left_out: (usize, usize),
    /// Groups of ours whose rules can't go yet.
    waiting: Vec<&'a GroupRow>,
    change: &'a ChangeDocument,
}

struct Step<'a> {
    number: usize,
    row: &'a StageRow,
    title: &'static str,
    how: &'static str,
    undo: &'static str,
    /// Of our own groups.
    rules: usize,
    groups: Vec<&'a GroupRow>,
    gone: Vec<&'a RevocationRow>,
    /// Groups that lose rules here without enough evidence, with what to wait for.
    not_ready: Vec<(&'a GroupRow, String)>,
    /// Rules that lose their tags if Terraform does it, with the tags.
    losing_tags: Vec<String>,
}

/// How many connections are listed by id.
const LISTED: usize = 50;

/// What each stage is: its name, title, how it is done, and how undone.
const STAGES: &[(&str, &str, &str, &str)] = &[
    (
        "add",
        "Add the narrow rules",
        "`mutual.tf` and `other.tf` with Terraform, or `bash apply.sh add`, or another format (`closegate rules RUN --emit FORMAT`); `import` blocks adopt rules that stand already, and nothing else is touched",
        "`bash rollback.sh remove --all` removes what the journal says `apply.sh` made; after Terraform, add `--without-journal`, and first take the files away and let it forget what they held (`terraform state rm module.mutual_security_group_rules` and the resources of `other.tf`): `terraform destroy` would delete the rules that were adopted as well",
    ),
    (
        "revoke",
        "Revoke the open egress, group by group",
        "`bash apply.sh revoke sg-…` (or `--all`), in this order, the least connected first; with Terraform, delete the rule where it is written (`closegate rules RUN --emit terraform --terraform-state FILE` says where)",
        "`bash rollback.sh open`, or `open sg-…` for some groups, makes the rules again that the journal says `apply.sh` revoked",
    ),
    (
        "tighten",
        "Tighten ingress that the mutual pairs cover (on request)",
        "`bash apply.sh tighten sg-…` (or `--all`)",
        "`bash rollback.sh loosen`, or `loosen sg-…` for some groups, makes the rules again that the journal says `apply.sh` revoked",
    ),
];

/// The document.
pub(in crate::emit) fn render(change: &ChangeDocument) -> String {
    let step = |(number, row): (usize, &StageRow)| {
        let known = STAGES.iter().find(|(name, ..)| *name == row.name);
        let &(_, title, how, undo) = known?;
        let has = |reason: RevokedBecause| {
            let mut gone = change.revocations.iter();
            gone.any(|gone| gone.reason == reason.as_str())
        };
        let title = match &*row.name {
            "revoke" if has(RevokedBecause::OutsidePolicy) => {
                "Revoke the open rules, and those outside the policy, group by group"
            }
            "revoke" if has(RevokedBecause::OpenPort) => "Revoke the open rules, group by group",
            _ => title,
        };
        let gone = match &*row.name {
            "revoke" => change.going(&change.revocations),
            "tighten" => change.going(&change.tightenings),
            _ => Vec::new(),
        };
        let ours = row.groups.iter().filter(|id| {
            if row.name == "add" {
                change.is_ours(id)
            } else {
                change.may_lose(id)
            }
        });
        Some(Step {
            number: number + 1,
            title,
            how,
            undo,
            rules: if gone.is_empty() && row.name == "add" {
                change.additions().count()
            } else {
                gone.len()
            },
            groups: ours.filter_map(|id| change.group(id)).collect(),
            not_ready: not_ready(change, &gone),
            gone,
            losing_tags: if row.name == "add" {
                let losing = ResourceNames::new(change, fits_module).losing_tags();
                losing.into_iter().map(tags_of).collect()
            } else {
                Vec::new()
            },
            row: change.stages.iter().find(|stage| stage.name == row.name)?,
        })
    };
    let all = change
        .rules
        .iter()
        .filter(|rule| rule.status == Status::Add)
        .count();
    let plan = Plan {
        stages: change.stages.iter().enumerate().filter_map(step).collect(),
        elsewhere: change
            .groups
            .iter()
            .filter(|group| group.kept_by.is_some())
            .collect(),
        left_out: (
            all - change.additions().count(),
            change.revocations.len() - change.going(&change.revocations).len(),
        ),
        waiting: change
            .groups
            .iter()
            .filter(|group| group.kept_by.is_none() && !group.waits_for.is_empty())
            .collect(),
        change,
    };
    plan.render().expect("a string takes everything")
}

/// The groups of these rules whose evidence is not enough, in order.
fn not_ready<'a>(
    change: &'a ChangeDocument,
    gone: &[&'a RevocationRow],
) -> Vec<(&'a GroupRow, String)> {
    let losing: BTreeSet<&str> = gone.iter().map(|row| row.group_id.as_str()).collect();
    let groups = losing.into_iter().filter_map(|id| change.group(id));
    groups
        .filter_map(|group| Some((group, group.not_ready()?)))
        .collect()
}

impl Step<'_> {
    fn not_ready_in_words(&self) -> String {
        plural(self.not_ready.len() as u64, "group")
    }

    fn rules_in_words(&self) -> String {
        plural(self.rules as u64, "rule")
    }

    fn groups_in_words(&self) -> String {
        plural(self.groups.len() as u64, "group")
    }

    fn losing_in_words(&self) -> String {
        plural(self.losing_tags.len() as u64, "rule")
    }

    fn dropped_in_words(&self) -> String {
        plural(self.row.cut_at_once.len() as u64, "open connection")
    }

    fn listed(&self) -> String {
        let listed = &self.row.cut_at_once;
        joined(&listed[..listed.len().min(LISTED)], ", ")
    }

    fn more(&self) -> usize {
        self.row.cut_at_once.len().saturating_sub(LISTED)
    }
}
