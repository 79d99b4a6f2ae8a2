//! Terraform: `rules/mutual.tf`, `rules/other.tf`, and the same in one file.
//!
//! A mutual pair goes into one entry of the module
//! `skwashd/mutual-security-groups/aws` 2.x; a half of it that stands already is
//! imported, so that Terraform adopts it instead of making it twice. What the
//! module cannot say (addresses, prefix lists, protocols without ports, other
//! accounts, halves without a known id) becomes a native resource.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;

use super::hcl::{self, Lines, line};
use super::ids::Ids;
use super::names::{ResourceNames, fits_module, unique};
use super::options::RuleFormatOptions;
use crate::documents::{ChangeDocument, ChangeScope, RuleRow, Status, TargetRow};
use crate::net::{identifier, plural, visible};

/// What the first line of a policy's file begins with, behind the sign of a comment.
pub(in crate::emit) const POLICY_MARK: &str = "closegate, from a policy:";

/// What the block of the module is called.
pub(super) const MODULE: &str = "mutual_security_group_rules";

/// What the files of a run say of themselves.
pub(super) const ONCE: &str = "These are additions to the rules of the inventory, to be used once: the next run does not have them.\n\
                               `closegate policy` keeps a list of rules that stays right.";

/// How a file names what it refers to.
pub(super) enum Name {
    /// By a text.
    Literal(String),
    /// By a path such as `var.sg_web`.
    Path(String),
}

impl From<Name> for Expression {
    fn from(name: Name) -> Self {
        match name {
            Name::Literal(text) => text.into(),
            Name::Path(path) => hcl::reference(&path),
        }
    }
}

/// A variable or data source that a file needs.
pub(super) struct Declared {
    /// `variable`, or a data source's type.
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// The group's or list's name, for a data source; what to give, for a variable.
    pub(super) text: String,
    /// For groups by data source: the variable with their network.
    pub(super) vpc: Option<String>,
}

/// Groups and lists by what the file calls them.
pub(super) struct Refs<'a> {
    change: &'a ChangeDocument,
    ids: Ids,
    /// What is referred to, as it is written literally → its identifier.
    names: BTreeMap<String, String>,
}

