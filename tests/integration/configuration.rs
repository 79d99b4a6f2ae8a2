//! `closegate.toml`: what it changes, and what is wrong with it.

use std::fs;

use crate::cli::fails;
use crate::common::{closegate, fixtures, sample};

const RESOLVERS: &str = "# 2027-01-01\nQuad9: 9.9.9.9\n";

/// A configuration that can't be used, and what the one sentence about it says.
const WRONG: &[(&str, &[&str])] = &[
    (
        "[generalise]\nlevl = \"exact\"\n",
        &[
            "line 2, column 1: generalise.levl is not a key; did you mean level? there are level, narrow, balanced, compact",
        ],
    ),
    (
        "[generalize]\n",
        &["line 1, column 2: generalize is not a key; did you mean generalise?"],
    ),
    (
        "[generalise]\nlevel = \"wide\"\n",
        &["line 2, column 9: generalise.level is `wide`; give exact, balanced or compact"],
    ),
    (
        "[generalise]\nlevel = 5\n",
        &["line 2, column 9: generalise.level is 5; give exact"],
    ),
    (
        "generalise = 1\n",
        &["line 1, column 14: generalise is 1; give a table, [generalise]"],
    ),
    (
        "[generalise.balanced]\nwidest = 300\n",
        &["generalise.balanced.widest is 300; give a prefix length from 8 to 32"],
    ),
    (
        "[generalise.balanced]\ncoverage = 0\n",
        &["generalise.balanced.coverage is 0; give 1"],
    ),
    (
        "[generalise.balanced]\nexact-up-to = -1\n",
        &["exact-up-to is -1; give a whole number from 0 on"],
    ),
    (
        "[generalise.balanced]\nrange-from = 1\n",
        &["range-from is 1; give 2 or more"],
    ),
    (
        "[generalise.compact]\nunpinned-ports = [80, 70000]\n",
        &[
            "line 2, column 18: generalise.compact.unpinned-ports is",
            "[80, 443]",
            "\"any\"",
        ],
    ),
    (
        "[generalise.compact]\nunpinned-ports = \"all\"\n",
        &["unpinned-ports is `all`; give a list of ports"],
    ),
    (
        "[findings.ssh-uot]\n",
        &["findings.ssh-uot is not a kind of finding; did you mean ssh-out?"],
    ),
    (
        "[findings.irc]\nseverity = \"bad\"\n",
        &["line 2, column 12: findings.irc.severity is `bad`; give critical, high"],
    ),
    (
        "[findings.port-scan]\nports = 0\n",
        &["findings.port-scan.ports is 0; give a whole number above 0"],
    ),
    (
        "[findings.port-scan]\nports = 1.5\n",
        &["findings.port-scan.ports is 1.5"],
    ),
    (
        "[[approve]]\ngroup = \"web\"\nowner = \"y\"\n",
        &["line 1", "approve, number 1: reason or owner is missing"],
    ),
    (
        "[[approve]]\ngroup = \"web\"\nowner = \"y\"\nreason = \" \"\n",
        &["reason or owner is missing or empty"],
    ),
    (
        "[approve]\ngroup = \"web\"\n",
        &["approve is a table; give tables, each [[approve]]"],
    ),
    (
        "[[approve]]\nport = 70000\n",
        &["line 2, column 8: approve, number 1, port is 70000; give a port from 0 to 65535"],
    ),
    (
        "[[approve]]\nprotocol = \"tcq\"\n",
        &["protocol is `tcq`; give \"tcp\", \"udp\""],
    ),
    (
        "[[approve]]\ndestination = \"10.0.0.1\"\n",
        &["destination is `10.0.0.1`; give a list"],
    ),
    (
        "[tables]\ndirectory = \"x\"\n",
        &["tables.directory is not a key; did you mean dir?"],
    ),
    (
        "[tables]\ndir = 1\n",
        &["tables.dir is 1; give the path of a directory"],
    ),
    (
        "[tables]\ndir = \"nope\"\n",
        &[
            "tables directory `nope` doesn't exist",
            "closegate tables update",
        ],
    ),
    (
        "[tables]\ndir = \"closegate.toml\"\n",
        &["tables directory `closegate.toml` is not a directory"],
    ),
    (
        "[tables]\ndir = \"empty\"\n",
        &["tables directory `empty` holds neither ip-ranges.json nor public-resolvers.txt"],
    ),
    (
        "[tables]\ndir = \"damaged\"\n",
        &["table `damaged/ip-ranges.json` can't be used"],
    ),
    (
        "[tables]\nmaxmind = [\"nope.mmdb\"]\n",
        &["tables.maxmind `nope.mmdb` can't be used", "GeoLite2"],
    ),
    ("[generalise\n", &["line 1", "this is not TOML"]),
    (
        "[generalise]\nlevel = exact\n",
        &["line 2, column 9: this is not TOML"],
    ),
    (
        "[generalise]\nlevel = \"exact\"\nlevel = \"compact\"\n",
        &["line 3, column 1", "duplicate key"],
    ),
];

