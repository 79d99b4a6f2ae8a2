//! The module's 1.0, as the article has it, for Terraform before 1.3: a list, and ports as text. Inside it uses
//! `aws_security_group_rule`, which does not mix with the newer resources on one group, so the rest is written with that too.

use std::fmt::Write as _;

use hcl_edit::expr::{Array, Expression};
use hcl_edit::structure::Block;

use super::hcl::{self, Lines, line};
use super::names::ResourceNames;
use super::options::RuleFormatOptions;
use super::terraform::{Refs, heading};
use crate::documents::{ChangeDocument, ChangeScope, RuleRow, Status, TargetRow};
use crate::net::plural;

pub(super) fn render(change: &ChangeDocument, options: &RuleFormatOptions) -> String {
    let names = ResourceNames::new(change, fits);
    let refs = Refs::new(change, options.ids, names.rules());
    let mut blocks = refs.blocks();
    if !names.pairs.is_empty() {
        blocks.push(module(&names, &refs));
    }
    blocks.extend(
        names
            .others
            .iter()
            .map(|(name, rule)| resource(name, rule, &refs)),
    );
    let what = "mutual rules by the module's 1.0 (Terraform before 1.3), and aws_security_group_rule for the rest";
    let mut comment = heading(what, change);
    let standing = change.written().filter(|rule| rule.status == Status::Keep);
    let standing = standing.count() as u64;
    if change.scope == ChangeScope::Policy && standing > 0 {
        let _ = write!(
            comment,
            "\n{} here stand already. Import those that your state does not hold (`terraform import`): Terraform\n\
             before 1.5 has no import blocks.",
            plural(standing, "rule")
        );
    }
    hcl::file(&comment, blocks)
}

/// What 1.0 can say: both halves new, of one account, and a port. It gives both halves their name as description, so halves that have it
/// are those that the module made.
fn fits(change: &ChangeDocument, egress: &RuleRow, ingress: &RuleRow) -> bool {
    let is_own = |rule: &RuleRow| {
        change.scope == ChangeScope::Policy && egress.name.as_deref() == Some(rule.wording.as_str())
    };
    let fits = |rule: &RuleRow| rule.status == Status::Add || is_own(rule);
    fits(egress)
        && fits(ingress)
        && egress.permission.from_port.is_some()
        && change
            .foreign_owner(&egress.group_id, &ingress.group_id)
            .is_none()
}

fn module(names: &ResourceNames<'_>, refs: &Refs<'_>) -> Block {
    let entries = names.pairs.iter().map(|(key, (egress, ingress))| {
        let port = |port: Option<u16>| port.map_or_else(String::new, |port| port.to_string());
        let mut entry = vec![
            line("source_sg_id", refs.name(&egress.group_id)),
            line("target_sg_id", refs.name(&ingress.group_id)),
            line("destination_port", port(egress.permission.from_port)),
        ];
        if egress.permission.to_port != egress.permission.from_port {
            entry.push(line("to_port", port(egress.permission.to_port)));
        }
        entry.push(line("protocol", egress.permission.protocol.as_str()));
        // One description for both halves.
        entry.push(line("description", key.as_str()));
        hcl::object(3, entry)
    });
    hcl::block(
        "module",
        &["mutual_security_group_rules"],
        vec![
            vec![
                line("source", "skwashd/mutual-security-groups/aws"),
                line("version", ">= 1.0.0, < 2.0.0"),
            ],
            vec![line("rules", hcl::list(2, entries.collect()))],
        ],
    )
}

/// One rule in the older style.
pub(super) fn resource(name: &str, rule: &RuleRow, refs: &Refs<'_>) -> Block {
    let (from, to) = rule.permission.api_ports().unwrap_or((0, 0));
    let one = |value: Expression| {
        let mut list = Array::new();
        list.push(value);
        Expression::Array(list)
    };
    let mut lines: Lines = vec![
        line("type", rule.permission.direction.as_str()),
        line("security_group_id", refs.name(&rule.group_id)),
        line("description", rule.wording.as_str()),
        line("protocol", rule.permission.protocol.as_str()),
        line("from_port", from),
        line("to_port", to),
    ];
    lines.push(match &rule.permission.target {
        TargetRow::CidrIpv4(net) => line("cidr_blocks", one(net.as_str().into())),
        TargetRow::CidrIpv6(net) => line("ipv6_cidr_blocks", one(net.as_str().into())),
        TargetRow::PrefixList(id) => line("prefix_list_ids", one(refs.name(id).into())),
        TargetRow::SecurityGroup(id) => line(
            "source_security_group_id",
            refs.name(&refs.referenced(rule, id)),
        ),
    });
    hcl::block("resource", &["aws_security_group_rule", name], vec![lines])
}