impl<'a> Refs<'a> {
    pub(super) fn new<'r>(
        change: &'a ChangeDocument,
        ids: Ids,
        rules: impl Iterator<Item = &'r RuleRow>,
    ) -> Self {
        let mut used = BTreeSet::new();
        for rule in rules {
            used.insert(rule.group_id.clone());
            match &rule.permission.target {
                TargetRow::SecurityGroup(id) => used.insert(referenced(change, &rule.group_id, id)),
                TargetRow::PrefixList(id) => used.insert(id.clone()),
                TargetRow::CidrIpv4(_) | TargetRow::CidrIpv6(_) => false,
            };
        }
        let named = used.into_iter().map(|id| {
            let bare = id.rsplit('/').next().unwrap_or(&id);
            let name = if bare.starts_with("pl-") {
                format!(
                    "pl_{}",
                    identifier(change.list_name(bare).trim_start_matches("com.amazonaws."))
                )
            } else {
                format!("sg_{}", identifier(change.group_name(bare)))
            };
            (name.replace('-', "_"), id)
        });
        let named = unique(named.collect(), |id: &String| id.as_str());
        Self {
            change,
            ids,
            names: named.into_iter().map(|(name, id)| (id, name)).collect(),
        }
    }

    /// A group of the change's own account, or a prefix list; `444455556666/sg-…` for another account's group.
    pub(super) fn name(&self, id: &str) -> Name {
        let (Some(name), false) = (self.names.get(id), self.ids == Ids::Literal) else {
            return Name::Literal(id.to_owned());
        };
        Name::Path(match self.data(id) {
            Some(kind) => format!("data.{kind}.{name}.id"),
            None => format!("var.{name}"),
        })
    }

    /// What a rule says of a group that it names, for [`Self::name`].
    pub(super) fn referenced(&self, rule: &RuleRow, id: &str) -> String {
        referenced(self.change, &rule.group_id, id)
    }

    /// The data source that finds it; none finds another account's group.
    fn data(&self, id: &str) -> Option<&'static str> {
        let found = self.ids == Ids::Data && !id.contains('/');
        found.then(|| {
            if id.starts_with("pl-") {
                "aws_ec2_managed_prefix_list"
            } else {
                "aws_security_group"
            }
        })
    }

    /// What the file has to declare.
    pub(super) fn declared(&self) -> Vec<Declared> {
        if self.ids == Ids::Literal {
            return Vec::new();
        }
        let mut all = Vec::new();
        let networks = self.networks();
        for (id, name) in &self.names {
            let list = id.starts_with("pl-");
            let known = if list {
                self.change.list_name(id)
            } else {
                self.change.group_name(id.rsplit('/').next().unwrap_or(id))
            };
            all.push(match self.data(id) {
                Some(kind) => {
                    let vpc = self.change.group(id).map(|group| group.vpc.as_str());
                    Declared {
                        kind,
                        name: name.clone(),
                        text: known.to_owned(),
                        vpc: vpc.and_then(|vpc| networks.get(vpc)).cloned(),
                    }
                }
                None => Declared {
                    kind: "variable",
                    name: name.clone(),
                    text: format!("{}; {id} where the logs were taken", visible(known, 80)),
                    vpc: None,
                },
            });
        }
        all.extend(networks.into_iter().map(|(vpc, name)| Declared {
            kind: "variable",
            name,
            text: format!(
                "the network; {} where the logs were taken",
                visible(vpc, 80)
            ),
            vpc: None,
        }));
        all.sort_by(|a, b| {
            (a.kind != "variable", a.kind, &a.name).cmp(&(b.kind != "variable", b.kind, &b.name))
        });
        all
    }

    /// The networks of groups that data sources find → the name of the variable, `vpc_0a1b…`.
    fn networks(&self) -> BTreeMap<&str, String> {
        let ids = self.names.keys().filter(|id| self.data(id).is_some());
        let groups = ids.filter_map(|id| self.change.group(id));
        let vpcs: BTreeSet<&str> = groups.map(|group| group.vpc.as_str()).collect();
        let named = vpcs
            .into_iter()
            .map(|vpc| (identifier(vpc).replace('-', "_"), vpc));
        let named = unique(named.collect(), |vpc: &&str| vpc);
        named.into_iter().map(|(name, vpc)| (vpc, name)).collect()
    }

    /// The same as blocks.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let block = |declared: Declared| {
            let Declared {
                kind,
                name,
                text,
                vpc,
            } = declared;
            if kind == "variable" {
                let lines = vec![
                    line("type", hcl::reference("string")),
                    line("description", text),
                ];
                return hcl::block("variable", &[&name], vec![lines]);
            }
            let mut lines = vec![line("name", text)];
            lines.extend(vpc.map(|vpc| line("vpc_id", hcl::reference(&format!("var.{vpc}")))));
            hcl::block("data", &[kind, &name], vec![lines])
        };
        self.declared().into_iter().map(block).collect()
    }
}

/// `sg-…`, with the account in front where it is another one.
fn referenced(change: &ChangeDocument, from: &str, id: &str) -> String {
    change.foreign_owner(from, id).map_or_else(
        || id.to_owned(),
        |owner| format!("{}/{id}", visible(owner, 12)),
    )
}

/// `rules/mutual.tf`.
pub(in crate::emit) fn mutual(change: &ChangeDocument) -> String {
    let names = ResourceNames::new(change, fits_module);
    if names.pairs.is_empty() {
        return hcl::file("closegate: no mutual pair has to be added.", Vec::new());
    }
    let refs = Refs::new(change, Ids::Literal, std::iter::empty());
    let comment = "closegate: mutual rules. Each entry is an egress rule on the source group and\n\
                   an ingress rule on the target group; import blocks adopt halves that stand already.\n\
                   Apply this before revoking anything.";
    hcl::file(
        &format!("{comment}\n{ONCE}{}", lost_tags(&names)),
        pairs(&names, &refs),
    )
}

/// `rules/other.tf`.
pub(in crate::emit) fn other(change: &ChangeDocument) -> String {
    let names = ResourceNames::new(change, fits_module);
    if names.others.is_empty() {
        return hcl::file(
            "closegate: no rule besides the mutual pairs has to be added.",
            Vec::new(),
        );
    }
    let refs = Refs::new(change, Ids::Literal, std::iter::empty());
    let comment = "closegate: rules that the mutual-security-groups module cannot express.\n\
                   Apply this before revoking anything.";
    hcl::file(&format!("{comment}\n{ONCE}"), resources(&names, &refs))
}

