//! The imports between the files of the library, read from their text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A file of the library, which is one module.
pub(crate) struct Module {
    /// Below `src`.
    pub(crate) file: PathBuf,
    /// Its path in the crate: `["ingest", "row"]`; empty for `lib.rs`.
    pub(crate) path: Vec<String>,
    tokens: Vec<String>,
    /// What its `use` items bring into scope, by name.
    aliases: BTreeMap<String, Vec<String>>,
    /// Of these, what others can name through it.
    exports: BTreeSet<String>,
    /// Every path that its code names, from the root of the crate.
    paths: BTreeSet<Vec<String>>,
}

/// The library's modules and who imports from whom.
pub(crate) struct Crate {
    pub(crate) modules: Vec<Module>,
    /// For each module, those that it imports from, by position.
    pub(crate) imports: Vec<BTreeSet<usize>>,
}

impl Crate {
    /// Reads files: path below `src`, and text. `main.rs` is another crate.
    pub(crate) fn new<'a>(files: impl IntoIterator<Item = (&'a Path, &'a str)>) -> Self {
        let mut modules: Vec<Module> = files
            .into_iter()
            .filter(|(file, _)| *file != Path::new("main.rs"))
            .map(|(file, text)| Module::new(file, text))
            .collect();
        let names: BTreeSet<Vec<String>> = modules.iter().map(|m| m.path.clone()).collect();
        for module in &mut modules {
            module.read(&names);
        }
        let position: BTreeMap<&[String], usize> = modules
            .iter()
            .enumerate()
            .map(|(at, module)| (module.path.as_slice(), at))
            .collect();
        let imports = (0..modules.len())
            .map(|own| {
                let paths = modules[own].paths.iter();
                let mut found: BTreeSet<usize> = paths
                    .filter_map(|path| defining(&modules, &position, path, 0))
                    .collect();
                found.remove(&own);
                found
            })
            .collect();
        Self { modules, imports }
    }

    /// The circles: sets of files each of which reaches every other by imports.
    pub(crate) fn circles(&self) -> Vec<Vec<usize>> {
        let reached: Vec<BTreeSet<usize>> = (0..self.modules.len())
            .map(|from| {
                let mut seen = BTreeSet::new();
                let mut left: Vec<usize> = self.imports[from].iter().copied().collect();
                while let Some(next) = left.pop() {
                    if seen.insert(next) {
                        left.extend(&self.imports[next]);
                    }
                }
                seen
            })
            .collect();
        let mut circles: Vec<Vec<usize>> = (0..self.modules.len())
            .filter(|&one| reached[one].contains(&one))
            .map(|one| {
                let both = reached[one].iter().copied();
                both.filter(|&other| reached[other].contains(&one))
                    .collect()
            })
            .collect();
        circles.sort();
        circles.dedup();
        circles
    }
}

impl Module {
    fn new(file: &Path, text: &str) -> Self {
        let mut path: Vec<String> = file
            .with_extension("")
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        if path.last().is_some_and(|last| last == "mod") || path == ["lib"] {
            path.pop();
        }
        Self {
            file: file.to_path_buf(),
            path,
            tokens: without_tests(&tokens(text)),
            aliases: BTreeMap::new(),
            exports: BTreeSet::new(),
            paths: BTreeSet::new(),
        }
    }

    /// The first parts of every path that it names, re-exports included: stages, for a whole crate.
    pub(crate) fn roots(&self) -> BTreeSet<&str> {
        let paths = self.paths.iter().chain(self.aliases.values());
        paths
            .filter_map(|path| path.first())
            .map(String::as_str)
            .collect()
    }

    /// The modules that it declares in files of their own, in order.
    pub(crate) fn declared(&self) -> Vec<&str> {
        let is_file = |at: &usize| self.at(*at) == "mod" && self.at(at + 2) == ";";
        let places = (0..self.tokens.len()).filter(is_file);
        places.map(|at| self.at(at + 1)).collect()
    }

    /// The public types that it defines: `pub`, `pub(crate)` and the like.
    pub(crate) fn public_types(&self) -> impl Iterator<Item = &str> {
        (0..self.tokens.len()).filter_map(|at| {
            let kind = matches!(self.at(at), "struct" | "enum" | "trait" | "type" | "union");
            let public = at > 0 && matches!(self.at(at - 1), "pub" | ")");
            let visible = self.at(at.saturating_sub(1)) == "pub"
                || self.tokens[..at].iter().rev().take(8).any(|t| t == "pub");
            let found = kind && public && visible && is_name(self.at(at + 1));
            found.then(|| self.at(at + 1))
        })
    }

