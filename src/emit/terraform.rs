//! `rules/mutual.tf` and `rules/other.tf`: the rules to add, as Terraform.
//!
//! A mutual pair goes into one entry of the module
//! `skwashd/mutual-security-groups/aws` 2.x; a half of it that stands already is
//! imported, so that Terraform adopts it instead of making it twice. What the
//! module cannot say (addresses, prefix lists, protocols without ports, other
//! accounts, halves without a known id) becomes a native resource.

use std::collections::BTreeMap;

use hcl_edit::structure::Block;

use super::hcl::{self, Lines, line};
use crate::audit::Audit;
use crate::inventory::{Direction, GroupIx, RulePorts, RuleProtocol, Target};
use crate::net::{HashMap, HashSet, identifier, visible};
use crate::suggest::{Status, SuggestedRule};

const MODULE: &str = "mutual_security_group_rules";

/// Which rules go where, and what they are called.
pub(super) struct Names<'a> {
    /// Key of the module's map → egress and ingress rule.
    pairs: BTreeMap<String, (&'a SuggestedRule, &'a SuggestedRule)>,
    /// Resource name → rule.
    others: BTreeMap<String, &'a SuggestedRule>,
}

impl<'a> Names<'a> {
    pub(super) fn new(audit: &'a Audit) -> Self {
        let rules = &audit.rules.rules;
        let by_id: HashMap<&str, &SuggestedRule> =
            rules.iter().map(|r| (r.id.as_str(), r)).collect();
        let mut in_module: HashSet<&str> = HashSet::default();
        let mut pairs = Vec::new();
        for egress in rules
            .iter()
            .filter(|r| r.rule.direction == Direction::Egress)
        {
            let Some(ingress) = egress.pair.as_deref().and_then(|id| by_id.get(id)) else {
                continue;
            };
            let new = egress.status == Status::Add || ingress.status == Status::Add;
            if new && fits_module(audit, egress, ingress) {
                in_module.extend([egress.id.as_str(), ingress.id.as_str()]);
                pairs.push((name(audit, egress, "-"), (egress, *ingress)));
            }
        }
        let others = rules
            .iter()
            .filter(|r| r.status == Status::Add && !in_module.contains(r.id.as_str()))
            .map(|rule| (name(audit, rule, "_").replace('-', "_"), rule));
        Self {
            pairs: unique(pairs, |(egress, _)| &egress.id),
            others: unique(others.collect(), |rule| &rule.id),
        }
    }
}

/// What the module can say: two groups of one account, a protocol with ports or
/// ICMP, and an id for whatever stands already.
fn fits_module(audit: &Audit, egress: &SuggestedRule, ingress: &SuggestedRule) -> bool {
    let owner = |group: GroupIx| audit.inventory.group(group).owner.as_str();
    let importable =
        |rule: &SuggestedRule| rule.status == Status::Add || rule.rule.rule_id.is_some();
    owner(egress.group) == owner(ingress.group)
        && importable(egress)
        && importable(ingress)
        && !matches!(egress.rule.ports, RulePorts::Any)
}

/// `web-to-db-tcp-3306`, made of identifiers only.
fn name(audit: &Audit, rule: &SuggestedRule, separator: &str) -> String {
    let own = identifier(&audit.inventory.group(rule.group).name);
    let (word, other) = match (&rule.rule.direction, &rule.rule.target) {
        (Direction::Egress, target) => ("to", target_name(audit, target)),
        (Direction::Ingress, target) => ("from", target_name(audit, target)),
    };
    let mut parts = vec![own, word.to_owned(), other, rule.rule.protocol.to_string()];
    if let Some((from, to)) = rule.rule.port_pair() {
        parts.push(from.to_string());
        if to != from {
            parts.push(to.to_string());
        }
    }
    parts.join(separator)
}

fn target_name(audit: &Audit, target: &Target) -> String {
    match target {
        Target::Group(id) => {
            let group = audit
                .inventory
                .group_by_id(id)
                .map(|ix| audit.inventory.group(ix).name.as_str());
            identifier(group.unwrap_or(id))
        }
        Target::PrefixList(id) => {
            let list = audit
                .inventory
                .prefix_list(id)
                .map(|list| list.name.as_str());
            identifier(list.unwrap_or(id).trim_start_matches("com.amazonaws."))
        }
        Target::Cidr(net) => identifier(&format!("net-{net}")).replace('.', "-"),
    }
}

/// Keeps names apart: those that clash all get the end of their rule's id, so
/// that none depends on the order of the others.
fn unique<T>(named: Vec<(String, T)>, id: impl Fn(&T) -> &String) -> BTreeMap<String, T> {
    let mut counts: HashMap<String, u32> = HashMap::default();
    for (name, _) in &named {
        *counts.entry(name.clone()).or_default() += 1;
    }
    named
        .into_iter()
        .map(|(name, value)| {
            let name = if counts[&name] > 1 {
                let id = id(&value);
                let separator = if name.contains('-') { "-" } else { "_" };
                format!("{name}{separator}{}", &id[id.len() - 8..])
            } else {
                name
            };
            (name, value)
        })
        .collect()
}

