//! The change in the style that Terraform's state has for each group.

use std::collections::BTreeSet;

use hcl_edit::expr::{Array, Expression};
use hcl_edit::structure::Block;

use super::hcl::{self, Lines, line};
use super::ids::Ids;
use super::module_v1;
use super::names::ResourceNames;
use super::options::RuleFormatOptions;
use super::state::{PermissionKey, TerraformState};
use super::terraform::{ONCE, Refs, natives, resource};
use crate::documents::{ChangeDocument, GroupRow, PermissionRow, RevocationRow, Status, TargetRow};
use crate::net::visible;

/// How a group's rules are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Inside,
    Newer,
    Older,
}

/// Native resources only; where the options have a state, each group in the style that it has there.
pub(super) fn standalone(change: &ChangeDocument, options: &RuleFormatOptions) -> String {
    if options.state.is_empty() {
        return natives(change, options.ids);
    }
    options.state.patch(change)
}

impl TerraformState {
    /// A group's rules read back inside its resource even where resources of their own hold them, so those decide.
    fn style(&self, group: &str) -> Style {
        match self.groups.get(group) {
            Some(held) if held.newer => Style::Newer,
            Some(held) if held.older => Style::Older,
            Some(held) if held.has_rules_inside => Style::Inside,
            _ => Style::Newer,
        }
    }

    /// The address of the group's resource, if its rules are written inside it.
    pub(super) fn inside_of<'a>(&'a self, group: &'a str) -> Option<&'a str> {
        (self.style(group) == Style::Inside).then(|| self.address(group))
    }

    /// The address of the resource that holds a rule.
    fn holder(&self, gone: &RevocationRow) -> Option<&str> {
        let by_id = gone
            .security_group_rule_id
            .as_ref()
            .and_then(|id| self.rules.get(id));
        let (from, to) = gone.permission.api_ports().unwrap_or((0, 0));
        let key = (
            gone.permission.direction.as_str().to_owned(),
            gone.permission.protocol.clone(),
            from,
            to,
        );
        let same = |(known, _): &&(PermissionKey, String)| *known == key;
        let older = || {
            self.older
                .get(&gone.group_id)?
                .iter()
                .find(same)
                .map(|(_, address)| address)
        };
        by_id.or_else(older).map(String::as_str)
    }

    /// The change in the style of each group.
    pub(super) fn patch(&self, change: &ChangeDocument) -> String {
        let names = ResourceNames::alone(change);
        let refs = Refs::new(change, Ids::Literal, std::iter::empty());
        let mut blocks: Vec<Block> = Vec::new();
        for (name, rule) in &names.others {
            match self.style(&rule.group_id) {
                Style::Newer => blocks.push(resource(name, rule, &refs)),
                Style::Older => blocks.push(module_v1::resource(name, rule, &refs)),
                Style::Inside => {}
            }
        }
        let going = change.going(&change.revocations);
        let mut comment = format!(
            "closegate: the change in the style of the state.\n{ONCE}\n\nStage 1: add what follows."
        );
        let mut groups: BTreeSet<&str> = names
            .others
            .values()
            .map(|rule| rule.group_id.as_str())
            .collect();
        groups.extend(going.iter().map(|gone| gone.group_id.as_str()));
        let inside = groups
            .into_iter()
            .filter(|id| self.style(id) == Style::Inside);
        let inside: Vec<&GroupRow> = inside.filter_map(|id| change.group(id)).collect();
        if !inside.is_empty() {
            comment += "\nGroups whose rules are inside their resource come last, with every rule they have after both stages: the list there\n\
                        is the whole, so put these blocks in the place of those that are there. Leave the open rule in until stage 2.";
        }
        comment += "\n\nStage 2: the open rules go, in this order:";
        for gone in &going {
            let place = match (self.style(&gone.group_id), self.holder(gone)) {
                (_, Some(address)) => format!("delete the resource {address}"),
                (Style::Inside, None) => {
                    format!("take the block out of {}", self.address(&gone.group_id))
                }
                (_, None) => "the state does not hold it: bash apply.sh revoke sg-…".to_owned(),
            };
            let name = visible(change.group_name(&gone.group_id), 80);
            let line = format!(
                "{name} ({}), {} to {}: {place}",
                gone.group_id,
                gone.permission.services(),
                gone.permission.target.text()
            );
            comment += "\n  ";
            comment += &visible(&line, 600);
        }
        for group in inside {
            blocks.push(self.inside(change, group));
        }
        hcl::file(&comment, blocks)
    }

    fn address<'a>(&'a self, group: &'a str) -> &'a str {
        let held = self
            .groups
            .get(group)
            .and_then(|held| held.address.as_deref());
        held.unwrap_or(group)
    }

    /// A group's resource with the whole list of its rules after the change.
    fn inside(&self, change: &ChangeDocument, group: &GroupRow) -> Block {
        let goes = |permission: &PermissionRow| {
            let mut gone = change.revocations.iter();
            gone.any(|gone| gone.group_id == group.id && gone.permission == *permission)
        };
        let today = group.today.iter().filter(|rule| !goes(&rule.permission));
        let today = today.map(|rule| (&rule.permission, rule.description.as_str()));
        let added = change.rules.iter();
        let added = added.filter(|rule| rule.group_id == group.id && rule.status == Status::Add);
        let added = added.map(|rule| (&rule.permission, rule.wording.as_str()));
        let rules = today.chain(added).map(|(permission, description)| {
            let kind = permission.direction.as_str();
            hcl::inner(kind, inner(change, group, permission, description))
        });
        let address = self.address(&group.id);
        let name = address.rsplit('.').next().unwrap_or(address);
        let name = name.split('[').next().unwrap_or(name);
        let kind = if address.contains("aws_default_security_group") {
            "aws_default_security_group"
        } else {
            "aws_security_group"
        };
        hcl::nested(
            "resource",
            &[kind, name],
            &format!("In the place of the rules of {}", visible(address, 200)),
            rules.collect(),
        )
    }
}

/// The lines of a rule inside a group.
fn inner(
    change: &ChangeDocument,
    group: &GroupRow,
    permission: &PermissionRow,
    description: &str,
) -> Lines {
    let one = |text: &str| {
        let mut list = Array::new();
        list.push(text);
        Expression::Array(list)
    };
    let (from, to) = permission.api_ports().unwrap_or((0, 0));
    let target = match &permission.target {
        TargetRow::CidrIpv4(net) => line("cidr_blocks", one(net)),
        TargetRow::CidrIpv6(net) => line("ipv6_cidr_blocks", one(net)),
        TargetRow::PrefixList(id) => line("prefix_list_ids", one(id)),
        TargetRow::SecurityGroup(id) => {
            let named = match change.foreign_owner(&group.id, id) {
                Some(owner) => format!("{owner}/{id}"),
                None => id.clone(),
            };
            line("security_groups", one(&named))
        }
    };
    vec![
        line("description", description),
        line("from_port", from),
        line("to_port", to),
        line("protocol", permission.protocol.as_str()),
        target,
    ]
}