/// Both in one file.
pub(super) fn module(change: &ChangeDocument, options: &RuleFormatOptions) -> String {
    let names = ResourceNames::new(change, fits_module);
    let refs = Refs::new(change, options.ids, names.rules());
    let mut blocks = refs.blocks();
    if !names.pairs.is_empty() {
        blocks.extend(pairs(&names, &refs));
    }
    blocks.extend(resources(&names, &refs));
    let mut comment = heading(
        "mutual rules by the module, and native resources for the rest",
        change,
    );
    if options.ids == Ids::Literal {
        comment += &lost_tags(&names);
    }
    hcl::file(&comment, blocks)
}

/// Which adopted rules lose their tags, as more lines of a comment.
fn lost_tags(names: &ResourceNames<'_>) -> String {
    let losing = names.losing_tags();
    if losing.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\nTerraform removes the tags of {} that it adopts here: the module has one `tags` map for all\n\
         of its rules. To keep them, use apply.sh instead, which does not touch rules that stand already:",
        plural(losing.len() as u64, "rule")
    );
    for rule in losing {
        let _ = write!(text, "\n  {}", tags_of(rule));
    }
    text
}

/// A rule and the keys of its tags: `sgr-0123 (egress tcp/443 to sg-0123): Name, owner`.
pub(super) fn tags_of(rule: &RuleRow) -> String {
    let keys: Vec<String> = rule.tag_keys.iter().map(|key| visible(key, 128)).collect();
    let id = rule.security_group_rule_id.as_deref().unwrap_or_default();
    format!(
        "{} ({}): {}",
        visible(id, 40),
        rule.permission,
        keys.join(", ")
    )
}

/// Native resources only.
pub(super) fn natives(change: &ChangeDocument, ids: Ids) -> String {
    let names = ResourceNames::alone(change);
    let refs = Refs::new(change, ids, names.rules());
    let mut blocks = refs.blocks();
    blocks.extend(resources(&names, &refs));
    hcl::file(&heading("one resource per rule", change), blocks)
}

/// What a file begins with.
pub(super) fn heading(what: &str, change: &ChangeDocument) -> String {
    if change.scope == ChangeScope::Policy {
        return policy_heading(what) + &notes(change);
    }
    let elsewhere = change
        .groups
        .iter()
        .filter(|group| group.kept_by.is_some())
        .count();
    let mut heading = format!("closegate: {what}. Apply this before revoking anything.\n{ONCE}");
    if elsewhere > 0 {
        let _ = write!(
            heading,
            "\nLeft out: {} maintained elsewhere; rules/plan.md says what to do about them.",
            plural(elsewhere as u64, "group")
        );
    }
    heading
}

/// What every file of a policy begins with: it tells closegate that the file is its own.
pub(super) fn policy_heading(what: &str) -> String {
    format!(
        "{POLICY_MARK} {what}.\nEvery rule that the policy wants of the groups that it covers, whether it stands or not. Edit the policy,\n\
         then write the files again; changes in here are lost."
    )
}

/// What the files of a policy leave out, as more lines of a comment.
pub(super) fn notes(change: &ChangeDocument) -> String {
    let mut text = String::new();
    for group in &change.groups {
        let Some(what) = &group.kept_by else { continue };
        if change.rules.iter().any(|rule| rule.group_id == group.id) {
            let line = format!("Left out: {} ({}), {what}", group.name, group.id);
            let _ = write!(text, "\n{}", visible(&line, 600));
        }
    }
    for row in &change.not_written {
        let line = format!(
            "Not written: {} of {}, for {}",
            row.key, row.group_id, row.why
        );
        let _ = write!(text, "\n{}", visible(&line, 600));
    }
    text
}

/// The block of the module, with its map of rules.
pub(super) fn module_block(rules: Expression) -> Block {
    hcl::block(
        "module",
        &[MODULE],
        vec![
            vec![
                line("source", "skwashd/mutual-security-groups/aws"),
                line("version", ">= 2.0.0, < 3.0.0"),
            ],
            vec![line("rules", rules)],
        ],
    )
}