/// `rules/mutual.tf`.
pub(super) fn mutual(audit: &Audit, names: &Names<'_>) -> String {
    if names.pairs.is_empty() {
        return hcl::file("closegate: no mutual pair has to be added.", Vec::new());
    }
    let entries = names.pairs.iter().map(|(key, (egress, ingress))| {
        let (from, to) = module_ports(egress);
        let entry = vec![
            line("source_sg_id", group_id(audit, egress)),
            line("target_sg_id", group_id(audit, ingress)),
            line("from_port", from),
            line("to_port", to),
            line("protocol", egress.rule.protocol.to_string()),
            // The module puts description_source on the ingress rule and
            // description_target on the egress rule.
            line("description_source", ingress.wording.as_str()),
            line("description_target", egress.wording.as_str()),
        ];
        (key.clone(), hcl::object(3, entry))
    });
    let module = hcl::block(
        "module",
        &[MODULE],
        vec![
            vec![
                line("source", "skwashd/mutual-security-groups/aws"),
                line("version", ">= 2.0.0, < 3.0.0"),
            ],
            vec![line("rules", hcl::object(2, entries.collect()))],
        ],
    );
    let mut blocks = vec![module];
    for (key, (egress, ingress)) in &names.pairs {
        for rule in [egress, ingress] {
            blocks.extend(import(key, rule));
        }
    }
    let comment = "closegate: mutual rules. Each entry is an egress rule on the source group and\n\
                   an ingress rule on the target group; import blocks adopt halves that stand already.\n\
                   Apply this before revoking anything.";
    hcl::file(comment, blocks)
}

fn import(key: &str, rule: &SuggestedRule) -> Option<Block> {
    let id = rule
        .rule
        .rule_id
        .as_deref()
        .filter(|_| rule.status == Status::Keep)?;
    let direction = rule.rule.direction.as_str();
    let to = format!("module.{MODULE}.aws_vpc_security_group_{direction}_rule.this[\"{key}\"]");
    Some(hcl::block(
        "import",
        &[],
        vec![vec![line("to", hcl::reference(&to)), line("id", id)]],
    ))
}

fn module_ports(rule: &SuggestedRule) -> (i64, i64) {
    // ICMP: every type and code, since flow logs record neither.
    rule.rule
        .port_pair()
        .map_or((-1, -1), |(from, to)| (from.into(), to.into()))
}

fn group_id<'a>(audit: &'a Audit, rule: &SuggestedRule) -> &'a str {
    &audit.inventory.group(rule.group).id
}

/// `rules/other.tf`.
pub(super) fn other(audit: &Audit, names: &Names<'_>) -> String {
    if names.others.is_empty() {
        return hcl::file(
            "closegate: no rule besides the mutual pairs has to be added.",
            Vec::new(),
        );
    }
    let blocks = names.others.iter().map(|(name, rule)| {
        let kind = format!(
            "aws_vpc_security_group_{}_rule",
            rule.rule.direction.as_str()
        );
        hcl::block("resource", &[&kind, name], vec![resource(audit, rule)])
    });
    let comment = "closegate: rules that the mutual-security-groups module cannot express.\n\
                   Apply this before revoking anything.";
    hcl::file(comment, blocks.collect())
}

fn resource(audit: &Audit, suggested: &SuggestedRule) -> Lines {
    let rule = &suggested.rule;
    let mut lines = vec![
        line("security_group_id", group_id(audit, suggested)),
        line("description", suggested.wording.as_str()),
        line("ip_protocol", rule.protocol.to_string()),
    ];
    match (rule.protocol, rule.ports) {
        (RuleProtocol::One(_), RulePorts::Ports(range)) => {
            lines.push(line("from_port", i64::from(range.from())));
            lines.push(line("to_port", i64::from(range.to())));
        }
        (RuleProtocol::One(_), RulePorts::Icmp { .. }) => {
            lines.push(line("from_port", -1));
            lines.push(line("to_port", -1));
        }
        (RuleProtocol::All, _) | (_, RulePorts::Any) => {}
    }
    lines.push(match &rule.target {
        Target::Cidr(net) if net.addr().is_ipv4() => line("cidr_ipv4", net.to_string()),
        Target::Cidr(net) => line("cidr_ipv6", net.to_string()),
        Target::PrefixList(id) => line("prefix_list_id", id.as_str()),
        Target::Group(id) => line(
            "referenced_security_group_id",
            referenced(audit, suggested.group, id),
        ),
    });
    lines
}

/// `sg-…`, with the account in front where it is another one.
fn referenced(audit: &Audit, from: GroupIx, id: &str) -> String {
    let own = &audit.inventory.group(from).owner;
    match audit
        .inventory
        .group_by_id(id)
        .map(|ix| &audit.inventory.group(ix).owner)
    {
        Some(owner) if owner != own && !owner.is_empty() => format!("{}/{id}", visible(owner, 12)),
        _ => id.to_owned(),
    }
}
