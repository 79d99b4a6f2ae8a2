//! What Terraform's states hold of the rules that a policy wants: which are managed elsewhere, and under which name of ours others are.

use std::collections::BTreeSet;

use super::state::TerraformState;
use super::terraform::{MODULE, kind};
use crate::documents::{ChangeDocument, Direction, RuleRow, TargetRow};
use crate::net::HashMap;

/// Where a state holds a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder<'a> {
    /// Nowhere, as far as is known.
    Nobody,
    /// In our module, under a key of its map.
    Module(&'a str),
    /// In a resource of ours, by its name.
    Native(&'a str),
    /// Somewhere else: an address.
    Other(&'a str),
}

/// Who holds a rule, by its id in AWS.
pub(super) fn holder<'a>(state: &'a TerraformState, rule: &RuleRow) -> Holder<'a> {
    let Some(held) = held_at(state, rule) else {
        return Holder::Nobody;
    };
    let kind = kind(rule);
    let in_module = format!("module.{MODULE}.{kind}.this[\"");
    if let Some(key) = held.strip_prefix(&in_module)
        && let Some(key) = key.strip_suffix("\"]")
        && is_name(key)
    {
        return Holder::Module(key);
    }
    let own = held.strip_prefix(&format!("{kind}."));
    let own = own.map(|own| own.split_at(own.find('[').unwrap_or(own.len())));
    match own {
        Some((name, index)) if is_ours(name, rule) && is_index(index) => Holder::Native(name),
        _ => Holder::Other(held),
    }
}

/// Whether what follows a resource's name is nothing, or a prefix that names one of its instances.
fn is_index(text: &str) -> bool {
    let inside = text.strip_prefix("[\"");
    let inside = inside.and_then(|text| text.strip_suffix("\"]"));
    text.is_empty()
        || inside.is_some_and(|net| {
            let mut signs = net.chars();
            signs.all(|c| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '/'))
        })
}

/// Whether a name is one that a rule may have had: its name now, the key of an entry that wants it, or that with an ending.
fn is_ours(name: &str, rule: &RuleRow) -> bool {
    let of_key = |key: &str| {
        let ending = name.strip_prefix(key);
        ending.is_some_and(|ending| ending.is_empty() || ending.starts_with('_'))
    };
    is_name(name)
        && (rule.name.as_deref() == Some(name) || rule.wanted_by.iter().any(|by| of_key(&by.key)))
}

/// Whether a text can be a name in a file as it is.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

impl ChangeDocument {
    /// Marks the rules that a state holds elsewhere, and gives the others the names under which they can stay where they are.
    pub(super) fn settle(&mut self, state: &TerraformState, has_module: bool) {
        self.mark_managed(state, has_module);
        let kept = self.kept_names(state, has_module);
        let keeps: BTreeSet<usize> = kept.iter().map(|(position, _)| *position).collect();
        let mut taken: BTreeSet<(Direction, String)> = BTreeSet::new();
        for (position, name) in kept {
            let rule = &mut self.rules[position];
            taken.insert((rule.permission.direction, name.clone()));
            rule.name = Some(name);
        }
        for (position, rule) in self.rules.iter_mut().enumerate() {
            if keeps.contains(&position) || rule.managed_at.is_some() {
                continue;
            }
            let Some(name) = &mut rule.name else { continue };
            while taken.contains(&(rule.permission.direction, name.clone())) {
                *name += "_x";
            }
        }
    }

    fn mark_managed(&mut self, state: &TerraformState, has_module: bool) {
        for rule in &mut self.rules {
            rule.managed_at = match holder(state, rule) {
                Holder::Other(address) => Some(address.to_owned()),
                Holder::Module(_) if has_module && rule.pair.is_some() => {
                    // What the module holds stays there; tags are those of the provider, or would be lost already.
                    rule.tags.clear();
                    None
                }
                Holder::Module(_) | Holder::Native(_) => None,
                Holder::Nobody => state
                    .inside_of(&rule.group_id)
                    .map(|address| format!("{address}, inside it")),
            };
        }
    }

    /// Names that rules keep because Terraform can't be told that they have others: by the position of the rule.
    fn kept_names(&self, state: &TerraformState, has_module: bool) -> Vec<(usize, String)> {
        let own: BTreeSet<String> = self.rules.iter().map(address).collect();
        let held: BTreeSet<&str> = state.rules.values().map(String::as_str).collect();
        let places: HashMap<&str, usize> = self
            .rules
            .iter()
            .enumerate()
            .map(|(position, rule)| (rule.id.as_str(), position))
            .collect();
        let mut kept = Vec::new();
        for (position, rule) in self.rules.iter().enumerate() {
            if rule.managed_at.is_some() {
                continue;
            }
            let other = rule.pair.as_deref().and_then(|id| places.get(id)).copied();
            match (holder(state, rule), other) {
                // A file can't move what is inside another module, so the pair keeps its key there. The egress half has it.
                (Holder::Module(key), Some(other)) if has_module => {
                    if rule.permission.direction == Direction::Egress {
                        kept.push((position, key.to_owned()));
                    } else if !matches!(holder(state, &self.rules[other]), Holder::Module(_)) {
                        kept.push((other, key.to_owned()));
                    }
                }
                (Holder::Native(name), _) if rule.name.as_deref() != Some(name) => {
                    let to = address(rule);
                    let from = held_at(state, rule).unwrap_or_default();
                    let is_free = !held.contains(to.as_str()) && !own.contains(from);
                    if !is_free {
                        kept.push((position, name.to_owned()));
                    }
                }
                _ => {}
            }
        }
        kept
    }
}

/// The address at which a state holds a rule.
pub(super) fn held_at<'a>(state: &'a TerraformState, rule: &RuleRow) -> Option<&'a str> {
    let id = rule.security_group_rule_id.as_ref()?;
    state.rules.get(id).map(String::as_str)
}

/// The address of a rule as a native resource: `aws_vpc_security_group_egress_rule.KEY`, with the prefix where the resource has several.
pub(super) fn address(rule: &RuleRow) -> String {
    let name = rule.name.as_deref().unwrap_or_default();
    let index = prefix(rule).map_or_else(String::new, |net| format!("[\"{net}\"]"));
    format!("{}.{name}{index}", kind(rule))
}

/// The prefix of a rule for one, as the key of its resource's instances.
pub(super) fn prefix(rule: &RuleRow) -> Option<&str> {
    match &rule.permission.target {
        TargetRow::CidrIpv4(net) | TargetRow::CidrIpv6(net) => Some(net),
        TargetRow::SecurityGroup(_) | TargetRow::PrefixList(_) => None,
    }
}
