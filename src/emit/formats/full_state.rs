//! A policy's rules as files: every rule that it wants, under names that its keys make, in as many files as a team wants to own.

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::structure::Block;
use serde_json::{Value, json};

use super::cloudformation::{RESOURCES, policy_stack};
use super::error::RuleFormatError;
use super::exclusive::exclusive;
use super::hcl::{self, ObjectEntry, line};
use super::ids::Ids;
use super::imports::Imports;
use super::names::{ResourceNames, fits_module};
use super::native::{NativeResource, above, native_resources};
use super::options::RuleFormatOptions;
use super::state::TerraformState;
use super::terraform::{POLICY_MARK, Refs, module_block, notes, pair_entry, policy_heading};
use super::terraform_json::declare;
use crate::documents::{ChangeDocument, RuleRow};
use crate::net::{identifier, json};
use crate::platform;

/// What a file is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleFileSplit {
    /// One security group.
    Group,
    /// The groups of a VPC.
    Vpc,
}

/// Choices for a policy's files.
#[derive(Clone, Debug, Default)]
pub struct PolicyFileOptions {
    /// How groups and lists are named.
    pub ids: Ids,
    /// What Terraform holds already; nothing where no state was given.
    pub state: Option<TerraformState>,
    /// Whether each group or VPC has a file of its own.
    pub split: Option<RuleFileSplit>,
    /// Whether locked groups get `aws_vpc_security_group_rules_exclusive`.
    pub exclusive: bool,
}

/// Files by name.
type Files = BTreeMap<String, String>;

/// What writes a change as one text.
type TextWriter = fn(&ChangeDocument, &RuleFormatOptions) -> Result<String, RuleFormatError>;

/// The files of a policy in the format of a name, by name; `write` is how that format is one text.
pub(super) fn policy_files(
    change: &ChangeDocument,
    format: &str,
    write: TextWriter,
    options: &PolicyFileOptions,
) -> Result<Files, RuleFormatError> {
    let mut change = change.clone();
    let has_module = format == "terraform-module";
    if let Some(state) = &options.state {
        change.settle(state, has_module);
    }
    match format {
        "terraform-module" => Ok(PolicyWriter::new(&change, options, true).hcl()),
        "terraform" => Ok(PolicyWriter::new(&change, options, false).hcl()),
        "terraform-json" => Ok(PolicyWriter::new(&change, options, false).json()),
        "cloudformation" | "cloudformation-json" => stacks(&change, format, options),
        _ => of_parts(&change, format, write, options),
    }
}

