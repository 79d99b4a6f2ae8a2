//! What commands write, and that they leave everything else alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use assert_cmd::Command;

use crate::cli::fails;
use crate::common::{closegate, fixtures, sample};

/// An audit of a small log.
fn audit(out: &Path) -> Command {
    let mut command = closegate();
    command
        .args(["audit", "--flows"])
        .arg(fixtures().join("irc/positive.log"))
        .arg("--inventory")
        .arg(fixtures().join("inventory"))
        .arg("--out")
        .arg(out);
    command
}

fn run_in(dir: &Path) -> PathBuf {
    let run = dir.join("run");
    audit(&run).assert().success();
    run
}

/// Every entry below a directory: what it is, its permissions, and its content or target.
fn tree(dir: &Path) -> BTreeMap<PathBuf, (String, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(dir).min_depth(1).into_iter();
    let entry = |entry: walkdir::Result<walkdir::DirEntry>| {
        let entry = entry.unwrap();
        let (path, kind) = (entry.path(), entry.file_type());
        let metadata = entry.metadata().unwrap();
        let content = if kind.is_file() {
            fs::read(path).unwrap()
        } else if kind.is_symlink() {
            fs::read_link(path)
                .unwrap()
                .into_os_string()
                .into_encoded_bytes()
        } else {
            Vec::new()
        };
        let says = format!("{kind:?} {:o}", metadata.mode());
        let name = path.strip_prefix(dir).unwrap().to_path_buf();
        (name, (says, content))
    };
    entries.map(entry).collect()
}

/// Files whose names are near those that closegate uses itself.
const FOREIGN: &[&str] = &[
    "audit.json",
    "audit.json.new",
    "lock",
    "manifest.json",
    "manifest.json.new",
    "closegate.toml.new",
    "tables/ip-ranges.new",
    "tables/notes.txt",
    ".closegate-notes",
    "out/rules.tf~",
    "day=2026-11-01/flows-0.parquet",
];

/// Commands in order: the output of each below the directory, and its words; `@` is the directory.
const COMMANDS: &[(&str, &str)] = &[
    (
        "audited",
        "audit --flows FLOWS --inventory INVENTORY --out @/audited",
    ),
    (
        "audited",
        "audit --flows FLOWS --inventory INVENTORY --out @/audited",
    ),
    ("demo", "demo --out @/demo"),
    (
        "store",
        "ingest --flows FLOWS --inventory INVENTORY --store @/store",
    ),
    ("merged", "ingest --merge @/store --store @/merged"),
    (
        "out/rules",
        "rules @/run --emit terraform --out @/out/rules",
    ),
    (
        "out/report",
        "report @/run --format html --out @/out/report",
    ),
    ("out/graph", "graph @/run --format dot --out @/out/graph"),
    ("out/man", "man --out @/out/man"),
    ("made.toml", "config init @/made.toml"),
    (
        "tables/public-resolvers.txt",
        "tables update --tables @/tables --resolvers RESOLVERS",
    ),
    ("", "verify --current --flows FLOWS --inventory INVENTORY"),
    ("", "diff @/run @/run"),
    ("", "store verify @/store"),
    ("", "query"),
];

/// Before and after every command that has an output, everything outside that output is the same.
#[test]
fn every_command_leaves_everything_outside_its_output_alone() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path();
    for name in FOREIGN {
        let path = home.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    symlink(home.join("lock"), home.join("link")).unwrap();
    run_in(home);
    let resolvers = crate::common::root().join("src/findings/public-resolvers.txt");
    let named = [
        ("FLOWS", sample().join("flows/custom")),
        ("INVENTORY", sample().join("inventory")),
        ("RESOLVERS", resolvers),
        ("@", home.to_path_buf()),
    ];
    for &(output, command) in COMMANDS {
        let arguments: Vec<String> = command
            .split(' ')
            .map(|word| {
                named.iter().fold(word.to_owned(), |word, (name, path)| {
                    word.replace(name, &path.display().to_string())
                })
            })
            .collect();
        let before = tree(home);
        closegate()
            .current_dir(home)
            .args(&arguments)
            .assert()
            .success();
        let mut after = tree(home);
        if !output.is_empty() {
            assert!(home.join(output).exists(), "{arguments:?}");
            after.retain(|path, _| !path.starts_with(output) || before.contains_key(path));
        }
        let same: BTreeMap<_, _> = before
            .iter()
            .filter(|(path, _)| output.is_empty() || !path.starts_with(output))
            .collect();
        after.retain(|path, _| output.is_empty() || !path.starts_with(output));
        assert_eq!(
            after.iter().collect::<BTreeMap<_, _>>(),
            same,
            "{arguments:?}"
        );
    }
}