    fn at(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", String::as_str)
    }

    /// Collects aliases, exports and paths. `names` are the paths of all modules.
    fn read(&mut self, names: &BTreeSet<Vec<String>>) {
        let mut uses = Vec::new();
        let mut spans = Vec::new();
        let mut inline: Vec<(String, usize)> = Vec::new();
        let mut depth = 0_usize;
        let mut at = 0;
        while at < self.tokens.len() {
            match self.at(at) {
                "{" => depth += 1,
                "}" => {
                    depth = depth.saturating_sub(1);
                    inline.pop_if(|(_, outside)| *outside == depth);
                }
                "mod" if self.at(at + 2) == "{" => {
                    inline.push((self.at(at + 1).to_owned(), depth));
                }
                "use" if self.at(at + 1) != "<" => {
                    let end = (at..self.tokens.len())
                        .find(|&end| self.at(end) == ";")
                        .unwrap_or(self.tokens.len());
                    let public = matches!(self.at(at.wrapping_sub(1)), "pub" | ")");
                    for (leaf, name) in leaves(&self.tokens[at + 1..end]) {
                        let full = self.absolute(&leaf, &inline, names);
                        uses.push((full, name, public));
                    }
                    at = end;
                }
                first if self.at(at + 1) == "::" && !self.continues(at) => {
                    let end = (at..)
                        .step_by(2)
                        .find(|&end| self.at(end + 1) != "::" || !is_name(self.at(end + 2)))
                        .unwrap_or(at);
                    let path: Vec<String> =
                        self.tokens[at..=end].iter().step_by(2).cloned().collect();
                    let first = first.to_owned();
                    spans.push((path, inline.clone(), first));
                    at = end;
                }
                name if !self.continues(at) => {
                    spans.push((vec![name.to_owned()], inline.clone(), name.to_owned()));
                }
                _ => {}
            }
            at += 1;
        }
        for (full, name, public) in uses {
            let Some(full) = full else { continue };
            if public {
                self.exports.insert(name.clone());
            } else {
                self.paths.insert(full.clone());
            }
            self.aliases.insert(name, full);
        }
        for (path, inline, first) in spans {
            if let Some(alias) = self.aliases.get(&first) {
                let rest = path[1..].iter().cloned();
                self.paths
                    .insert(alias.iter().cloned().chain(rest).collect());
            } else if path.len() > 1
                && let Some(full) = self.absolute(&path, &inline, names)
            {
                self.paths.insert(full);
            }
        }
    }

    /// Whether the name here belongs to what is before it: `a::b`, `a.b`, `pub(in a)`, `mod a`.
    fn continues(&self, at: usize) -> bool {
        at > 0 && matches!(self.at(at - 1), "::" | "." | "in" | "mod" | "'")
    }

    /// The path from the root of the crate; `None` if it leads out of the crate.
    fn absolute(
        &self,
        path: &[String],
        inline: &[(String, usize)],
        names: &BTreeSet<Vec<String>>,
    ) -> Option<Vec<String>> {
        let inside = inline.iter().map(|(name, _)| name.clone());
        let mut full: Vec<String> = self.path.iter().cloned().chain(inside).collect();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                full.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    full.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                let mut below = self.path.clone();
                below.push(child.to_owned());
                if !names.contains(&below) {
                    return None;
                }
            }
        }
        full.extend(rest.iter().filter(|part| *part != "self").cloned());
        Some(full)
    }
}

/// The file that defines what a path names, through whatever exports it again.
fn defining(
    modules: &[Module],
    position: &BTreeMap<&[String], usize>,
    path: &[String],
    steps: usize,
) -> Option<usize> {
    let length = (0..=path.len())
        .rev()
        .find(|&length| position.contains_key(&path[..length]))?;
    let module = &modules[position[&path[..length]]];
    let Some(name) = path.get(length) else {
        return Some(position[&path[..length]]);
    };
    match module.aliases.get(name) {
        Some(target) if module.exports.contains(name) && steps < 8 => {
            let full: Vec<String> = target.iter().chain(&path[length + 1..]).cloned().collect();
            defining(modules, position, &full, steps + 1)
        }
        _ => Some(position[&path[..length]]),
    }
}