/// What the file of a group is called, without its ending.
fn stem(change: &ChangeDocument, split: Option<RuleFileSplit>, group: &str) -> String {
    let name = match split {
        None => return "rules".to_owned(),
        Some(RuleFileSplit::Group) => group,
        Some(RuleFileSplit::Vpc) => change.group(group).map_or("", |group| &group.vpc),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let stem = if name.is_empty() {
        "no-vpc".to_owned()
    } else if name.len() <= 100 && name.chars().all(is_plain) {
        name.to_owned()
    } else {
        identifier(name)
    };
    // No id of AWS is such a name.
    if platform::is_reserved(&stem) {
        return format!("no-vpc-{stem}");
    }
    stem
}

/// What the files are called, without their endings; groups that nothing is written for have none.
fn parts(change: &ChangeDocument, split: Option<RuleFileSplit>) -> BTreeSet<String> {
    let of_rules = change.rules.iter().map(|rule| &rule.group_id);
    let gone = change.revocations.iter().map(|gone| &gone.group_id);
    let groups: BTreeSet<&String> = of_rules.chain(gone).collect();
    let stems = groups.into_iter().map(|group| stem(change, split, group));
    let mut parts: BTreeSet<String> = stems.collect();
    if split.is_none() {
        parts.insert(stem(change, split, ""));
    }
    parts
}

/// What is written of groups, by what the file is called, in order.
fn by_part<T>(
    change: &ChangeDocument,
    split: Option<RuleFileSplit>,
    all: impl IntoIterator<Item = T>,
    group: impl Fn(&T) -> &str,
) -> BTreeMap<String, Vec<T>> {
    let mut parts: BTreeMap<String, Vec<T>> = BTreeMap::new();
    for one in all {
        let part = stem(change, split, group(&one));
        parts.entry(part).or_default().push(one);
    }
    parts
}

/// One file of the whole, or of each part, in a format that is one text.
fn of_parts(
    change: &ChangeDocument,
    format: &str,
    write: TextWriter,
    options: &PolicyFileOptions,
) -> Result<Files, RuleFormatError> {
    let written = RuleFormatOptions {
        ids: options.ids,
        ..RuleFormatOptions::default()
    };
    let mut files = Files::new();
    // One document, with the rules of one part after the other.
    let mut part = change.clone();
    let rules = std::mem::take(&mut part.rules);
    let mut rules = by_part(change, options.split, rules, |rule| &rule.group_id);
    let gone = std::mem::take(&mut part.revocations);
    let mut gone = by_part(change, options.split, gone, |gone| &gone.group_id);
    for stem in parts(change, options.split) {
        part.rules = rules.remove(&stem).unwrap_or_default();
        part.revocations = gone.remove(&stem).unwrap_or_default();
        let text = write(&part, &written)?;
        let (name, text) = match (format, options.split) {
            ("aws-cli", None) => ("apply.sh".to_owned(), script(&text)),
            ("aws-cli-rollback", None) => ("rollback.sh".to_owned(), script(&text)),
            ("aws-cli", Some(_)) => (format!("apply-{stem}.sh"), script(&text)),
            ("aws-cli-rollback", Some(_)) => (format!("rollback-{stem}.sh"), script(&text)),
            ("csv", _) => (format!("{stem}.csv"), text),
            ("json", _) => (format!("{stem}.json"), text),
            _ => (format!("{stem}.tf"), text),
        };
        files.insert(name, text);
    }
    Ok(files)
}

/// A script that says in its second line what it comes from.
fn script(text: &str) -> String {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    format!(
        "{first}\n# {POLICY_MARK} the rules that it wants and the account lacks, and what a locked group may not open.\n#\n{rest}"
    )
}

/// Templates: one, or one for each part; a group with more rules than a template takes has several.
fn stacks(
    change: &ChangeDocument,
    format: &str,
    options: &PolicyFileOptions,
) -> Result<Files, RuleFormatError> {
    let names = ResourceNames::alone(change);
    let split = match options.split {
        None if names.others.len() > RESOURCES => Some(RuleFileSplit::Group),
        split => split,
    };
    let mut stacks: BTreeMap<String, Vec<(&str, &RuleRow)>> = BTreeMap::new();
    for (name, rule) in &names.others {
        let stem = match split {
            None => "template".to_owned(),
            Some(_) => format!("template-{}", stem(change, split, &rule.group_id)),
        };
        stacks.entry(stem).or_default().push((name.as_str(), *rule));
    }
    if stacks.is_empty() {
        stacks.insert("template".to_owned(), Vec::new());
    }
    let written = RuleFormatOptions {
        ids: options.ids,
        ..RuleFormatOptions::default()
    };
    let mut files = Files::new();
    for (stem, rules) in &stacks {
        // A VPC may have more than a template takes: then each of its groups has one.
        let mut by_group: BTreeMap<String, Vec<(&str, &RuleRow)>> = BTreeMap::new();
        for &(name, rule) in rules {
            let own = if rules.len() > RESOURCES && split == Some(RuleFileSplit::Vpc) {
                format!("{stem}-{}", rule.group_id)
            } else {
                stem.clone()
            };
            by_group.entry(own).or_default().push((name, rule));
        }
        if rules.is_empty() {
            by_group.insert(stem.clone(), Vec::new());
        }
        for (stem, rules) in by_group {
            for (number, rules) in chunks(&rules).into_iter().enumerate() {
                let end = if number == 0 {
                    String::new()
                } else {
                    format!("-{}", number + 1)
                };
                let template = policy_stack(change, &written, &about_stack(), rules);
                if format == "cloudformation" {
                    let yaml = serde_saphyr::to_string(&template)?;
                    let comment = notes(change).replace('\n', "\n# ");
                    let text = format!("# {POLICY_MARK} a stack of its rules.{comment}\n{yaml}");
                    files.insert(format!("{stem}{end}.yaml"), text);
                } else {
                    files.insert(format!("{stem}{end}.json"), json::pretty(&template));
                }
            }
        }
    }
    Ok(files)
}

fn about_stack() -> String {
    format!(
        "{POLICY_MARK} one resource per rule that it wants, those that stand too. Import a rule that stands and that \
         no stack holds before you deploy. Deploy this before revoking anything."
    )
}

/// As many lists as templates are needed; one if there is nothing.
fn chunks<T>(rules: &[T]) -> Vec<&[T]> {
    if rules.is_empty() {
        vec![rules]
    } else {
        rules.chunks(RESOURCES).collect()
    }
}

/// Writes Terraform's files.
struct PolicyWriter<'a> {
    change: &'a ChangeDocument,
    options: &'a PolicyFileOptions,
    has_module: bool,
    names: ResourceNames<'a>,
    refs: Refs<'a>,
    imports: Imports,
}

impl<'a> PolicyWriter<'a> {
    fn new(change: &'a ChangeDocument, options: &'a PolicyFileOptions, has_module: bool) -> Self {
        let names = if has_module {
            ResourceNames::new(change, fits_module)
        } else {
            ResourceNames::alone(change)
        };
        let nothing = TerraformState::default();
        let state = options.state.as_ref().unwrap_or(&nothing);
        Self {
            change,
            options,
            has_module,
            refs: Refs::new(change, options.ids, names.rules()),
            imports: Imports::new(&names, state, has_module),
            names,
        }
    }

    /// What the file with the imports says on top.
    fn about_imports(&self) -> String {
        policy_heading("rules that stand and that Terraform is to adopt")
            + &self
                .imports
                .comment(self.change, self.options.state.is_some())
            + &notes(self.change)
    }