/// What one command refuses, each refuses, with the same words: nothing is found out by the run that was to be the real one.
#[test]
fn whatever_reads_a_configuration_refuses_the_same() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::create_dir(dir.path().join("damaged")).unwrap();
    fs::write(dir.path().join("damaged/ip-ranges.json"), "{}").unwrap();
    let (flows, inventory) = (sample().join("flows/custom"), sample().join("inventory"));
    let sources = [
        "--flows",
        flows.to_str().unwrap(),
        "--inventory",
        inventory.to_str().unwrap(),
    ];
    for (text, says) in WRONG {
        fs::write(dir.path().join("closegate.toml"), text).unwrap();
        let mut said = Vec::new();
        for words in [
            vec!["config", "check"],
            [&["audit", "--out", "run"], &sources[..]].concat(),
            [&["verify", "--current"], &sources[..]].concat(),
        ] {
            let mut command = closegate();
            command.current_dir(dir.path()).args(words);
            let done = command.assert();
            said.push(done.get_output().stderr.clone());
            fails(done, 2, says);
        }
        let sentence = String::from_utf8(said[0].clone()).unwrap();
        assert!(
            said.iter().all(|other| *other == said[0]),
            "{text}: {sentence}"
        );
        for word in ["\\u{", "expected one of", "u16", "usize", "invalid type"] {
            assert!(!sentence.contains(word), "`{word}`: {sentence}");
        }
    }
    // An approval that has expired is fine: the findings say so.
    let expired =
        "[[approve]]\ngroup = \"web\"\nreason = \"x\"\nowner = \"y\"\nexpires = 2020-01-31\n";
    fs::write(dir.path().join("closegate.toml"), expired).unwrap();
    closegate()
        .current_dir(dir.path())
        .args(["config", "check"])
        .assert()
        .success();
    fs::write(dir.path().join("closegate.toml"), [0xff, 0xfe, b'[', 0]).unwrap();
    fails(
        closegate()
            .current_dir(dir.path())
            .args(["config", "check"])
            .assert(),
        2,
        &["closegate.toml", "save it as UTF-8"],
    );
}