/// The paths of a `use` item's tree, each with the name that it brings into scope.
fn leaves(tree: &[String]) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut prefixes: Vec<Vec<String>> = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut tokens = tree.iter().peekable();
    let leaf = |path: &[String], name: Option<&String>| {
        let last = path.iter().rfind(|part| *part != "self");
        let name = name.or(last).cloned().unwrap_or_default();
        (path.to_vec(), name)
    };
    while let Some(token) = tokens.next() {
        match token.as_str() {
            "::" | "*" => {}
            "{" => prefixes.push(path.clone()),
            "," | "}" => {
                let prefix = prefixes.last().cloned().unwrap_or_default();
                if path.len() > prefix.len() {
                    found.push(leaf(&path, None));
                }
                if token == "}" {
                    prefixes.pop();
                    path = prefixes.last().cloned().unwrap_or_default();
                } else {
                    path = prefix;
                }
            }
            "as" => {
                found.push(leaf(&path, tokens.next()));
                path = prefixes.last().cloned().unwrap_or_default();
            }
            name => path.push(name.to_owned()),
        }
    }
    if !path.is_empty() {
        found.push(leaf(&path, None));
    }
    found
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The code without its test modules, whose imports bind nobody.
fn without_tests(tokens: &[String]) -> Vec<String> {
    const TESTS: [&str; 8] = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].iter().take(8).eq(TESTS) {
            let mut depth = 0_usize;
            while at < tokens.len() {
                match tokens[at].as_str() {
                    "{" => depth += 1,
                    "}" if depth == 1 => break,
                    "}" => depth -= 1,
                    _ => {}
                }
                at += 1;
            }
        } else {
            kept.push(tokens[at].clone());
        }
        at += 1;
    }
    kept
}

/// Names, `::` and single characters; no comments, strings, characters or numbers.
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = literal(rest) {
            length
        } else if first.is_alphanumeric() || first == '_' {
            let word = |c: char| !c.is_alphanumeric() && c != '_';
            let length = rest.find(word).unwrap_or(rest.len());
            if !first.is_numeric() {
                found.push(rest[..length].to_owned());
            }
            length
        } else if rest.starts_with("::") {
            found.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                found.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

/// How long the string or character is that the text begins with, in bytes.
fn literal(text: &str) -> Option<usize> {
    let body = text.strip_prefix('b').unwrap_or(text);
    let before = text.len() - body.len();
    if let Some(raw) = body.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let end = raw[hashes + 1..].find(&close)?;
            return Some(before + 1 + hashes + 1 + end + close.len());
        }
        return None;
    }
    let quote = body.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    if quote == '\'' {
        // A lifetime has no second quote right after one character.
        let mut inside = body[1..].chars();
        let one = inside.next()?;
        if one != '\\' && inside.next() != Some('\'') {
            return None;
        }
    }
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(before + at + quote.len_utf8()),
            _ => {}
        }
    }
    None
}

#[test]
fn every_form_of_import_is_found() {
    let files = [
        ("lib.rs", "pub mod a;"),
        (
            "a/mod.rs",
            "mod one; mod two; mod three; pub use one::One; fn f(_: One) { two::g() }",
        ),
        (
            "a/one.rs",
            "use super::{two::{self, Two}, three as other}; // crate::a::four\n",
        ),
        (
            "a/two.rs",
            "fn g() { let _ = \"crate::a::one\"; crate::a::One; } #[cfg(test)] mod tests { use super::super::three; }",
        ),
        (
            "a/three.rs",
            "pub(crate) struct Three<'a>(&'a str, char = '\"'); mod inner { use super::super::one; }",
        ),
    ];
    let read = Crate::new(files.iter().map(|(file, text)| (Path::new(file), *text)));
    let named = |positions: &BTreeSet<usize>| {
        let files = positions.iter().map(|&at| read.modules[at].file.to_str());
        files.map(Option::unwrap).collect::<Vec<_>>().join(" ")
    };
    let imports: Vec<String> = read.imports.iter().map(named).collect();
    let expected = [
        "",
        "a/one.rs a/two.rs",
        "a/two.rs a/three.rs",
        "a/one.rs",
        "a/one.rs",
    ];
    assert_eq!(imports, expected);
    assert_eq!(read.circles(), [vec![2, 3, 4]]);
    assert_eq!(read.modules[0].declared(), ["a"]);
    assert!(
        read.modules
            .iter()
            .skip(1)
            .all(|module| module.roots() == ["a"].into())
    );
    assert_eq!(
        read.modules[4].public_types().collect::<Vec<_>>(),
        ["Three"]
    );
}
