//! HCL in the layout of `terraform fmt`: two spaces, and the `=` of neighbouring
//! lines in one column. Escaping is hcl-edit's, one sign at a time ([`Escaped`]).

use std::fmt::Write as _;

use hcl_edit::expr::{Array, Expression, Object, ObjectKey, ObjectValue, ObjectValueTerminator};
use hcl_edit::structure::{Attribute, Block, Body, Structure};
use hcl_edit::template::{Element, StringTemplate};
use hcl_edit::visit_mut::{VisitMut, visit_expr_mut};
use hcl_edit::{Decorate, Decorated, Ident};

use crate::net::is_invisible;

/// Lines of `key = value`, in order.
pub(super) type Lines = Vec<(String, Expression)>;

/// A line.
pub(super) fn line(key: &str, value: impl Into<Expression>) -> (String, Expression) {
    (key.to_owned(), value.into())
}

/// A block at the top level: kind, labels, and sections of lines with an empty
/// line between them. Keys must be identifiers.
pub(super) fn block(kind: &str, labels: &[&str], sections: Vec<Lines>) -> Block {
    let mut builder = Block::builder(Ident::new(kind));
    for label in labels {
        builder = builder.label(*label);
    }
    for (section, lines) in sections.into_iter().enumerate() {
        let width = width(&lines);
        for (row, (key, value)) in lines.into_iter().enumerate() {
            let gap = if section > 0 && row == 0 {
                "\n  "
            } else {
                "  "
            };
            let suffix = " ".repeat(width - key.len() + 1);
            let key = Decorated::new(Ident::new(key)).decorated(("", suffix.as_str()));
            let mut attribute = Attribute::new(key, value);
            attribute.decor_mut().set_prefix(gap);
            builder = builder.attribute(attribute);
        }
    }
    builder.build()
}

/// A block inside another.
pub(super) fn inner(kind: &str, lines: Lines) -> Block {
    let width = width(&lines);
    let mut builder = Block::builder(Ident::new(kind));
    for (key, value) in lines {
        let suffix = " ".repeat(width - key.len() + 1);
        let key = Decorated::new(Ident::new(key)).decorated(("", suffix.as_str()));
        let mut attribute = Attribute::new(key, value);
        attribute.decor_mut().set_prefix("    ");
        builder = builder.attribute(attribute);
    }
    let mut block = builder.build();
    block.body.decor_mut().set_suffix("  ");
    block
}

/// A block of blocks, with a comment in front of them.
pub(super) fn nested(kind: &str, labels: &[&str], comment: &str, blocks: Vec<Block>) -> Block {
    let mut builder = Block::builder(Ident::new(kind));
    for label in labels {
        builder = builder.label(*label);
    }
    let mut prefix = format!("  # {comment}\n  ");
    for mut block in blocks {
        block
            .decor_mut()
            .set_prefix(std::mem::replace(&mut prefix, "\n  ".to_owned()));
        builder = builder.block(block);
    }
    builder.build()
}

/// A block that lets Terraform forget what it holds at an address, and leaves that where it is.
pub(super) fn removed(from: &str) -> Block {
    let key = Decorated::new(Ident::new("from")).decorated(("", " "));
    let mut from = Attribute::new(key, reference(from));
    from.decor_mut().set_prefix("  ");
    let mut lifecycle = inner("lifecycle", vec![line("destroy", false)]);
    lifecycle.decor_mut().set_prefix("\n  ");
    let builder = Block::builder(Ident::new("removed"));
    builder.attribute(from).block(lifecycle).build()
}

/// An object, its lines indented by `depth` steps.
pub(super) fn object(depth: usize, lines: Lines) -> Expression {
    let entries = lines.into_iter().map(|(key, value)| ObjectEntry {
        comment: Vec::new(),
        key,
        value,
    });
    entries_of(depth, entries.collect())
}

/// An entry of an object, with the lines of a comment above it.
pub(super) struct ObjectEntry {
    pub(super) comment: Vec<String>,
    pub(super) key: String,
    pub(super) value: Expression,
}

/// An object of entries, indented by `depth` steps. Keys that are no identifiers are written as texts.
pub(super) fn entries_of(depth: usize, entries: Vec<ObjectEntry>) -> Expression {
    let indent = "  ".repeat(depth);
    let lengths = entries.iter().map(|entry| key_length(&entry.key));
    // Objects inside stand alone; only one-line neighbours share a column.
    let width = if entries
        .iter()
        .any(|entry| matches!(entry.value, Expression::Object(_)))
    {
        0
    } else {
        lengths.max().unwrap_or_default()
    };
    let mut object = Object::new();
    for (position, entry) in entries.into_iter().enumerate() {
        let ObjectEntry {
            comment,
            key,
            value,
        } = entry;
        let mut prefix = if position == 0 { "\n" } else { "" }.to_owned();
        for line in comment {
            let _ = writeln!(prefix, "{indent}# {line}");
        }
        prefix += &indent;
        let suffix = " ".repeat(width.saturating_sub(key_length(&key)) + 1);
        let key = if is_identifier(&key) {
            ObjectKey::Ident(Decorated::new(Ident::new(key)).decorated((prefix, suffix)))
        } else {
            let mut key = escaped(&key);
            key.decorate((prefix, suffix));
            ObjectKey::Expression(key)
        };
        let mut value = ObjectValue::new(value);
        value.set_terminator(ObjectValueTerminator::Newline);
        object.insert(key, value);
    }
    object.set_trailing("  ".repeat(depth - 1));
    Expression::Object(object)
}