/// A pair as the module has it.
pub(super) fn pair_entry(egress: &RuleRow, ingress: &RuleRow, refs: &Refs<'_>) -> Expression {
    // ICMP: every type and code, since flow logs record neither.
    let (from, to) = egress.permission.api_ports().unwrap_or((-1, -1));
    let entry = vec![
        line("source_sg_id", refs.name(&egress.group_id)),
        line("target_sg_id", refs.name(&ingress.group_id)),
        line("from_port", from),
        line("to_port", to),
        line("protocol", egress.permission.protocol.as_str()),
        // The module puts description_source on the ingress rule and
        // description_target on the egress rule.
        line("description_source", ingress.wording.as_str()),
        line("description_target", egress.wording.as_str()),
    ];
    hcl::object(3, entry)
}

/// The module's block, and imports of halves that stand.
fn pairs(names: &ResourceNames<'_>, refs: &Refs<'_>) -> Vec<Block> {
    let entries = names.pairs.iter().map(|(key, (egress, ingress))| {
        let entry = pair_entry(egress, ingress, refs);
        (key.clone(), entry)
    });
    let mut blocks = vec![module_block(hcl::object(2, entries.collect()))];
    // In another account nothing stands yet.
    if refs.ids == Ids::Literal {
        for (key, (egress, ingress)) in &names.pairs {
            blocks.extend(
                [egress, ingress]
                    .into_iter()
                    .filter_map(|rule| import(key, rule)),
            );
        }
    }
    blocks
}

fn import(key: &str, rule: &RuleRow) -> Option<Block> {
    let id = rule.security_group_rule_id.as_deref();
    let id = id.filter(|_| rule.status == Status::Keep)?;
    let direction = rule.permission.direction.as_str();
    let to = format!("module.{MODULE}.aws_vpc_security_group_{direction}_rule.this[\"{key}\"]");
    let lines = vec![line("to", hcl::reference(&to)), line("id", id)];
    Some(hcl::block("import", &[], vec![lines]))
}

fn resources(names: &ResourceNames<'_>, refs: &Refs<'_>) -> Vec<Block> {
    let others = names.others.iter();
    others
        .map(|(name, rule)| resource(name, rule, refs))
        .collect()
}

/// One native resource.
pub(super) fn resource(name: &str, rule: &RuleRow, refs: &Refs<'_>) -> Block {
    let kind = kind(rule);
    let values = values(rule, refs).into_iter();
    let lines: Lines = values
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect();
    hcl::block("resource", &[&kind, name], vec![lines])
}

pub(super) fn kind(rule: &RuleRow) -> String {
    format!(
        "aws_vpc_security_group_{}_rule",
        rule.permission.direction.as_str()
    )
}

/// A value of a resource.
pub(super) enum Argument {
    Name(Name),
    Number(i64),
}

impl From<Argument> for Expression {
    fn from(value: Argument) -> Self {
        match value {
            Argument::Name(name) => name.into(),
            Argument::Number(number) => number.into(),
        }
    }
}

/// The arguments of a native resource.
pub(super) fn values(rule: &RuleRow, refs: &Refs<'_>) -> Vec<(&'static str, Argument)> {
    let text = |text: &str| Argument::Name(Name::Literal(text.to_owned()));
    let mut values = vec![
        (
            "security_group_id",
            Argument::Name(refs.name(&rule.group_id)),
        ),
        ("description", text(&rule.wording)),
        ("ip_protocol", text(&rule.permission.protocol)),
    ];
    // A rule that stands without a description keeps none.
    if rule.wording.is_empty() && rule.name.is_some() {
        values.remove(1);
    }
    if let Some((from, to)) = rule.permission.api_ports() {
        values.extend([
            ("from_port", Argument::Number(from)),
            ("to_port", Argument::Number(to)),
        ]);
    }
    values.push(match &rule.permission.target {
        TargetRow::CidrIpv4(net) => ("cidr_ipv4", text(net)),
        TargetRow::CidrIpv6(net) => ("cidr_ipv6", text(net)),
        TargetRow::PrefixList(id) => ("prefix_list_id", Argument::Name(refs.name(id))),
        TargetRow::SecurityGroup(id) => {
            let id = refs.referenced(rule, id);
            (
                "referenced_security_group_id",
                Argument::Name(refs.name(&id)),
            )
        }
    });
    values
}