#[test]
fn a_run_consists_of_the_files_that_the_program_lists() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let mut files: Vec<PathBuf> = tree(&run).into_keys().collect();
    files.retain(|path| run.join(path).is_file());
    let listed: Vec<PathBuf> = closegate::emit::PATHS.iter().map(PathBuf::from).collect();
    assert_eq!(files, listed);
}

/// A directory in which closegate did not write every file is refused, the file is named, and nothing changes.
#[test]
fn a_directory_with_a_foreign_file_is_refused_and_the_file_named() {
    let refused = |dir: &Path, named: &str| {
        let before = tree(dir);
        fails(audit(dir).assert(), 2, &[named, "name a new directory"]);
        assert_eq!(tree(dir), before);
    };
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);

    fs::create_dir(place("npm")).unwrap();
    fs::write(place("npm/audit.json"), r#"{"auditReportVersion": 2}"#).unwrap();
    refused(&place("npm"), "`audit.json`");
    fs::write(place("npm/audit.json"), "not JSON").unwrap();
    refused(&place("npm"), "`audit.json`");

    audit(&place("run")).assert().success();
    for foreign in ["notes.md", "rules/more.tf", "other/notes.md"] {
        let path = place("run").join(foreign);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "notes").unwrap();
        refused(&place("run"), foreign);
        fs::remove_file(&path).unwrap();
    }
    refused(&place("run"), "other");
    fs::remove_dir(place("run/other")).unwrap();

    // A link in a file's place leads to what closegate did not make.
    fs::rename(place("run/report.md"), place("report.md")).unwrap();
    symlink(place("report.md"), place("run/report.md")).unwrap();
    refused(&place("run"), "`report.md`");
    fs::remove_file(place("run/report.md")).unwrap();

    // Without them it is a run again, even one that lacks a file.
    audit(&place("run")).assert().success();
    assert!(place("run/report.md").is_file());
}

#[test]
fn a_run_keeps_links_permissions_and_a_directory_that_cannot_be_moved() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    let is_run = |run: &Path| assert!(run.join("rules/rules.json").is_file(), "{}", run.display());

    // A link to a directory, to an earlier run, and to nothing yet.
    fs::create_dir(place("target")).unwrap();
    fs::set_permissions(place("target"), fs::Permissions::from_mode(0o750)).unwrap();
    symlink("target", place("link")).unwrap();
    symlink("link", place("link-to-link")).unwrap();
    for out in ["link", "link", "link-to-link"] {
        audit(&place(out)).assert().success();
        assert!(place("link").is_symlink() && place("link-to-link").is_symlink());
        is_run(&place("target"));
        assert_eq!(place("target").metadata().unwrap().mode() & 0o777, 0o750);
    }
    symlink("later", place("dangling")).unwrap();
    audit(&place("dangling")).assert().success();
    is_run(&place("later"));
    symlink("loop", place("loop")).unwrap();
    fails(
        audit(&place("loop")).assert(),
        2,
        &["loop", "name one that can be written"],
    );

    // The current directory stays the same directory.
    fs::create_dir(place("here")).unwrap();
    let before = place("here").metadata().unwrap().ino();
    for _ in 0..2 {
        audit(Path::new("."))
            .current_dir(place("here"))
            .assert()
            .success();
        is_run(&place("here"));
        assert_eq!(place("here").metadata().unwrap().ino(), before);
    }
    let names: Vec<PathBuf> = tree(&place("here")).into_keys().collect();
    // The directories `report` and `rules` are among them.
    assert_eq!(names.len(), closegate::emit::PATHS.len() + 2, "{names:?}");

    // Nothing is left beside any of them.
    let left = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name());
    let left: Vec<_> = left
        .filter(|name| name.to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The commands that write one file, for a run.
fn one_file(run: &Path, out: &Path) -> [Command; 3] {
    [
        &["rules", "--emit", "json"][..],
        &["report", "--format", "csv"],
        &["graph", "--format", "dot"],
    ]
    .map(|arguments| {
        let mut command = closegate();
        command.args(arguments).arg(run).arg("--out").arg(out);
        command
    })
}

#[test]
fn one_file_keeps_modes_links_and_names() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
    let umask = dir.path().join("umask");
    fs::write(&umask, "").unwrap();
    let expected = mode(&umask);
    for number in 0..3 {
        let place = |name: &str| dir.path().join(format!("{number}-{name}"));
        let write = |out: &Path| {
            one_file(&run, out)[number].assert().success().stdout("");
            fs::read(out).unwrap()
        };
        let printed = one_file(&run, Path::new("-"))[number].assert().success();
        let content = printed.get_output().stdout.clone();
        assert!(!content.is_empty());

        assert_eq!(write(&place("new")), content);
        assert_eq!(mode(&place("new")), expected, "what the umask says");

        fs::write(place("private"), "before").unwrap();
        fs::set_permissions(place("private"), fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(write(&place("private")), content);
        assert_eq!(mode(&place("private")), 0o640);

        symlink(place("private"), place("link")).unwrap();
        fs::write(place("private"), "before").unwrap();
        assert_eq!(write(&place("link")), content);
        assert!(place("link").is_symlink());
        assert_eq!(fs::read(place("private")).unwrap(), content);

        symlink("later", place("dangling")).unwrap();
        let _ = fs::remove_file(dir.path().join("later"));
        assert_eq!(write(&place("dangling")), content);
        assert!(place("dangling").is_symlink() && dir.path().join("later").is_file());

        fs::write(place("a"), "before, and longer than nothing").unwrap();
        fs::hard_link(place("a"), place("b")).unwrap();
        assert_eq!(write(&place("a")), content);
        assert_eq!(
            fs::read(place("b")).unwrap(),
            content,
            "one file, two names"
        );

        // A device stays one. Only the link could be lost here, should the program be wrong.
        symlink("/dev/null", place("null")).unwrap();
        one_file(&run, &place("null"))[number].assert().success();
        assert!(place("null").is_symlink());
        assert!(
            Path::new("/dev/null")
                .metadata()
                .unwrap()
                .file_type()
                .is_char_device()
        );

        let fifo = place("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || {
                let mut read = Vec::new();
                fs::File::open(fifo)
                    .unwrap()
                    .read_to_end(&mut read)
                    .unwrap();
                read
            }
        });
        one_file(&run, &fifo)[number].assert().success();
        assert_eq!(reader.join().unwrap(), content);
        assert!(fifo.metadata().unwrap().file_type().is_fifo());
    }
}

