//! Native resources of a policy: one for each entry and its ports, with an instance for each of its prefixes, so that an entry that grows
//! renames nothing.

use std::collections::BTreeMap;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;
use serde_json::{Map, Value, json};

use super::hcl::{self, Lines, ObjectEntry, line};
use super::held::prefix;
use super::names::ResourceNames;
use super::terraform::{Refs, kind, values};
use super::terraform_json::literal;
use crate::documents::{RuleRow, WantedByRow};
use crate::net::visible;

/// The longest text of a comment.
const COMMENT_AT_MOST: usize = 400;

/// A resource.
pub(super) struct NativeResource<'a> {
    /// `aws_vpc_security_group_egress_rule`, or that of ingress.
    pub(super) kind: String,
    pub(super) name: &'a str,
    /// Its rules, in the order of their prefixes; one if they have none.
    pub(super) rules: Vec<&'a RuleRow>,
}

/// The resources of the rules outside the module, by name.
pub(super) fn native_resources<'a>(names: &ResourceNames<'a>) -> Vec<NativeResource<'a>> {
    let mut resources: BTreeMap<(&str, String), Vec<&'a RuleRow>> = BTreeMap::new();
    for &rule in names.others.values() {
        let name = rule.name.as_deref().unwrap_or_default();
        resources.entry((name, kind(rule))).or_default().push(rule);
    }
    let resources = resources.into_iter();
    resources
        .map(|((name, kind), mut rules)| {
            rules.sort_by(|a, b| prefix(a).cmp(&prefix(b)));
            NativeResource { kind, name, rules }
        })
        .collect()
}

impl<'a> NativeResource<'a> {
    fn first(&self) -> &'a RuleRow {
        self.rules
            .first()
            .copied()
            .expect("a resource is made of a rule at least")
    }

    /// The group that it belongs to.
    pub(super) fn group(&self) -> &'a str {
        &self.first().group_id
    }

    fn has_tags(&self) -> bool {
        self.rules.iter().any(|rule| !rule.tags.is_empty())
    }

    /// Whether it has an instance for each prefix.
    fn is_each(&self) -> bool {
        prefix(self.first()).is_some()
    }

    /// As a block.
    pub(super) fn block(&self, refs: &Refs<'_>) -> Block {
        let rule = self.first();
        let mut sections: Vec<Lines> = Vec::new();
        if self.is_each() {
            let entries = self.rules.iter().filter_map(|rule| {
                Some(ObjectEntry {
                    comment: Vec::new(),
                    key: prefix(rule)?.to_owned(),
                    value: hcl::object(3, self.instance(rule)),
                })
            });
            let entries = hcl::entries_of(2, entries.collect());
            sections.push(vec![line("for_each", entries)]);
            sections.push(self.each_lines(refs));
            if self.has_tags() {
                sections.push(vec![line("tags", hcl::reference("each.value.tags"))]);
            }
        } else {
            let values = values(rule, refs).into_iter();
            let lines = values.map(|(key, value)| (key.to_owned(), value.into()));
            sections.push(lines.collect());
            if self.has_tags() {
                sections.push(vec![line("tags", tags(rule, 2))]);
            }
        }
        let block = hcl::block("resource", &[&self.kind, self.name], sections);
        hcl::commented(block, &above(&self.rules))
    }

    /// What differs between its instances.
    fn instance(&self, rule: &RuleRow) -> Lines {
        let description = if rule.wording.is_empty() {
            hcl::reference("null")
        } else {
            rule.wording.as_str().into()
        };
        let mut lines = vec![line("description", description)];
        if self.has_tags() {
            let tags = if rule.tags.is_empty() {
                hcl::reference("null")
            } else {
                tags(rule, 4)
            };
            lines.push(line("tags", tags));
        }
        lines
    }

    /// The arguments of a resource with instances.
    fn each_lines(&self, refs: &Refs<'_>) -> Lines {
        let values = values(self.first(), refs).into_iter();
        let own = values.filter(|(key, _)| !key.starts_with("cidr_") && *key != "description");
        let mut lines: Lines = own
            .map(|(key, value)| (key.to_owned(), value.into()))
            .collect();
        lines.insert(
            1,
            line("description", hcl::reference("each.value.description")),
        );
        for (key, value) in self.prefix_lines() {
            lines.push(line(key, hcl::reference(value)));
        }
        lines
    }

    /// The prefix of an instance, by family.
    fn prefix_lines(&self) -> Vec<(&'static str, &'static str)> {
        let v6 = self.rules.iter().filter(|rule| {
            let net = prefix(rule);
            net.is_some_and(|net| net.contains(':'))
        });
        let v6 = v6.count();
        let (has_v4, has_v6) = (v6 < self.rules.len(), v6 > 0);
        match (has_v4, has_v6) {
            (true, true) => vec![
                ("cidr_ipv4", "can(regex(\":\", each.key)) ? null : each.key"),
                ("cidr_ipv6", "can(regex(\":\", each.key)) ? each.key : null"),
            ],
            (false, true) => vec![("cidr_ipv6", "each.key")],
            _ => vec![("cidr_ipv4", "each.key")],
        }
    }

    /// In Terraform's JSON syntax.
    pub(super) fn json(&self, refs: &Refs<'_>) -> Value {
        let rule = self.first();
        let mut body: Map<String, Value> = Map::new();
        body.insert("//".to_owned(), above(&self.rules).into());
        let each = self.is_each();
        for (key, value) in values(rule, refs) {
            if each && (key.starts_with("cidr_") || key == "description") {
                continue;
            }
            body.insert(key.to_owned(), Value::from(value));
        }
        if !each {
            if self.has_tags() {
                body.insert("tags".to_owned(), json_tags(rule));
            }
            return body.into();
        }
        let mut instances: Map<String, Value> = Map::new();
        for rule in &self.rules {
            let mut instance = json!({ "description": Value::Null });
            if !rule.wording.is_empty() {
                instance["description"] = literal(&rule.wording);
            }
            if self.has_tags() {
                instance["tags"] = if rule.tags.is_empty() {
                    Value::Null
                } else {
                    json_tags(rule)
                };
            }
            instances.insert(prefix(rule).unwrap_or_default().to_owned(), instance);
        }
        body.insert("for_each".to_owned(), instances.into());
        body.insert("description".to_owned(), "${each.value.description}".into());
        if self.has_tags() {
            body.insert("tags".to_owned(), "${each.value.tags}".into());
        }
        for (key, value) in self.prefix_lines() {
            body.insert(key.to_owned(), format!("${{{value}}}").into());
        }
        body.into()
    }
}