/// The configuration is read from where one stands; a key that nobody knows is an
/// error that shows its line.
#[test]
fn a_configuration_is_read_and_a_wrong_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let write = |text: &str| fs::write(dir.path().join("closegate.toml"), text).unwrap();
    let audit = || {
        closegate()
            .current_dir(dir.path())
            .args(["audit", "--flows"])
            .arg(sample().join("flows/custom"))
            .arg("--inventory")
            .arg(sample().join("inventory"))
            .args(["--out", "run"])
            .assert()
    };
    write("[generalise]\nlevel = \"compact\"\n");
    audit().success();
    let report = fs::read_to_string(dir.path().join("run/report.md")).unwrap();
    assert!(report.contains("generalisation level `compact`"));
    for (text, says) in [
        (
            "[generalise]\nlevl = \"exact\"\n",
            ["closegate.toml", "line 2", "levl"],
        ),
        (
            "[generalise]\nlevel = \"wide\"\n",
            ["line 2", "wide", "balanced"],
        ),
        (
            "[generalise.compact]\nwidest = 4\n",
            ["generalise.compact.widest", "4", "8 to 32"],
        ),
        (
            "[findings.ircc]\nreport = false\n",
            ["findings.ircc", "not a kind", "docs/findings.md"],
        ),
        (
            "[findings.irc]\nseverity = \"bad\"\n",
            ["findings.irc.severity", "bad", "critical"],
        ),
        (
            "[findings.port-scan]\nreport = true\nportz = 5\n",
            ["line 3", "findings.port-scan.portz", "ports, uncommon"],
        ),
        (
            "[findings.port-scan]\nports = \"many\"\n",
            ["line 2", "findings.port-scan.ports", "a whole number"],
        ),
        (
            "[findings.irc]\nquarantine = 1\n",
            ["line 2", "findings.irc.quarantine", "true or false"],
        ),
        (
            "[[approve]]\nreason = \"x\"\nowner = \"y\"\n",
            ["approve, number 1", "neither a destination", "group"],
        ),
        (
            "[[approve]]\ndestination = [\"x\"]\nreason = \"x\"\nowner = \"y\"\n",
            ["approve, number 1", "destination `x`", "prefix"],
        ),
        (
            "[[approve]]\ngroup = \"web\"\nreason = \"x\"\nowner = \"y\"\nexpires = \"soon\"\n",
            ["approve, number 1", "expires is `soon`", "2027-01-31"],
        ),
    ] {
        write(text);
        let output = audit().code(2).get_output().clone();
        let error = String::from_utf8(output.stderr).unwrap();
        for word in says {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    }
}

#[test]
fn a_configuration_tunes_kinds_and_is_made_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = closegate();
        command.current_dir(dir.path()).args(arguments);
        command
    };
    run(&["config", "init"]).assert().success();
    let made = fs::read_to_string(dir.path().join("closegate.toml")).unwrap();
    for kind in closegate::findings::KINDS {
        assert!(
            made.contains(&format!("# [findings.{}]", kind.id)),
            "{}",
            kind.id
        );
    }
    run(&["config", "check"]).assert().success();
    fails(
        run(&["config", "init"]).assert(),
        2,
        &["closegate.toml", "exists"],
    );
    // Every line of it, without its comment sign, is a configuration too.
    let all: String = made
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|l| l.contains(" = ") || l.starts_with('['))
                .unwrap_or("")
                .to_owned()
                + "\n"
        })
        .collect();
    fs::write(dir.path().join("closegate.toml"), &all).unwrap();
    // The files that it names have to be there.
    fails(
        run(&["config", "check"]).assert(),
        2,
        &["GeoLite2-ASN.mmdb"],
    );
    for (from, to) in [("asn", "ASN"), ("country", "Country")] {
        let fixture = fixtures().join(format!("owners-{from}.mmdb"));
        fs::copy(fixture, dir.path().join(format!("GeoLite2-{to}.mmdb"))).unwrap();
    }
    fails(
        run(&["config", "check"]).assert(),
        2,
        &["tables", "doesn't exist"],
    );
    fs::create_dir(dir.path().join("tables")).unwrap();
    fs::write(dir.path().join("tables/public-resolvers.txt"), RESOLVERS).unwrap();
    run(&["config", "check"]).assert().success();

    fs::write(
        dir.path().join("closegate.toml"),
        "[findings.irc]\nseverity = \"critical\"\nquarantine = false\n[findings.third-party-dns]\nreport = false\n",
    )
    .unwrap();
    let mut command = run(&["audit", "--out", "run", "--flows"]);
    command
        .arg(sample().join("flows/custom"))
        .arg("--inventory")
        .arg(sample().join("inventory"));
    command.assert().success();
    let audit: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.path().join("run/audit.json")).unwrap()).unwrap();
    let of = |kind: &str| {
        audit["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| f["kind"] == kind)
            .cloned()
            .collect::<Vec<_>>()
    };
    let irc = of("irc");
    assert_eq!(
        (irc[0]["severity"].as_str(), irc[0]["quarantined"].as_bool()),
        (Some("critical"), Some(false))
    );
    assert!(of("third-party-dns").is_empty());
    assert_eq!(audit["findings"][0]["kind"], "irc", "the worst first");
    fs::write(dir.path().join("closegate.toml"), "[findings]\nirc = 1\n").unwrap();
    fails(run(&["config", "check"]).assert(), 2, &["line 2", "irc"]);
}

