//! The project's own rules about itself; ARCHITECTURE.md names each of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use closegate::findings::{KINDS, benchmarks};

use crate::common::{fixtures, root};
use crate::imports::Crate;

/// The pipeline, in order; `net` is below everything.
const ORDER: &[&str] = &[
    "net",
    "platform",
    "documents",
    "toml_file",
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
    "policy",
    "drift",
    "doctor",
    "graph",
    "config",
    "audit",
    "emit",
    "cli",
];

/// The files below a directory of the project, in order.
fn files(below: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut left = vec![root().join(below)];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn sources(below: &str) -> Vec<(PathBuf, String)> {
    let rust = files(below).into_iter();
    let rust = rust.filter(|path| path.extension().is_some_and(|e| e == "rs"));
    rust.map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path, text)
    })
    .collect()
}

fn stage(path: &Path) -> Option<usize> {
    let below = path.strip_prefix(root().join("src")).ok()?;
    let first = below.components().next()?.as_os_str().to_str()?;
    ORDER
        .iter()
        .position(|stage| *stage == first.trim_end_matches(".rs"))
}

/// The library as its files import each other; paths are below `src`.
fn library() -> Crate {
    let files = sources("src");
    let src = root().join("src");
    let below = |path: &'_ Path| path.strip_prefix(&src).unwrap().to_path_buf();
    let files: Vec<(PathBuf, String)> = files
        .into_iter()
        .map(|(path, text)| (below(&path), text))
        .collect();
    Crate::new(files.iter().map(|(path, text)| (&**path, &**text)))
}

/// Files do not import each other: whoever reads one can leave out those that use it.
#[test]
fn no_files_import_each_other() {
    let library = library();
    let file = |&at: &usize| library.modules[at].file.to_str().unwrap();
    let circles = library.circles();
    let mut found: Vec<String> = circles
        .iter()
        .map(|circle| circle.iter().map(file).collect::<Vec<_>>().join(" "))
        .collect();
    found.sort();
    assert_eq!(found, Vec::<String>::new());
}

/// A name that other files see means one type.
#[test]
fn no_public_type_is_defined_twice() {
    let library = library();
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for module in &library.modules {
        for name in module.public_types() {
            let file = module.file.to_str().unwrap();
            files.entry(name).or_default().push(file);
        }
    }
    let twice = files.iter().filter(|(_, files)| files.len() > 1);
    let found: Vec<String> = twice
        .map(|(name, files)| format!("{name}: {}", files.join(" ")))
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

/// Code without its comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
}

/// Imports point only up the pipeline, whatever form they have.
#[test]
fn no_stage_imports_from_a_later_one() {
    let position = |name: &str| {
        let found = ORDER.iter().position(|stage| *stage == name);
        found.unwrap_or_else(|| panic!("{name} is not in ORDER"))
    };
    for module in library().modules {
        let file = module.file.display();
        let Some(own) = module.path.first().map(|own| position(own)) else {
            assert_eq!(
                module.declared(),
                ORDER,
                "{file} declares the stages in order"
            );
            assert!(module.roots().is_empty(), "{file} imports nothing");
            continue;
        };
        for stage in module.roots() {
            let stage = position(stage);
            assert!(
                stage <= own,
                "{file} imports from {}, stage {stage} of the pipeline",
                ORDER[stage]
            );
        }
    }
    let main = std::fs::read_to_string(root().join("src/main.rs")).unwrap();
    let named: Vec<&str> = main.split("closegate::").skip(1).collect();
    assert!(
        !named.is_empty() && named.iter().all(|rest| rest.starts_with("cli::")),
        "main.rs calls the command line and nothing else"
    );
}

/// Only the ends of the pipeline, and what differs between systems, touch files; only `cli` knows arguments,
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
        &["platform", "inventory", "ingest", "store", "cli"],
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
    for (path, text) in sources("src/findings") {
        let file = path.file_stem().unwrap().to_str().unwrap();
        let is_kind = code(&text).any(|line| line.contains("const KIND:"));
        let id = file.replace('_', "-");
        assert_eq!(
            is_kind,
            ids.contains(&&*id),
            "{file}.rs and its line in KINDS"
        );
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
    let guides = std::fs::read_dir(root().join("docs")).unwrap();
    let mut documents: Vec<PathBuf> = guides
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    let others = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "sample-data/README.md",
    ];
    documents.extend(others.map(|name| root().join(name)));
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        let document = document.display();
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

