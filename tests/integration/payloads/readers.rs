//! The results, read back by the programs that they are for: every payload is there as text, and nothing of it is run,
//! resolved or drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use base64::Engine as _;
use serde_json::Value;

use super::{PAYLOADS, clean, estate, put_back, run_with};
use crate::common::root;
use crate::emit::shell::{option, run};
use crate::peers::{has, node_package};

/// What `tests/peers/read_texts.py` reads in a file.
pub(super) fn read(form: &str, bytes: &[u8]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, bytes).unwrap();
    let done = Command::new(crate::queries::peer("python"))
        .arg(root().join("tests/peers/read_texts.py"))
        .arg(form)
        .arg(&path)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{form}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    serde_json::from_slice(&done.stdout).unwrap()
}

/// The texts of a JSON document, keys apart.
fn leaves(value: &Value) -> BTreeSet<&str> {
    match value {
        Value::String(text) => [text.as_str()].into(),
        Value::Array(list) => list.iter().flat_map(leaves).collect(),
        Value::Object(map) => map.values().flat_map(leaves).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => BTreeSet::new(),
    }
}

/// A text as it is compared where a format has room for so many characters only, and none for spaces at its ends.
fn key(text: &str, room: usize) -> String {
    let text = put_back(text.trim_matches(' '));
    text.chars().take(room).collect()
}

fn has_every(payload: &str, texts: &BTreeSet<String>) {
    assert!(texts.contains(payload), "{payload:?} is not in {texts:#?}");
}

/// Whatever a parser reads back is the same text.
#[test]
fn json_holds_the_same_texts() {
    let estate = estate();
    for name in ["rules json literal", "graph json group"] {
        let document = estate.json(name);
        let found = leaves(&document);
        for text in PAYLOADS {
            assert!(found.contains(text), "{text:?} is not in {name}");
        }
    }
    let audit: Value =
        serde_json::from_slice(&fs::read(estate.file("audit.json")).unwrap()).unwrap();
    let found = leaves(&audit);
    for text in PAYLOADS {
        assert!(found.contains(text), "{text:?} is not in audit.json");
    }
    for (name, lines) in [("report asff", 1), ("report ocsf", PAYLOADS.len())] {
        let text = estate.text(name);
        assert!(text.lines().count() >= lines);
        let all: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let all = Value::from(all);
        let found = leaves(&all);
        for text in PAYLOADS {
            assert!(
                found.iter().any(|found| found.ends_with(text)),
                "{text:?} is not in {name}"
            );
        }
    }
}

