//! Newer tables, and databases that say whose an address is. The databases among the fixtures were written by `mmdb_writer`: AS64500
//! for 203.0.113.0/24, AS64501 for `2001:db8::/32`, and NL for 203.0.113.0/25.

use std::fs;
use std::path::Path;

use crate::cli::fails;
use crate::common::{closegate, fixtures, sample};

fn audit(dir: &Path, out: &str, more: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = closegate();
    command
        .current_dir(dir)
        .arg("audit")
        .arg("--flows")
        .arg(sample().join("flows/custom"));
    command.arg("--inventory").arg(sample().join("inventory"));
    command.args(["--out", out]).args(more).assert()
}

fn findings(run: &Path) -> Vec<serde_json::Value> {
    let audit = fs::read(run.join("audit.json")).unwrap();
    let audit: serde_json::Value = serde_json::from_slice(&audit).unwrap();
    audit["findings"].as_array().unwrap().clone()
}

#[test]
fn newer_tables_are_checked_listed_and_used() {
    let dir = tempfile::tempdir().unwrap();
    let tables = |arguments: &[&str]| {
        let mut command = closegate();
        command
            .current_dir(dir.path())
            .arg("tables")
            .args(arguments)
            .assert()
    };
    let said = tables(&["list"]).success();
    let said = String::from_utf8(said.get_output().stdout.clone()).unwrap();
    assert!(
        said.contains("aws-ranges") && said.contains("compiled in, "),
        "{said}"
    );

    // Of the sample's strangers, the controller becomes a resolver, and the resolver's address one of S3's.
    fs::write(
        dir.path().join("r.txt"),
        "# 2027-01-01\nSomebody's: 203.0.113.66\n",
    )
    .unwrap();
    let ranges = serde_json::json!({
        "createDate": "2027-02-03-00-00-00",
        "prefixes": [{"ip_prefix": "203.0.113.64/28", "region": "us-east-1", "service": "S3"}],
        "ipv6_prefixes": [{"ipv6_prefix": "2600:1f18::/32", "region": "us-east-1", "service": "EC2"}],
    });
    fs::write(dir.path().join("ranges.json"), ranges.to_string()).unwrap();
    let said = tables(&["update", "--tables", "t", "--resolvers", "r.txt"]).success();
    let said = String::from_utf8(said.get_output().stdout.clone()).unwrap();
    assert!(
        said.contains("2027-01-01  the directory, 1 address\n"),
        "{said}"
    );
    audit(dir.path(), "before", &[]).success();
    audit(dir.path(), "resolver", &["--tables", "t"]).success();
    let named = |run: &str| {
        let all = findings(&dir.path().join(run));
        all.iter()
            .filter(|f| f["detail"].as_str().unwrap().contains("(Somebody's)"))
            .count()
    };
    assert_eq!((named("before"), named("resolver")), (0, 1));

    let said = tables(&["update", "--tables", "t", "--aws-ranges", "ranges.json"]).success();
    let said = String::from_utf8(said.get_output().stdout.clone()).unwrap();
    assert!(said.contains("2027-02-03  the directory"), "{said}");
    // By the configuration as well, seen from where it lies.
    fs::write(dir.path().join("closegate.toml"), "[tables]\ndir = \"t\"\n").unwrap();
    audit(dir.path(), "service", &[]).success();
    let irc = |run: &str| {
        findings(&dir.path().join(run))
            .iter()
            .filter(|f| f["kind"] == "irc")
            .count()
    };
    assert_eq!(
        (irc("before"), irc("service")),
        (1, 0),
        "an address of S3 is no stranger"
    );

    for (name, option, text, says) in [
        (
            "x.txt",
            "--resolvers",
            "Quad9: 9.9.9\n",
            "`9.9.9` is not an address",
        ),
        ("x.json", "--aws-ranges", "{}", "has no prefixes"),
        (
            "x.json",
            "--aws-ranges",
            "{\"prefixes\": [{}], \"ipv6_prefixes\": [{}]}",
            "number 1",
        ),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
        fails(
            tables(&["update", "--tables", "t", option, name]),
            2,
            &[name, says],
        );
    }
    assert!(
        dir.path().join("t/ip-ranges.json").is_file(),
        "a bad file replaces nothing"
    );
}

#[test]
fn a_finding_says_whose_the_address_is() {
    let dir = tempfile::tempdir().unwrap();
    let database = |name: &str| fixtures().join(name).display().to_string();
    let (systems, countries) = (database("owners-asn.mmdb"), database("owners-country.mmdb"));
    audit(dir.path(), "run", &["--maxmind", &systems, &countries]).success();
    let all = findings(&dir.path().join("run"));
    let irc = all.iter().find(|f| f["kind"] == "irc").unwrap();
    let detail = irc["detail"].as_str().unwrap();
    assert!(
        detail.contains("AS64500 Example") && detail.contains(", NL)") && !detail.contains('\n'),
        "{detail}"
    );

    fs::write(dir.path().join("x.mmdb"), "no database").unwrap();
    fails(
        audit(dir.path(), "bad", &["--maxmind", "x.mmdb"]),
        2,
        &["--maxmind `x.mmdb`", "GeoLite2"],
    );
    assert!(!dir.path().join("bad").exists());
}

/// What is no directory of tables is refused wherever one is named, and a foreign file in one is not replaced.
#[test]
fn a_directory_without_tables_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::create_dir(dir.path().join("damaged")).unwrap();
    fs::write(
        dir.path().join("damaged/public-resolvers.txt"),
        "Quad9: 9.9.9\n",
    )
    .unwrap();
    fs::write(dir.path().join("file"), "x").unwrap();
    for (tables, says) in [
        ("/nope", "tables directory `/nope` doesn't exist"),
        ("file", "tables directory `file` is not a directory"),
        ("empty", "tables directory `empty` holds neither"),
        (
            "damaged",
            "table `damaged/public-resolvers.txt` can't be used",
        ),
    ] {
        fails(audit(dir.path(), "run", &["--tables", tables]), 2, &[says]);
        let mut list = closegate();
        list.current_dir(dir.path())
            .args(["tables", "list", "--tables", tables]);
        fails(list.assert(), 2, &[says]);
    }
    assert!(!dir.path().join("run").exists());

    fs::write(dir.path().join("new.txt"), "# 2027-01-01\nQuad9: 9.9.9.9\n").unwrap();
    let update = |tables: &str| {
        let mut update = closegate();
        update.current_dir(dir.path());
        update
            .args([
                "tables",
                "update",
                "--resolvers",
                "new.txt",
                "--tables",
                tables,
            ])
            .assert()
    };
    fails(
        update("file"),
        2,
        &["tables directory `file` can't be made", "name another"],
    );
    fails(
        update("damaged"),
        2,
        &["public-resolvers.txt` is in the way"],
    );
    assert_eq!(
        fs::read(dir.path().join("damaged/public-resolvers.txt")).unwrap(),
        b"Quad9: 9.9.9\n"
    );
    // A file of the user's that has the name of ours while it is written.
    fs::write(dir.path().join("empty/public-resolvers.new"), "mine").unwrap();
    update("empty").success();
    assert_eq!(
        fs::read(dir.path().join("empty/public-resolvers.new")).unwrap(),
        b"mine"
    );
    assert_eq!(fs::read_dir(dir.path().join("empty")).unwrap().count(), 2);
}
