//! The project's own rules about itself; ARCHITECTURE.md names each of them.

use std::path::{Path, PathBuf};

use closegate::findings::{KINDS, benchmarks};

use crate::common::{fixtures, root};

/// The pipeline, in order; `net` is below everything.
const ORDER: &[&str] = &[
    "net",
    "documents",
    "inventory",
    "ingest",
    "flow",
    "store",
    "query",
    "aws",
    "resolve",
    "findings",
    "replay",
    "suggest",
    "proof",
    "outcome",
    "graph",
    "audit",
    "emit",
    "cli",
];

fn sources(below: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut left = vec![root().join(below)];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            files.push((path, text));
        }
    }
    files.sort();
    files
}

fn stage(path: &Path) -> Option<usize> {
    let below = path.strip_prefix(root().join("src")).ok()?;
    let first = below.components().next()?.as_os_str().to_str()?;
    ORDER
        .iter()
        .position(|stage| *stage == first.trim_end_matches(".rs"))
}

/// Code without its comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
}

/// Imports point only up the pipeline.
#[test]
fn no_stage_imports_from_a_later_one() {
    for (path, text) in sources("src") {
        let Some(own) = stage(&path) else { continue };
        for (later, name) in ORDER.iter().enumerate().skip(own + 1) {
            let import = format!("crate::{name}");
            let found = code(&text).any(|line| {
                line.match_indices(&import).any(|(at, _)| {
                    !line[at + import.len()..]
                        .starts_with(|c: char| c.is_alphanumeric() || c == '_')
                })
            });
            assert!(
                !found,
                "{} imports from {name}, stage {later} of the pipeline",
                path.display()
            );
        }
    }
}

/// Only the ends of the pipeline touch files; only `cli` knows arguments,
/// terminals and errors without a type.
#[test]
fn the_core_does_no_input_or_output() {
    let only = |words: &[&str], stages: &[&str]| {
        for (path, text) in sources("src") {
            let allowed = stage(&path).is_none_or(|own| stages.contains(&ORDER[own]));
            for word in words {
                assert!(
                    allowed || !code(&text).any(|line| line.contains(word)),
                    "{word} in {}",
                    path.display()
                );
            }
        }
    };
    only(
        &["std::fs", "File::", "walkdir", "glob::"],
        &["inventory", "ingest", "store", "cli"],
    );
    only(
        &[
            "clap",
            "indicatif",
            "anstream",
            "anyhow",
            "comfy_table",
            "ctrlc",
            "Timestamp::now",
            "std::env::",
        ],
        &["cli"],
    );
}

/// A kind of finding is a file, a card, a test and a fixture of one name.
#[test]
fn every_kind_of_finding_is_complete() {
    let cards = std::fs::read_to_string(root().join("docs/findings.md")).unwrap();
    let mut ids: Vec<&str> = KINDS.iter().map(|kind| kind.id).collect();
    for kind in KINDS {
        let file = kind.id.replace('-', "_") + ".rs";
        assert!(
            root().join("src/findings").join(&file).is_file(),
            "src/findings/{file}"
        );
        assert!(
            root()
                .join("tests/integration/findings")
                .join(&file)
                .is_file(),
            "tests/integration/findings/{file}"
        );
        assert!(
            cards.contains(&format!("\n## {}\n", kind.id)),
            "docs/findings.md has no card `{}`",
            kind.id
        );
        for log in ["positive.log", "near-miss.log"] {
            assert!(
                fixtures().join(kind.id).join(log).is_file(),
                "tests/fixtures/{}/{log}",
                kind.id
            );
        }
        assert!(!kind.sources.is_empty() && !kind.remediation.is_empty());
        assert!(
            cards.contains(kind.title),
            "the card of {} carries its title",
            kind.id
        );
        let card = cards.split(&format!("\n## {}\n", kind.id)).nth(1).unwrap();
        let card = card.split("\n## ").next().unwrap();
        let controls = benchmarks(kind.id).join("; ");
        assert!(
            card.contains(&format!("**Benchmarks.** {controls}.")) != controls.is_empty(),
            "{}: {controls}",
            kind.id
        );
        for known in kind.thresholds {
            let said = format!("`{}` ({}): {}", known.key, known.default, known.meaning);
            assert!(card.contains(&said), "{}: {said}", kind.id);
        }
    }
    let headings = cards.lines().filter(|line| line.starts_with("## ")).count();
    assert_eq!(headings, ids.len(), "a card without a kind");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), KINDS.len(), "ids are unique");
}

/// Files stay small enough to read in one sitting; data tables need not.
#[test]
fn no_file_is_a_drawer() {
    for (path, text) in sources("src")
        .into_iter()
        .chain(sources("tests"))
        .chain(sources("sample-data"))
    {
        let lines = text.lines().count();
        assert!(lines <= 600, "{} has {lines} lines", path.display());
    }
}

/// Every path that a document names exists.
#[test]
fn documents_name_paths_that_exist() {
    let documents = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/findings.md",
        "docs/aws.md",
        "docs/usage.md",
        "sample-data/README.md",
    ];
    for document in documents {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        for word in text.split(['`', '(', ')', ' ', '\n']) {
            let ours = [
                "src/",
                "tests/",
                "docs/",
                "queries/",
                "sample-data/",
                "benches/",
                ".ci/",
            ];
            let path = word.trim_end_matches(['.', ',', ':', ';']);
            if ours.iter().any(|start| path.starts_with(start)) && !path.contains(['*', '<', '{']) {
                assert!(root().join(path).exists(), "{document} names {path}");
            }
        }
    }
}

/// The README shows what the program prints.
#[test]
fn the_readme_shows_the_demo_as_it_is() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let output = crate::common::closegate().arg("demo").output().unwrap();
    let demo = String::from_utf8(output.stdout).unwrap();
    assert!(readme.contains(demo.trim_end()), "run `make snippets`");
}
