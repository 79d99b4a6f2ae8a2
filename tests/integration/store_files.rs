//! A store's files: closegate removes only its own, and never takes damage for another number.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use closegate::flow::FlowTable;
use closegate::ingest::Intake;
use closegate::store;

use crate::cli::fails;
use crate::common::{closegate, fixtures, printed, sample};

fn ingest(flows: &Path, store: &Path) -> assert_cmd::Command {
    let mut command = closegate();
    command
        .arg("ingest")
        .arg("--flows")
        .arg(flows)
        .arg("--inventory")
        .arg(sample().join("inventory"))
        .arg("--store")
        .arg(store);
    command
}

fn day(number: u32) -> PathBuf {
    sample().join(format!("flows/custom/day-{number}.log.gz"))
}

/// A store of a few rows on two days.
fn small(dir: &Path) -> PathBuf {
    let log = dir.join("small.log");
    let row = |interface: &str, port: u32, start: u64| {
        format!(
            "2 123456789012 {interface} 10.0.0.1 10.0.0.{port} 40000 {port} 6 1 60 {start} {} ACCEPT OK\n",
            start + 60
        )
    };
    let rows = [
        row("eni-1", 22, 1_793_500_000),
        row("eni-2", 53, 1_793_500_000),
        row("eni-1", 25, 1_793_600_000),
    ];
    fs::write(&log, rows.concat()).unwrap();
    let store = dir.join("store");
    ingest(&log, &store).assert().success();
    store
}

fn files(store: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    walkdir::WalkDir::new(store)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| (entry.path().to_path_buf(), fs::read(entry.path()).unwrap()))
        .collect()
}

/// What a store gives, to be compared.
fn numbers((table, intake): &(FlowTable, Intake)) -> String {
    format!("{table:?} {intake:?}")
}

/// Every byte of every file, one bit each: an error, or the same numbers. Never a panic, and never other numbers.
#[test]
fn one_flipped_bit_is_an_error_or_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(dir.path());
    let whole = numbers(&store::load(&store).unwrap());
    let (mut errors, mut bytes) = (0, 0);
    for (path, content) in files(&store) {
        for position in 0..content.len() {
            let mut damaged = content.clone();
            damaged[position] ^= 1 << (position % 8);
            fs::write(&path, &damaged).unwrap();
            bytes += 1;
            match store::load(&store) {
                Ok(loaded) => assert_eq!(numbers(&loaded), whole, "{path:?} byte {position}"),
                Err(error) => {
                    errors += 1;
                    let name = path.file_name().unwrap().to_str().unwrap();
                    assert!(error.to_string().contains(name), "{error}");
                }
            }
        }
        fs::write(&path, &content).unwrap();
    }
    assert_eq!(numbers(&store::load(&store).unwrap()), whole);
    assert!(
        bytes > 5_000 && errors > bytes * 9 / 10,
        "{errors} of {bytes}"
    );
}

/// Other damage than flipped bits, on every command that reads or writes a store: the very file is named, and the advice works.
#[test]
fn a_damaged_store_is_refused_by_name_until_it_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(dir.path());
    let log = dir.path().join("small.log");
    let whole = files(&store);
    let parquet: Vec<&PathBuf> = whole
        .keys()
        .filter(|path| path.extension().is_some_and(|e| e == "parquet"))
        .collect();
    assert_eq!(parquet.len(), 4);
    let other = dir.path().join("other");
    ingest(&day(1), &other).assert().success();
    let other = files(&other);
    let other_store = |path: &Path| {
        let what = path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .split('-')
            .next()
            .unwrap()
            .to_owned();
        let same = other.keys().find(|other| {
            let name = other.file_name().unwrap().to_str().unwrap();
            name.starts_with(&what)
        });
        other[same.unwrap()].clone()
    };
    let other_kind = |path: &Path| {
        let other = parquet
            .iter()
            .find(|other| **other != path && other.parent() == path.parent());
        whole[*other.unwrap()].clone()
    };
    for path in &parquet {
        let name = path.file_name().unwrap().to_str().unwrap();
        let content = &whole[*path];
        let damages = [
            Some(other_store(path)),
            Some(other_kind(path)),
            Some(content[..content.len() / 2].to_vec()),
            Some(Vec::new()),
            None,
        ];
        for damage in damages {
            // Where nothing happened, a file is that of another store.
            if damage.as_ref() == Some(content) {
                continue;
            }
            match &damage {
                Some(damaged) => fs::write(path, damaged).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
            let word = if damage.is_some() {
                "damaged"
            } else {
                "missing"
            };
            let says = [name, word, "delete the store"];
            let before = files(&store);
            fails(ingest(&log, &store).assert(), 2, &says);
            fails(ingest(&day(1), &store).assert(), 2, &says);
            assert_eq!(files(&store), before, "nothing was changed");
            assert!(
                store::load(&store)
                    .is_err_and(|error| says.iter().all(|word| error.to_string().contains(word)))
            );
            let verified = closegate()
                .args(["store", "verify"])
                .arg(&store)
                .assert()
                .code(1);
            let text = String::from_utf8(verified.get_output().stdout.clone()).unwrap();
            assert!(
                text.starts_with("3 of 4 files whole")
                    && text.contains(word)
                    && text.contains(name),
                "{text}"
            );
            fs::write(path, content).unwrap();
        }
    }
}

