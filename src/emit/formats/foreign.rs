//! Rules for the owner of another account, in Terraform.

use std::collections::BTreeSet;

use hcl_edit::structure::Block;

use super::hcl::{self, line};
use super::names::unique;
use crate::documents::{ForAccountDocument, ForAccountRow, TargetRow};
use crate::net::{identifier, plural, visible};

/// `rules/for-account-….tf`.
pub(in crate::emit) fn foreign_rules(document: &ForAccountDocument) -> String {
    let named = document.rules.iter().map(|row| {
        let target = match &row.permission.target {
            TargetRow::SecurityGroup(id) => id,
            _ => "",
        };
        let name = [
            row.whose(),
            if row.is_egress() { "to" } else { "from" },
            target,
            &row.permission.protocol,
            &row.permission
                .from_port
                .map(|port| port.to_string())
                .unwrap_or_default(),
        ]
        .join("_");
        (identifier(&name), row)
    });
    let named = unique(named.collect(), |row| row.whose());
    let addresses: BTreeSet<&str> = document
        .rules
        .iter()
        .filter_map(|row| row.address.as_deref())
        .collect();
    let mut blocks: Vec<Block> = addresses.into_iter().map(variable).collect();
    blocks.extend(named.iter().map(|(name, row)| resource(name, row)));
    let comment = format!(
        "closegate: rules that account {} has to have for connections that were accepted.\n\
         Its groups are not in the inventory: some of these rules may be there already.",
        visible(&document.account, 64)
    );
    hcl::file(&comment, blocks)
}

/// The group of an interface of which only the address is known.
fn variable(address: &str) -> Block {
    let text = format!("security group of the interface with the address {address}");
    let lines = vec![
        line("type", hcl::reference("string")),
        line("description", text),
    ];
    hcl::block("variable", &[&group_at(address)], vec![lines])
}

fn group_at(address: &str) -> String {
    format!("group_at_{}", identifier(address))
}

fn resource(name: &str, row: &ForAccountRow) -> Block {
    let group = match (&row.group_id, &row.address) {
        (Some(id), _) => id.as_str().into(),
        (None, address) => {
            let variable = group_at(address.as_deref().unwrap_or_default());
            hcl::reference(&format!("var.{variable}"))
        }
    };
    let target = match &row.permission.target {
        TargetRow::SecurityGroup(id) if row.target_account.is_empty() => id.clone(),
        TargetRow::SecurityGroup(id) => format!("{}/{id}", visible(&row.target_account, 12)),
        TargetRow::CidrIpv4(text) | TargetRow::CidrIpv6(text) | TargetRow::PrefixList(text) => {
            text.clone()
        }
    };
    let mut lines = vec![
        line("security_group_id", group),
        line(
            "description",
            format!("closegate: {}", plural(row.connections, "connection")),
        ),
        line("ip_protocol", row.permission.protocol.as_str()),
    ];
    if let Some((from, to)) = row.permission.api_ports() {
        lines.push(line("from_port", from));
        lines.push(line("to_port", to));
    }
    lines.push(line("referenced_security_group_id", target));
    let kind = format!(
        "aws_vpc_security_group_{}_rule",
        row.permission.direction.as_str()
    );
    hcl::block("resource", &[&kind, name], vec![lines])
}