    fn hcl(&self) -> Files {
        let mut files = Files::new();
        let mut put = |name: String, comment: &str, blocks: Vec<Block>| {
            files.insert(name, hcl::file(comment, blocks));
        };
        let natives = native_resources(&self.names);
        if self.options.split.is_some() {
            self.split(&natives, &mut put);
        } else {
            let blocks = natives.iter().map(|native| native.block(&self.refs));
            let name = if self.has_module { "other" } else { "rules" };
            let comment = policy_heading("one resource per entry and port") + &notes(self.change);
            put(format!("{name}.tf"), &comment, blocks.collect());
            if self.has_module {
                let entries = self.names.pairs.iter();
                let entries: Vec<ObjectEntry> = entries.map(|pair| self.entry(pair)).collect();
                let module =
                    (!entries.is_empty()).then(|| module_block(hcl::entries_of(2, entries)));
                put(
                    "mutual.tf".to_owned(),
                    &about_module(),
                    module.into_iter().collect(),
                );
            }
        }
        let declared = self.refs.blocks();
        if !declared.is_empty() {
            let comment = policy_heading("what the rules refer to");
            put("names.tf".to_owned(), &comment, declared);
        }
        // In another account nothing stands yet.
        if self.options.ids == Ids::Literal {
            let blocks = self.imports.blocks();
            put("imports.tf".to_owned(), &self.about_imports(), blocks);
        }
        if self.options.exclusive {
            let (comment, blocks) = exclusive(self.change);
            put("exclusive.tf".to_owned(), &comment, blocks);
        }
        files
    }

    /// A file for each part. The module is one block, whose map is made of a local value of each part.
    fn split(
        &self,
        natives: &[NativeResource<'a>],
        put: &mut impl FnMut(String, &str, Vec<Block>),
    ) {
        let (change, split) = (self.change, self.options.split);
        let mut pairs = by_part(change, split, &self.names.pairs, |(_, (egress, _))| {
            &egress.group_id
        });
        let mut natives = by_part(change, split, natives, |native| native.group());
        let mut locals = Vec::new();
        for part in parts(change, split) {
            let mut blocks = Vec::new();
            let pairs = pairs.remove(&part).unwrap_or_default();
            let entries: Vec<ObjectEntry> =
                pairs.into_iter().map(|pair| self.entry(pair)).collect();
            if self.has_module && !entries.is_empty() {
                let local = format!("mutual_rules_{}", identifier(&part).replace('-', "_"));
                let rules = line(&local, hcl::entries_of(2, entries));
                blocks.push(hcl::block("locals", &[], vec![vec![rules]]));
                locals.push(format!("    local.{local},\n"));
            }
            let own = natives.remove(&part).unwrap_or_default();
            blocks.extend(own.into_iter().map(|native| native.block(&self.refs)));
            let comment = policy_heading(&format!("the rules of {part}"));
            put(format!("{part}.tf"), &comment, blocks);
        }
        if self.has_module {
            let module = (!locals.is_empty()).then(|| {
                let merged = format!("merge(\n{}  )", locals.concat());
                module_block(hcl::reference(&merged))
            });
            put(
                "mutual.tf".to_owned(),
                &about_module(),
                module.into_iter().collect(),
            );
        }
    }

    /// The module's entry for a pair.
    fn entry(
        &self,
        (key, (egress, ingress)): (&String, &(&'a RuleRow, &'a RuleRow)),
    ) -> ObjectEntry {
        ObjectEntry {
            comment: above(&[*egress, *ingress]),
            key: key.clone(),
            value: pair_entry(egress, ingress, &self.refs),
        }
    }

    fn json(&self) -> Files {
        let mut files = Files::new();
        let natives = native_resources(&self.names);
        let (change, split) = (self.change, self.options.split);
        let mut natives = by_part(change, split, &natives, |native| native.group());
        for part in parts(change, split) {
            let mut comment = policy_heading(&format!("the rules of {part}"));
            if self.options.split.is_none() {
                comment = policy_heading("one resource per entry and port") + &notes(self.change);
            }
            let mut document = json!({"//": comment.lines().collect::<Vec<_>>()});
            for native in natives.remove(&part).unwrap_or_default() {
                document["resource"][&native.kind][native.name] = native.json(&self.refs);
            }
            files.insert(format!("{part}.tf.json"), json::pretty(&document));
        }
        let comment = policy_heading("what the rules refer to");
        let mut declared = json!({"//": comment.lines().collect::<Vec<_>>()});
        declare(&mut declared, &self.refs);
        if declared.as_object().is_some_and(|keys| keys.len() > 1) {
            files.insert("names.tf.json".to_owned(), json::pretty(&declared));
        }
        if self.options.ids == Ids::Literal {
            let document: Value = self.imports.json(&self.about_imports());
            files.insert("imports.tf.json".to_owned(), json::pretty(&document));
        }
        if self.options.exclusive {
            let (comment, blocks) = exclusive(self.change);
            files.insert("exclusive.tf".to_owned(), hcl::file(&comment, blocks));
        }
        files
    }
}

fn about_module() -> String {
    policy_heading("mutual rules")
        + "\nEach entry is an egress rule on the source group and an ingress rule on the target group. Rules with tags\n\
           of their own, or without a description, are resources of their own: the module has no place for these."
}
