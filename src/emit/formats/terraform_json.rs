//! Terraform's JSON syntax: the native resources of `terraform`.

use serde_json::{Map, Value, json};

use super::names::ResourceNames;
use super::options::RuleFormatOptions;
use super::terraform::{Argument, Name, Refs, heading, kind, values};
use crate::documents::ChangeDocument;
use crate::net::json;

/// One document.
pub(super) fn render(change: &ChangeDocument, options: &RuleFormatOptions) -> String {
    let names = ResourceNames::alone(change);
    let refs = Refs::new(change, options.ids, names.rules());
    let comment = heading("one resource per rule", change);
    let mut document = json!({"//": comment.lines().collect::<Vec<_>>()});
    declare(&mut document, &refs);
    for (name, rule) in &names.others {
        let arguments = values(rule, &refs).into_iter();
        let arguments = arguments.map(|(key, value)| (key.to_owned(), value.into()));
        document["resource"][&kind(rule)][name] = Value::Object(arguments.collect::<Map<_, _>>());
    }
    json::pretty(&document)
}

/// What a document has to declare.
pub(super) fn declare(document: &mut Value, refs: &Refs<'_>) {
    for declared in refs.declared() {
        if declared.kind == "variable" {
            document["variable"][&declared.name] =
                json!({"type": "string", "description": literal(&declared.text)});
        } else {
            let source = &mut document["data"][declared.kind][&declared.name];
            *source = json!({"name": literal(&declared.text)});
            if let Some(vpc) = declared.vpc {
                source["vpc_id"] = format!("${{var.{vpc}}}").into();
            }
        }
    }
}

impl From<Argument> for Value {
    fn from(value: Argument) -> Self {
        match value {
            Argument::Number(number) => number.into(),
            Argument::Name(Name::Path(path)) => format!("${{{path}}}").into(),
            Argument::Name(Name::Literal(text)) => literal(&text),
        }
    }
}

/// Every string of this syntax is a template: what begins one is doubled.
pub(super) fn literal(text: &str) -> Value {
    text.replace("${", "$${").replace("%{", "%%{").into()
}