fn is_identifier(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// How many signs of a line a key takes.
fn key_length(key: &str) -> usize {
    if is_identifier(key) {
        key.len()
    } else {
        escaped(key).to_string().trim().chars().count()
    }
}

/// A text in which nothing is a template, where [`file()`] does not come by.
fn escaped(text: &str) -> Expression {
    let mut text = Expression::from(text);
    Escaped.visit_expr_mut(&mut text);
    text
}

/// A block at the top level with the lines of a comment above it.
pub(super) fn commented(mut block: Block, comment: &[String]) -> Block {
    let lines = comment.iter().map(|line| format!("# {line}\n"));
    block.decor_mut().set_prefix(lines.collect::<String>());
    block
}

/// A list of objects, its entries indented by `depth` steps.
pub(super) fn list(depth: usize, entries: Vec<Expression>) -> Expression {
    let indent = "  ".repeat(depth);
    let mut list = Array::new();
    for mut entry in entries {
        entry.decor_mut().set_prefix(format!("\n{indent}"));
        list.push(entry);
    }
    list.set_trailing_comma(true);
    list.set_trailing(format!("\n{}", "  ".repeat(depth - 1)));
    Expression::Array(list)
}

/// A reference such as `module.rules.resource.this["key"]`, parsed.
pub(super) fn reference(text: &str) -> Expression {
    text.parse()
        .expect("references are made of identifiers and quoted keys of ours")
}

/// A file: a comment, and blocks with an empty line between them.
pub(super) fn file(comment: &str, blocks: Vec<Block>) -> String {
    let mut body = Body::new();
    for block in blocks {
        let mut block = Structure::Block(block);
        let comment = block.decor().prefix();
        let comment = comment.map_or_else(String::new, |comment| (**comment).to_owned());
        block.decor_mut().set_prefix(format!("\n{comment}"));
        body.push(block);
    }
    Escaped.visit_body_mut(&mut body);
    let comment: String = comment
        .lines()
        .map(|line| format!("# {line}").trim_end().to_owned() + "\n")
        .collect();
    written(&(comment + &body.to_string()))
}

/// What a terminal would obey or hide, as the escape that a quoted text of HCL has for it; in a comment it is only read.
fn written(file: &str) -> String {
    let mut out = String::with_capacity(file.len());
    for c in file.chars() {
        match u32::from(c) {
            _ if c == '\n' || !is_invisible(c) => {
                out.push(c);
                Ok(())
            }
            code @ 0..=0xffff => write!(out, "\\u{code:04x}"),
            code => write!(out, "\\U{code:08x}"),
        }
        .expect("a string takes everything");
    }
    out
}

/// Cuts every text in front of each `$` and `%`. hcl-primitives escapes by
/// pairs of characters once it has found `${` or `%{`, and of `${a $%{b` leaves
/// the second as it is, which Terraform would run; a piece has only one to find.
struct Escaped;

impl VisitMut for Escaped {
    fn visit_expr_mut(&mut self, node: &mut Expression) {
        let Expression::String(text) = node else {
            return visit_expr_mut(self, node);
        };
        let signs = text.match_indices(['$', '%']).map(|(at, _)| at);
        let starts: Vec<usize> = [0].into_iter().chain(signs).collect();
        if starts.len() > 2 {
            let ends = starts[1..].iter().copied().chain([text.len()]);
            let pieces = starts.iter().zip(ends);
            let pieces = pieces.map(|(&start, end)| Element::from(&text[start..end]));
            let mut template: StringTemplate = pieces.collect();
            *template.decor_mut() = std::mem::take(text.decor_mut());
            *node = template.into();
        }
    }
}

fn width(lines: &Lines) -> usize {
    lines
        .iter()
        .map(|(key, _)| key.len())
        .max()
        .unwrap_or_default()
}

/// The names of the security groups that a Terraform file defines, with the line of each: those whose name is a plain text. Nothing, if
/// it can't be parsed.
pub fn group_lines(text: &str) -> Vec<(String, u64)> {
    let Ok(body) = hcl_edit::parser::parse_body(text) else {
        return Vec::new();
    };
    let groups = body.get_blocks("resource");
    let groups = groups.filter(|block| {
        block
            .labels
            .first()
            .is_some_and(|kind| kind.as_str() == "aws_security_group")
    });
    groups
        .filter_map(|block| {
            let name = block.body.get_attribute("name")?.value.as_str()?;
            let start = hcl_edit::Span::span(block)?.start;
            let before = text.get(..start)?;
            Some((name.to_owned(), 1 + before.matches('\n').count() as u64))
        })
        .collect()
}
