//! The guides name what there is: commands that closegate takes, output that it prints, and pages of the book.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::common::{closegate, root, sample};

/// The pages with commands: the README and the guides, with their text.
fn pages() -> Vec<(PathBuf, String)> {
    let guides = fs::read_dir(root().join("docs")).unwrap();
    let mut pages: Vec<PathBuf> = guides
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    pages.push(root().join("README.md"));
    pages.sort();
    let text = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    pages.into_iter().map(text).collect()
}

/// A fenced block of a page.
struct Block<'a> {
    /// The line before it.
    before: &'a str,
    language: &'a str,
    lines: Vec<&'a str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    let mut before = "";
    while let Some(line) = lines.next() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let body = lines
                .by_ref()
                .take_while(|line| line.trim_start() != "```")
                .collect();
            blocks.push(Block {
                before,
                language,
                lines: body,
            });
        }
        before = line;
    }
    blocks
}

/// The words of a shell's command, up to a pipe, a redirection or a comment.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word = Some(word.unwrap_or_default());
            }
            (None, ' ') => words.extend(word.take()),
            (None, '|' | '>' | ';' | '&') => break,
            (None, '#') if word.is_none() => break,
            _ => word.get_or_insert_with(String::new).push(c),
        }
    }
    words.extend(word);
    words
}

/// What stands behind `closegate` in each of a block's commands.
fn commands(block: &Block<'_>) -> Vec<Vec<String>> {
    let text = block.lines.join("\n").replace("\\\n", " ");
    text.lines()
        .map(|line| line.trim_start().trim_start_matches("$ "))
        .filter_map(|line| line.strip_prefix("closegate "))
        .map(words)
        .collect()
}

/// `--help` behind a command is reached only if its own words are taken.
#[test]
fn every_command_in_the_guides_is_one_that_closegate_takes() {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (page, text) in pages() {
        let blocks = blocks(&text);
        let shell = blocks
            .iter()
            .filter(|block| matches!(block.language, "sh" | "console"));
        for words in shell.flat_map(commands) {
            // A build without AWS lacks the one command, and most options of the other.
            let is_of_aws = ["collect", "init"].contains(&words[0].as_str());
            let is_missing = cfg!(not(feature = "aws")) && is_of_aws;
            if is_missing || !seen.insert(words.clone()) {
                continue;
            }
            let done = closegate().args(&words).arg("--help").output().unwrap();
            if !done.status.success() {
                let said = String::from_utf8_lossy(&done.stderr);
                let page = page.display();
                wrong.push(format!("{page}: closegate {}: {said}", words.join(" ")));
            }
        }
    }
    assert!(seen.len() > 50, "{} commands", seen.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether this is what a guide shows: a line `…` stands for any number of lines.
fn is_shown(shown: &[&str], printed: &[&str]) -> bool {
    match shown {
        [] => printed.is_empty(),
        ["…", rest @ ..] => (0..=printed.len()).any(|cut| is_shown(rest, &printed[cut..])),
        [line, rest @ ..] => printed.first() == Some(line) && is_shown(rest, &printed[1..]),
    }
}

/// Blocks marked so are run where `closegate demo --policy --out demo` put its files.
#[test]
fn the_guides_show_what_closegate_prints() {
    let dir = tempfile::tempdir().unwrap();
    closegate()
        .current_dir(dir.path())
        .args(["demo", "--policy", "--out", "demo"])
        .assert()
        .success();
    let mut shown = 0;
    for (page, text) in pages() {
        for block in blocks(&text) {
            if block.before != "<!-- runs in demo -->" {
                continue;
            }
            let commands = commands(&block);
            let [words] = &commands[..] else {
                panic!("{}: one command a block: {commands:?}", page.display());
            };
            let done = closegate()
                .current_dir(dir.path().join("demo"))
                .args(words)
                .output()
                .unwrap();
            let printed = String::from_utf8(done.stdout).unwrap();
            let printed: Vec<&str> = printed.lines().collect();
            assert!(
                is_shown(&block.lines[1..], &printed),
                "{}: closegate {} prints\n{}",
                page.display(),
                words.join(" "),
                printed.join("\n")
            );
            shown += 1;
        }
    }
    assert!(shown > 3, "{shown} blocks");
}

/// The quick start switches on the format that `doctor` recommends.
#[test]
fn the_quick_start_has_the_recommended_format() {
    let flows = sample().join("flows/default");
    let done = closegate()
        .args(["doctor", "--json", "--flows"])
        .arg(flows)
        .output()
        .unwrap();
    let found: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let format = found["recommended_log_format"].as_str().unwrap();
    let guide = fs::read_to_string(root().join("docs/quick-start.md")).unwrap();
    assert!(guide.contains(&format!("'{format}'")), "{format}");
}

/// `make docs` fails for a page without a place; this says so before it is built.
#[test]
fn every_page_has_its_place_in_the_book() {
    let index = fs::read_to_string(root().join("docs/index.md")).unwrap();
    let places: BTreeSet<&str> = blocks(&index)
        .into_iter()
        .filter(|block| block.language == "{toctree}")
        .flat_map(|block| block.lines)
        .map(|line| match line.split_once('<') {
            Some((_, place)) => place.trim_end_matches('>'),
            None => line,
        })
        .collect();
    for (page, _) in pages() {
        let name = page.file_stem().unwrap().to_str().unwrap();
        let place = match name {
            "index" => continue,
            "README" => "../README",
            name => name,
        };
        assert!(places.contains(place), "docs/index.md lacks {place}");
    }
}