/// One symbol that jemalloc looks for is all that is unsafe.
#[test]
fn only_the_program_names_a_symbol() {
    let library = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    assert!(library.contains("\n#![forbid(unsafe_code)]\n"));
    // Put together here, so that this file does not count.
    let lifted = ["unsafe", "_code"].concat();
    for below in ["src", "tests", "benches", "examples", "sample-data"] {
        for (path, text) in sources(below) {
            let times = code(&text).filter(|line| line.contains(&lifted)).count();
            let known = ["src/lib.rs", "src/main.rs"].map(|own| root().join(own));
            let own = path.ends_with("tests/integration/tidy.rs");
            let expected = usize::from(known.contains(&path));
            assert!(
                own || times == expected,
                "{} has {times} lines on {lifted}",
                path.display()
            );
        }
    }
}

/// What differs by system or processor is where `src/platform/mod.rs` says.
#[test]
fn code_for_one_target_is_in_few_places() {
    let known = [
        "src/cli/policy_dir/steps.rs",
        "src/ingest/simd/delimiters.rs",
        "src/main.rs",
        "src/platform/mod.rs",
        "src/platform/paths.rs",
        "src/platform/unix.rs",
        "src/platform/windows.rs",
        "tests/integration/cli.rs",
        "tests/integration/inventory_files.rs",
        "tests/integration/sources.rs",
        "tests/integration/troubleshooting.rs",
    ];
    // The test binary as a whole needs Unix: there only conditions count.
    let is_specific = |path: &Path, line: &str| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let words: Vec<&str> = line.split(|c| !is_word(c)).collect();
        let system =
            |word: &&str| ["unix", "windows"].contains(word) || word.starts_with("target_");
        let is_condition = words.iter().any(|word| word.starts_with("cfg"));
        let paths = ["std::os::", "std::arch::", "env::consts"];
        is_condition && words.iter().any(system)
            || !path.starts_with(root().join("tests"))
                && paths.iter().any(|path| line.contains(path))
    };
    let mut found = Vec::new();
    let folders = [
        "src",
        "tests",
        "benches",
        "examples",
        "sample-data",
        "fuzz/fuzz_targets",
    ];
    for below in folders {
        for (path, text) in sources(below) {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
            if code(&text).any(|line| is_specific(&path, line)) {
                found.push(name.to_owned());
            }
        }
    }
    found.sort();
    assert_eq!(found, known);
}

/// Files that are compiled in or compared end their lines alike, also where Git would change them.
#[test]
fn lines_end_alike() {
    let rules = std::fs::read_to_string(root().join(".gitattributes")).unwrap();
    assert!(rules.lines().any(|rule| rule == "* text=auto eol=lf"));
    for below in ["queries", "sample-data", "src", "templates"] {
        for path in files(below) {
            // What is not UTF-8 is compressed.
            if let Ok(text) = std::fs::read_to_string(&path) {
                assert!(!text.contains('\r'), "{}", path.display());
            }
        }
    }
}

/// What `make quick` leaves out is there: each line is a module, or a test in one.
#[test]
fn tests_with_peers_are_tests() {
    let list = std::fs::read_to_string(root().join("tests/with-peers.txt")).unwrap();
    let names = list.lines().filter(|line| !line.starts_with('#'));
    let modules: BTreeMap<String, String> = sources("tests/integration")
        .into_iter()
        .map(|(path, text)| {
            let below = path.strip_prefix(root().join("tests/integration")).unwrap();
            let below = below.with_extension("");
            let below = below.to_str().unwrap();
            let module = below.strip_suffix("/mod").unwrap_or(below);
            (module.replace('/', "::"), text)
        })
        .collect();
    let mut count = 0;
    for name in names {
        let (module, test) = name.rsplit_once("::").unwrap();
        let text = modules.get(module);
        let text = text.unwrap_or_else(|| panic!("tests/with-peers.txt: no module {module}"));
        assert!(
            test.is_empty() || text.contains(&format!("fn {test}(")),
            "tests/with-peers.txt: no test {name}"
        );
        count += 1;
    }
    assert!(count > 0);
}