/// A message of SARIF as its viewers read it (3.11.5, 3.11.6); a placeholder or a link fails.
fn message(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '{' | '}' => assert_eq!(rest.next(), Some(c), "a placeholder in {text:?}"),
            '[' | ']' => panic!("a link in {text:?}"),
            '\\' => {
                out.push(rest.next().unwrap());
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

#[test]
fn sarif_has_no_links_and_no_placeholders() {
    let estate = estate();
    let read = crate::emit::tools::read("-", "sarif", &estate.text("report sarif"));
    let report = estate.json("report json");
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(read.len(), findings.len());
    let sarif = estate.json("report sarif");
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .unwrap();
    for rule in rules {
        for text in [
            &rule["shortDescription"],
            &rule["fullDescription"],
            &rule["help"],
        ] {
            message(text["text"].as_str().unwrap());
        }
    }
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    for (result, finding) in results.iter().zip(findings) {
        let detail = finding["detail"].as_str().unwrap();
        let said = message(result["message"]["text"].as_str().unwrap());
        assert_eq!(put_back(&said), put_back(detail));
    }
}

/// Neither begins a cell a formula, nor what follows a semicolon in it, and the names are there.
#[test]
fn csv_has_no_formulas() {
    let estate = estate();
    for name in ["report csv", "rules csv literal"] {
        let cells = read("csv", estate.text(name).as_bytes());
        for part in cells.iter().flat_map(|cell| cell.split(';')) {
            let begins = part
                .trim_start()
                .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
            assert!(
                !begins || part.parse::<i64>().is_ok(),
                "{part:?} is a formula in {name}"
            );
        }
        let found = cells
            .iter()
            .map(|cell| put_back(cell).replace('\'', ""))
            .collect();
        for text in PAYLOADS {
            has_every(&put_back(text).replace('\'', ""), &found);
        }
    }
}

/// Characters of a rule's description (`API_IpRange.html`, less `&`).
fn is_described(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=;{}!$*".contains(c);
    text.len() <= 255 && text.chars().all(allowed)
}

/// Both syntaxes say the same, to a reader of YAML 1.1 and to cfn-lint; nothing in them is resolved.
#[test]
fn cloudformation_resolves_nothing() {
    let estate = estate();
    for ids in ["literal", "var"] {
        let json = estate.json(&format!("rules cloudformation-json {ids}"));
        let yaml = estate.text(&format!("rules cloudformation {ids}"));
        let texts = read("yaml", yaml.as_bytes());
        assert_eq!(texts, read("cloudformation", yaml.as_bytes()));
        assert_eq!(
            texts.iter().map(String::as_str).collect::<BTreeSet<_>>(),
            leaves(&json)
        );
        assert!(
            !texts.iter().any(|text| text.contains("{{")),
            "a dynamic reference"
        );
        for resource in json["Resources"].as_object().unwrap().values() {
            let description = resource["Properties"]["Description"].as_str().unwrap();
            assert!(is_described(description), "{description:?}");
        }
        let defused = |text: &str| put_back(text).replace("{{", "[[").replace("}}", "]]");
        let said: Vec<String> = texts.iter().map(|text| put_back(text)).collect();
        for text in PAYLOADS {
            let text = defused(text);
            assert!(
                said.iter().any(|said| said.contains(&text)),
                "{text:?} is not there"
            );
        }
    }
}

#[test]
fn graphs_are_read_with_every_name() {
    let estate = estate();
    for (name, form, room) in [
        ("graph graphml group", "graphml", 240),
        ("graph dot group", "dot", 60),
    ] {
        let found = read(form, estate.text(name).as_bytes());
        let found = found.iter().map(|text| key(text, room)).collect();
        for text in PAYLOADS {
            has_every(&key(text, room), &found);
        }
    }
    for (name, form) in [
        ("graph graphml interface", "graphml"),
        ("graph dot interface", "dot"),
    ] {
        assert!(read(form, estate.text(name).as_bytes()).len() > PAYLOADS.len());
    }
    // Graphviz reads entities of HTML in a quoted text.
    assert!(!estate.text("graph dot group").contains("&#8238;"));
}

/// A parser of GitHub's Markdown finds tables, lists and one block of code, as in a report of ordinary names.
#[test]
fn markdown_stays_what_the_template_made_it() {
    let peers = root().join("target/peers");
    if !node_package("marked") {
        return;
    }
    let estate = estate();
    let whole = |file: &str| (file.to_owned(), estate.file(file));
    // A report of all of them has no room for every row.
    let parts: Vec<(&[&str], tempfile::TempDir)> = PAYLOADS
        .chunks(12)
        .map(|part| (part, run_with(part)))
        .collect();
    let reports = parts.iter().map(|(part, dir)| {
        let path = dir.path().join("run/report.md");
        (*part, 2, ("report.md of a part".to_owned(), path))
    });
    let wholes = [
        (PAYLOADS, 1, whole("rules/plan.md")),
        (&PAYLOADS[..0], 0, whole("report.md")),
    ];
    for (payloads, names, (file, path)) in reports.chain(wholes) {
        let done = Command::new("node")
            .arg(root().join("tests/peers/read_markdown.mjs"))
            .arg(&peers)
            .arg(&path)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        let read: Value = serde_json::from_slice(&done.stdout).unwrap();
        let kinds: BTreeMap<String, u64> = serde_json::from_value(read["kinds"].clone()).unwrap();
        for kind in [
            "html",
            "link",
            "image",
            "ordered list",
            "blockquote",
            "hr",
            "em",
            "del",
            "def",
            "br",
            "checkbox",
        ] {
            assert!(!kinds.contains_key(kind), "{kind} in {file}: {kinds:?}");
        }
        assert!(
            kinds.get("code").copied().unwrap_or_default() <= 1,
            "{kinds:?}"
        );
        let texts: Vec<String> = serde_json::from_value(read["texts"].clone()).unwrap();
        let texts: Vec<String> = texts.iter().map(|text| put_back(text)).collect();
        for text in payloads {
            let text = put_back(text);
            let wanted = text.trim_matches(' ');
            let found = texts.iter().filter(|found| {
                found.starts_with(wanted) || found.contains(&format!("({wanted})"))
            });
            assert!(found.count() >= names, "{text:?} in {file}");
        }
    }
}

/// A file of resources as one of locals, which Terraform evaluates without a provider.
fn as_locals(file: &str, prefix: &str) -> (String, Vec<String>) {
    let (mut out, mut names, mut skipping) = (String::new(), Vec::new(), false);
    for line in file.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("variable") => skipping = true,
            Some("resource" | "data") => {
                let name = format!("{prefix}{}", names.len());
                out += "locals {\n";
                out += &name;
                out += " = {\n";
                names.push(name);
            }
            Some("}") if std::mem::take(&mut skipping) => {}
            Some("}") => out += "}\n}\n",
            Some(_) if skipping => {}
            _ => {
                let value = line.split_once(" = ").map_or("", |(_, value)| value);
                let reference = value.starts_with("data.") || value.starts_with("var.");
                out += &if reference {
                    line.replace(value, "\"reference\"")
                } else {
                    line.to_owned()
                };
                out += "\n";
            }
        }
    }
    (out, names)
}