#[test]
fn a_baseline_and_a_blocklist_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("list.csv");
    fs::write(&list, "address,why\n203.0.113.66,a controller\n").unwrap();
    let audit = |out: &str, more: &[&str]| {
        let mut command = closegate();
        command
            .current_dir(dir.path())
            .arg("audit")
            .arg("--flows")
            .arg(sample().join("flows/custom"));
        command
            .arg("--inventory")
            .arg(sample().join("inventory"))
            .args(["--out", out])
            .args(more)
            .assert()
    };
    let read = |out: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(dir.path().join(out).join("audit.json")).unwrap()).unwrap()
    };
    audit("first", &[]).success();
    let second = audit(
        "second",
        &["--baseline", "first", "--blocklist", "somebody's=list.csv"],
    )
    .success();
    let findings = read("second")["findings"].clone();
    let (known, new): (Vec<&serde_json::Value>, Vec<_>) = findings
        .as_array()
        .unwrap()
        .iter()
        .partition(|f| f["known_since"] == "first");
    let kinds: Vec<&str> = new.iter().map(|f| f["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["blocklisted-address"], "everything else is known");
    assert!(new[0]["known_since"].is_null());
    let before = read("first")["findings"].as_array().unwrap().len();
    assert_eq!(known.len(), before, "what is known is said again");
    let summary = String::from_utf8(second.get_output().stdout.clone()).unwrap();
    assert!(summary.contains("1 new, 3 known since first"), "{summary}");
    assert_eq!(
        read("second")["rules"],
        read("first")["rules"],
        "what is known is quarantined all the same"
    );

    fails(
        audit("third", &["--blocklist", "x"]),
        2,
        &["--blocklist `x`", "NAME=FILE"],
    );
    fails(
        audit("third", &["--blocklist", "x=nowhere"]),
        2,
        &["blocklist `nowhere`"],
    );
    fs::write(&list, "nothing\n").unwrap();
    fails(
        audit("third", &["--blocklist", "x=list.csv"]),
        2,
        &["holds no address"],
    );
    fails(
        audit("third", &["--baseline", "nowhere"]),
        2,
        &["--baseline", "nowhere/audit.json"],
    );
}

/// A file that nobody named changes what a run decides, so the run says that it uses it.
#[test]
fn a_configuration_in_the_working_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| {
        let mut command = closegate();
        command
            .current_dir(dir.path())
            .args(more)
            .arg("--flows")
            .arg(sample().join("flows/custom"))
            .arg("--inventory")
            .arg(sample().join("inventory"));
        let done = command.assert();
        assert_ne!(done.get_output().status.code(), Some(2), "{more:?}: {done}");
        String::from_utf8(done.get_output().stderr.clone()).unwrap()
    };
    let commands = [&["audit", "--out", "run"][..], &["verify", "--current"]];
    for command in commands {
        assert_eq!(run(command), "");
    }
    for file in ["closegate.toml", "other.toml"] {
        fs::write(dir.path().join(file), "").unwrap();
    }
    for command in commands {
        assert_eq!(
            run(command),
            "Using closegate.toml; --config FILE chooses another\n"
        );
        assert_eq!(run(&[command, &["--config", "other.toml"]].concat()), "");
    }
}