#[test]
fn the_advice_for_a_damaged_store_works() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(dir.path());
    let log = dir.path().join("small.log");
    let whole = files(&store);
    let first = whole
        .keys()
        .find(|path| path.extension().is_some_and(|e| e == "parquet"));
    let first = first.unwrap();
    let audit = |store: &Path| {
        let mut command = closegate();
        command
            .args(["audit", "--store"])
            .arg(store)
            .arg("--inventory")
            .arg(fixtures().join("inventory"))
            .arg("--out")
            .arg(dir.path().join("run"));
        command
    };
    fs::write(first, "x").unwrap();
    fails(
        audit(&store).assert(),
        2,
        &[first.file_name().unwrap().to_str().unwrap(), "damaged"],
    );
    // What the error advises.
    fs::remove_dir_all(&store).unwrap();
    ingest(&log, &store).assert().success();
    assert_eq!(files(&store), whole);
    audit(&store).assert().success();
}

#[test]
fn verify_says_what_is_whole_and_what_no_manifest_names() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(dir.path());
    let verify = || {
        let mut command = closegate();
        command.args(["store", "verify"]).arg(&store);
        command
    };
    assert_eq!(
        printed(&mut verify()),
        "4 of 4 files whole: 2 days, 3 flows\n"
    );
    fs::write(store.join("mine.parquet"), "x").unwrap();
    let whole = files(&store);
    let flows = whole
        .keys()
        .find(|path| path.to_string_lossy().contains("/flows-"));
    fs::remove_file(flows.unwrap()).unwrap();
    let assert = verify().arg("--json").assert().code(1);
    let answer: serde_json::Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    assert_eq!(answer["schema_version"], 2);
    assert_eq!(answer["unlisted"], serde_json::json!(["mine.parquet"]));
    assert_eq!(answer["missing"].as_array().unwrap().len(), 1);
    assert_eq!(answer["damaged"], serde_json::json!([]));
    fails(
        closegate()
            .args(["store", "verify"])
            .arg(dir.path())
            .assert(),
        2,
        &["is not a store"],
    );
}

/// A directory that closegate did not make is refused before a byte is changed.
#[test]
fn a_directory_that_is_no_store_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let whole = small(dir.path());
    let text = fs::read_to_string(whole.join("manifest.json")).unwrap();
    let snapshot = r#"{"schema_version": 2, "tool": {"name": "closegate"}, "collected_at": 0}"#;
    let cases: &[(&str, &[u8])] = &[
        ("mine.parquet", b"x"),
        ("lock", b"not empty"),
        ("manifest.json", b"{}"),
        ("manifest.json", b"not JSON"),
        ("manifest.json", snapshot.as_bytes()),
        ("manifest.json.new", b"mine"),
        ("day=2026-11-01/flows-0123456789abcdef.parquet", b"x"),
    ];
    for (number, (name, content)) in cases.iter().enumerate() {
        let place = dir.path().join(number.to_string());
        fs::create_dir_all(place.join(name).parent().unwrap()).unwrap();
        fs::write(place.join(name), content).unwrap();
        let before = files(&place);
        let first = name.split('/').next().unwrap();
        fails(
            ingest(&day(1), &place).assert(),
            2,
            &["is not a store", first],
        );
        let merge = closegate()
            .args(["ingest", "--merge"])
            .arg(&whole)
            .arg("--store")
            .arg(&place)
            .assert();
        fails(merge, 2, &["is not a store", first]);
        assert_eq!(files(&place), before);
    }
    // The directory of the logs is none either, and the logs stay.
    let logs = dir.path().join("logs");
    fs::create_dir(&logs).unwrap();
    fs::copy(day(1), logs.join("day-1.log.gz")).unwrap();
    fails(
        ingest(&logs, &logs).assert(),
        2,
        &["is not a store", "day-1.log.gz"],
    );
    assert_eq!(files(&logs).len(), 1);

    for version in ["0", "1", "4", "99", "\"3\""] {
        let other = text.replacen(
            "\"schema_version\": 3",
            &format!("\"schema_version\": {version}"),
            1,
        );
        fs::write(whole.join("manifest.json"), other).unwrap();
        let says = ["schema_version is", "reads stores of 2 and 3"];
        fails(ingest(&day(1), &whole).assert(), 2, &says);
        fails(
            closegate().args(["store", "verify"]).arg(&whole).assert(),
            2,
            &says,
        );
        let audit = closegate()
            .args(["audit", "--store"])
            .arg(&whole)
            .arg("--inventory")
            .arg(sample().join("inventory"))
            .arg("--out")
            .arg(dir.path().join("run"))
            .assert();
        fails(audit, 2, &says);
    }
}