/// The place is looked at first: with a run that is none as well, the error is about the place.
#[test]
fn a_place_that_cannot_be_written_fails_before_the_work() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "a file").unwrap();
    let no_run = dir.path().join("no-run");
    let before = tree(dir.path());
    for out in [
        file.join("below"),
        dir.path().join("no-directory/x"),
        dir.path().to_path_buf(),
    ] {
        for mut command in one_file(&no_run, &out) {
            let name = out.display().to_string();
            fails(command.assert(), 2, &[&name, "name a file that can be"]);
        }
    }
    fails(audit(&file).assert(), 2, &["file", "name a directory"]);
    let nothing_to_read = closegate()
        .args(["audit", "--flows", "-", "--inventory"])
        .arg(fixtures().join("inventory"))
        .arg("--out")
        .arg(file.join("below"))
        .assert();
    fails(
        nothing_to_read,
        2,
        &["below", "name one that can be written"],
    );
    assert_eq!(tree(dir.path()), before);
}

/// A run that somebody looked at in the Finder of macOS is replaced like any other.
#[test]
fn what_the_finder_leaves_is_no_foreign_file() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let before = tree(&run);
    for file in [".DS_Store", "rules/.DS_Store"] {
        fs::write(run.join(file), "how it looked").unwrap();
    }
    audit(&run).assert().success();
    assert!(tree(&run).keys().eq(before.keys()));
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    fs::create_dir(run.join(".DS_Store")).unwrap();
    fails(audit(&run).assert(), 2, &[".DS_Store"]);
}

#[test]
fn verify_refuses_rules_that_it_does_not_understand() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    closegate()
        .args(["demo", "--out"])
        .arg(&run)
        .assert()
        .success();
    let verify = |name: &str, content: String| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        closegate()
            .args(["verify", "--rules"])
            .arg(&path)
            .arg("--flows")
            .arg(sample().join("flows/custom"))
            .arg("--inventory")
            .arg(sample().join("inventory"))
            .assert()
    };
    let rules = fs::read_to_string(run.join("rules/rules.json")).unwrap();
    assert!(rules.contains("\"status\":\"add\""));
    let unknown = rules.replacen("\"status\":\"add\"", "\"status\":\"x\"", 1);
    fails(
        verify("rules.json", unknown),
        2,
        &["rules.json", "`x`", "`add`"],
    );
    let audit = fs::read_to_string(run.join("audit.json")).unwrap();
    fails(
        verify("audit.json", audit),
        2,
        &["audit.json", "rules/rules.json"],
    );
    let plan = r#"{"format_version": "2.0", "resource_changes": []}"#;
    fails(
        verify("plan.json", plan.to_owned()),
        2,
        &["plan.json", "\"2.0\"", "1.x"],
    );
    verify("plan.json", plan.replace("2.0", "1.2")).success();
}