/// Terraform evaluates every text of both syntaxes to what was meant. It composes letters (NFC), so none here is in parts.
#[test]
fn terraform_reads_every_literal_back() {
    if !has("terraform") {
        return;
    }
    let estate = estate();
    let dir = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for (number, ids) in ["literal", "data"].into_iter().enumerate() {
        let file = estate.text(&format!("rules terraform {ids}"));
        let (text, some) = as_locals(&file, &format!("h{number}_"));
        fs::write(dir.path().join(format!("{ids}.tf")), text).unwrap();
        names.extend(some);
        let variables = file.lines().filter(|line| line.starts_with("variable "));
        let variables: Vec<&str> = variables.collect();
        let distinct: BTreeSet<&&str> = variables.iter().collect();
        assert_eq!(
            distinct.len(),
            variables.len(),
            "a variable is declared twice"
        );
        let json = estate.json(&format!("rules terraform-json {ids}"));
        let mut locals = serde_json::Map::new();
        for section in ["resource", "data"] {
            let kinds = json[section].as_object().into_iter().flatten();
            for (name, values) in kinds.flat_map(|(_, all)| all.as_object().unwrap()) {
                let mut values = values.clone();
                values
                    .as_object_mut()
                    .unwrap()
                    .retain(|_, value| !value.as_str().is_some_and(|text| text.starts_with("${")));
                names.push(format!("j{number}_{section}_{name}"));
                locals.insert(names.last().unwrap().clone(), values);
            }
        }
        let file = serde_json::json!({"locals": locals}).to_string();
        fs::write(dir.path().join(format!("{ids}.tf.json")), file).unwrap();
    }
    let all: Vec<String> = names.iter().map(|name| format!("local.{name}")).collect();
    let question = format!("base64encode(jsonencode([{}]))", all.join(", "));
    fs::write(dir.path().join("question"), question).unwrap();
    let done = Command::new("terraform")
        .args(["console", "-no-color"])
        .current_dir(dir.path())
        .env("CHECKPOINT_DISABLE", "1")
        .env("TF_CLI_CONFIG_FILE", dir.path().join("terraform.rc"))
        .stdin(fs::File::open(dir.path().join("question")).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    let answer = base64::engine::general_purpose::STANDARD.decode(said.trim().trim_matches('"'));
    let answer =
        answer.unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&done.stderr)));
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let answer = answer.as_array().unwrap();
    let told = |syntax: char, key: &str| -> BTreeSet<&str> {
        let of = names
            .iter()
            .zip(answer)
            .filter(|(name, _)| name.starts_with(syntax));
        let texts = of.filter_map(|(_, value)| value[key].as_str());
        texts.filter(|text| *text != "reference").collect()
    };
    let change = estate.json("rules json literal");
    let added: Vec<&Value> = change["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| rule["status"] == "add")
        .collect();
    let meant = |key: &str| -> BTreeSet<&str> {
        added.iter().filter_map(|rule| rule[key].as_str()).collect()
    };
    for syntax in ['h', 'j'] {
        assert_eq!(told(syntax, "security_group_id"), meant("group_id"));
        assert_eq!(told(syntax, "description"), meant("wording"));
        let named = told(syntax, "name");
        for text in PAYLOADS {
            assert!(named.contains(text), "{text:?}");
        }
    }
}

/// bash hands every id to the AWS CLI as it is (but for NUL, which no program can be given), and what the scripts print,
/// also of what the AWS CLI says, is plain text.
#[test]
fn scripts_call_with_every_id_and_print_text() {
    let estate = estate();
    let change = estate.json("rules json literal");
    let groups = |list: &str| -> BTreeSet<String> {
        let rows = change[list].as_array().unwrap().iter();
        let rows = rows.filter(|row| row["status"] != "keep");
        rows.map(|row| row["group_id"].as_str().unwrap().replace('\0', "\\u{0}"))
            .collect()
    };
    for (format, stages) in [
        (
            "aws-cli",
            [
                ("add --all", "rules"),
                ("revoke --all --force", "revocations"),
            ],
        ),
        (
            "aws-cli-rollback",
            [
                ("open --all --without-journal", "revocations"),
                ("remove --all --without-journal", "rules"),
            ],
        ),
    ] {
        let script = estate.text(&format!("rules {format} literal"));
        for (stage, list) in stages {
            let words: Vec<&str> = stage.split(' ').collect();
            let (calls, said) = run(&script, &words);
            clean(stage, said.as_bytes());
            let called = calls.iter().filter_map(|call| option(call, "--group-id"));
            let called: BTreeSet<String> = called.map(str::to_owned).collect();
            assert_eq!(called, groups(list), "{stage}");
            assert!(called.len() > PAYLOADS.len(), "{stage}");
            let said = put_back(&said);
            for text in PAYLOADS {
                assert!(
                    said.contains(&put_back(text)),
                    "{text:?} is not printed by {stage}"
                );
            }
        }
    }
}
