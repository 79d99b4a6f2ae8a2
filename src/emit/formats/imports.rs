//! What Terraform has to be told of rules that stand: which to adopt, and which it holds under another address.

use std::collections::BTreeSet;

use hcl_edit::structure::Block;
use serde_json::{Value, json};

use super::hcl::{self, line};
use super::held::{Holder, address, held_at, holder};
use super::names::ResourceNames;
use super::state::TerraformState;
use super::terraform::{MODULE, kind};
use crate::documents::{ChangeDocument, RuleRow, Status};
use crate::net::{plural, visible};

/// The longest address in a comment.
const ADDRESS_AT_MOST: usize = 300;

/// Steps, each in the order of addresses.
#[derive(Debug, Default)]
pub(super) struct Imports {
    /// Address → id of a rule that nobody holds, or that is forgotten under its old address.
    import: BTreeSet<(String, String)>,
    /// Old address → new address.
    moved: BTreeSet<(String, String)>,
    /// Resources and modules that are forgotten, not destroyed.
    removed: BTreeSet<String>,
    /// Old address → new address, of what no file can move.
    by_hand: BTreeSet<(String, String)>,
    /// Rules that stand without a known id.
    without_id: usize,
}

impl Imports {
    /// What the rules of a file need. `state` is empty where none was given.
    pub(super) fn new(names: &ResourceNames<'_>, state: &TerraformState, has_module: bool) -> Self {
        let mut imports = Self::default();
        for (key, (egress, ingress)) in &names.pairs {
            for rule in [egress, ingress] {
                let to = format!("module.{MODULE}.{}.this[\"{key}\"]", kind(rule));
                imports.take(rule, to, state, has_module);
            }
        }
        for rule in names.others.values() {
            imports.take(rule, address(rule), state, has_module);
        }
        imports
    }

    fn take(&mut self, rule: &RuleRow, to: String, state: &TerraformState, has_module: bool) {
        if rule.status == Status::Add {
            return;
        }
        let Some(id) = rule.security_group_rule_id.clone() else {
            self.without_id += 1;
            return;
        };
        let from = held_at(state, rule).unwrap_or_default().to_owned();
        let is_native = !to.starts_with("module.");
        match holder(state, rule) {
            Holder::Nobody => {
                self.import.insert((to, id));
            }
            _ if from == to => {}
            Holder::Native(_) if is_native => {
                self.moved.insert((from, to));
            }
            Holder::Native(name) => {
                self.removed.insert(format!("{}.{name}", kind(rule)));
                self.import.insert((to, id));
            }
            Holder::Module(_) if !has_module => {
                self.removed.insert(format!("module.{MODULE}"));
                self.import.insert((to, id));
            }
            // Not written: it is managed there.
            Holder::Other(_) => {}
            Holder::Module(_) => {
                self.by_hand.insert((from, to));
            }
        }
    }

    /// What the file says on top, behind what it is.
    pub(super) fn comment(&self, change: &ChangeDocument, has_state: bool) -> String {
        let mut text = String::new();
        let mut add = |line: &str| {
            text.push('\n');
            text += line;
        };
        if has_state {
            add("Rules that the given states hold are not imported again.");
        } else {
            add("closegate was given no state (--terraform-state), so it can't know whether other");
            add("Terraform files manage one of these rules. Import a rule into one state only.");
        }
        if self.without_id > 0 {
            add(&format!(
                "{} cannot be imported: the inventory lacks the ids. Add what",
                plural(self.without_id as u64, "standing rule")
            ));
            add("`aws ec2 describe-security-group-rules` prints to it.");
        }
        let managed = change.rules.iter().filter_map(|rule| {
            let place = rule.managed_at.as_deref()?;
            Some(format!(
                "  {} {} of {}: {}",
                rule.key.as_deref().unwrap_or_default(),
                rule.permission,
                rule.group_id,
                visible(place, ADDRESS_AT_MOST)
            ))
        });
        let managed: Vec<String> = managed.collect();
        if !managed.is_empty() {
            add("Managed elsewhere, and so not written here:");
            for line in &managed {
                add(&visible(line, 2 * ADDRESS_AT_MOST));
            }
        }
        if !self.removed.is_empty() {
            add(
                "What `removed` names is forgotten, not revoked: rules of it that the policy no longer wants",
            );
            add("stay in AWS until you revoke them.");
        }
        if !self.by_hand.is_empty() {
            add(
                "Before you apply, move these; no block of Terraform can take a rule out of a module:",
            );
            for (from, to) in &self.by_hand {
                add(&visible(
                    &format!("  terraform state mv '{from}' '{to}'"),
                    3 * ADDRESS_AT_MOST,
                ));
            }
        }
        text
    }

    /// As blocks.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let moved = self.moved.iter().map(|(from, to)| {
            let lines = vec![
                line("from", hcl::reference(from)),
                line("to", hcl::reference(to)),
            ];
            hcl::block("moved", &[], vec![lines])
        });
        let removed = self.removed.iter().map(|from| hcl::removed(from));
        let import = self.import.iter().map(|(to, id)| {
            let lines = vec![line("to", hcl::reference(to)), line("id", id.as_str())];
            hcl::block("import", &[], vec![lines])
        });
        moved.chain(removed).chain(import).collect()
    }

    /// In Terraform's JSON syntax, with what stands on top.
    pub(super) fn json(&self, comment: &str) -> Value {
        let mut document = json!({"//": comment.lines().collect::<Vec<_>>()});
        let mut add = |kind: &str, list: Vec<Value>| {
            if !list.is_empty() {
                document[kind] = list.into();
            }
        };
        let moved = self.moved.iter();
        let moved = moved.map(|(from, to)| json!({"from": from, "to": to}));
        add("moved", moved.collect());
        let removed = self.removed.iter();
        let removed = removed.map(|from| json!({"from": from, "lifecycle": {"destroy": false}}));
        add("removed", removed.collect());
        let import = self.import.iter();
        let import = import.map(|(to, id)| json!({"to": to, "id": id}));
        add("import", import.collect());
        document
    }
}