/// What a user puts into a store stays; what a killed run left there goes.
#[test]
fn only_files_that_the_manifest_names_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    fs::create_dir(&store).unwrap();
    std::os::unix::fs::symlink(&store, dir.path().join("link")).unwrap();
    ingest(&day(1), &dir.path().join("link")).assert().success();
    let foreign = [
        "mine.parquet",
        "notes/mine.parquet",
        "day=2026-11-03/mine.parquet",
    ];
    for name in foreign {
        fs::create_dir_all(store.join(name).parent().unwrap()).unwrap();
        fs::write(store.join(name), name).unwrap();
    }
    ingest(&day(2), &store).assert().success();
    ingest(&day(3), &dir.path().join("link")).assert().success();
    for name in foreign {
        assert_eq!(fs::read_to_string(store.join(name)).unwrap(), name);
        fs::remove_file(store.join(name)).unwrap();
    }
    let _ = fs::remove_dir(store.join("notes"));
    // Days that came in parts left nothing of these.
    assert!(store::verify(&store).unwrap().unlisted.is_empty());
    let clean = dir.path().join("clean");
    ingest(&sample().join("flows/custom"), &clean)
        .assert()
        .success();
    let relative = |store: &Path| -> BTreeMap<PathBuf, Vec<u8>> {
        let files = files(store).into_iter();
        files
            .map(|(path, content)| (path.strip_prefix(store).unwrap().to_path_buf(), content))
            .collect()
    };
    assert_eq!(relative(&store), relative(&clean));
}

/// A pipe can't be read again, so a store can't remember it; an audit reads it once.
#[test]
fn pipes_are_refused_by_a_store_and_read_once_by_an_audit() {
    let dir = tempfile::tempdir().unwrap();
    let bin = env!("CARGO_BIN_EXE_closegate");
    let bash = |script: String| {
        let mut command = assert_cmd::Command::new("timeout");
        command.args(["60", "bash", "-c", &script]);
        command.assert()
    };
    let (log, inventory) = (
        day(1).display().to_string(),
        sample().join("inventory").display().to_string(),
    );
    let place = |name: &str| dir.path().join(name).display().to_string();
    let (store, fifo, run) = (place("store"), place("logs/fifo.gz"), place("run"));
    fs::create_dir(dir.path().join("logs")).unwrap();
    bash(format!("mkfifo {fifo}")).success();

    let refused = ["is a pipe or a device", "save it to a file first"];
    fails(
        bash(format!(
            "{bin} ingest --flows <(cat {log}) --inventory {inventory} --store {store}"
        )),
        2,
        &refused,
    );
    fails(
        bash(format!(
            "{bin} ingest --flows {fifo} --inventory {inventory} --store {store}"
        )),
        2,
        &refused,
    );
    fails(
        bash(format!(
            "{bin} ingest --flows - --inventory {inventory} --store {store} < {log}"
        )),
        2,
        &refused,
    );
    assert!(!dir.path().join("store").exists(), "nothing was made");

    let from_pipe = bash(format!(
        "{bin} audit --flows <(cat {log}) --inventory {inventory} --out {run}"
    ))
    .success();
    let from_file = bash(format!(
        "{bin} audit --flows {log} --inventory {inventory} --out {run}"
    ))
    .success();
    assert_eq!(from_pipe.get_output().stdout, from_file.get_output().stdout);

    // Where a pattern or a directory holds a pipe, closegate passes over it.
    fails(
        bash(format!(
            "{bin} audit --flows '{}/*' --inventory {inventory} --out {run}",
            place("logs")
        )),
        2,
        &["matches no file"],
    );
    fails(
        bash(format!(
            "{bin} audit --flows {} --inventory {inventory} --out {run}",
            place("logs")
        )),
        2,
        &["empty directory"],
    );
    fs::copy(day(1), dir.path().join("logs/day-1.log.gz")).unwrap();
    for flows in [place("logs/*"), place("logs")] {
        bash(format!(
            "{bin} audit --flows '{flows}' --inventory {inventory} --out {run}"
        ))
        .success();
        bash(format!(
            "{bin} ingest --flows '{flows}' --inventory {inventory} --store {store}"
        ))
        .success();
    }
}