fn tags(rule: &RuleRow, depth: usize) -> Expression {
    let entries = rule.tags.iter().map(|(key, value)| ObjectEntry {
        comment: Vec::new(),
        key: key.clone(),
        value: value.as_str().into(),
    });
    hcl::entries_of(depth, entries.collect())
}

fn json_tags(rule: &RuleRow) -> Value {
    let tags = rule.tags.iter();
    // Keys of an object are templates as well.
    let tags = tags.map(|(key, value)| {
        let key = literal(key).as_str().unwrap_or_default().to_owned();
        (key, literal(value))
    });
    Value::Object(tags.collect())
}

/// What stands above an entry: who wants it, on what evidence, and why.
pub(super) fn above(rules: &[&RuleRow]) -> Vec<String> {
    let mut all: BTreeMap<&str, &WantedByRow> = BTreeMap::new();
    for rule in rules {
        all.extend(rule.wanted_by.iter().map(|by| (by.key.as_str(), by)));
    }
    all.into_values().flat_map(in_words).collect()
}

/// Lines about an entry, in which nothing is hidden or ends the comment.
pub(super) fn in_words(by: &WantedByRow) -> Vec<String> {
    let evidence = if by.evidence.is_empty() {
        "no run has seen it"
    } else {
        &by.evidence
    };
    let confidence = by
        .confidence
        .map(|rating| format!("; confidence {}", rating.as_str()));
    let mut lines = vec![format!(
        "{}: {evidence}{}",
        by.key,
        confidence.unwrap_or_default()
    )];
    let named = [
        ("owner", &by.owner),
        ("ticket", &by.ticket),
        ("holds until", &by.expires),
    ];
    let named: Vec<String> = named
        .iter()
        .filter_map(|(name, text)| Some(format!("{name} {}", text.as_deref()?)))
        .collect();
    if !named.is_empty() {
        lines.push(format!("  {}", named.join("; ")));
    }
    lines.extend(
        by.reason
            .as_ref()
            .map(|reason| format!("  reason: {reason}")),
    );
    lines
        .iter()
        .map(|line| visible(line, COMMENT_AT_MOST))
        .collect()
}
