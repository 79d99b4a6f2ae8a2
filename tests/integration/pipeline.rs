//! The sample data from end to end.

use std::collections::BTreeMap;
use std::path::PathBuf;

use closegate::audit::{self, Audit};
use closegate::config::Config;
use closegate::ingest::{self, Settings};
use closegate::inventory::{Inventory, RulePorts};
use closegate::resolve::{DirectionBasis, Quarantine, Unattributed, Verdict};
use closegate::suggest::Status;

use crate::common::{audit_paths, sample};
use crate::shop;

fn audited(format: &str) -> Audit {
    audit_paths(
        &[sample().join("flows").join(format)],
        &sample().join("inventory"),
    )
}

/// Initiator, responder, protocol, port → label.
type Truth = BTreeMap<(String, String, String, u64), String>;

fn truth() -> Truth {
    let text = std::fs::read(sample().join("truth.json")).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| {
            let key = (
                text(row, "initiator"),
                text(row, "responder"),
                text(row, "protocol"),
                row["port"].as_u64().unwrap(),
            );
            (key, text(row, "truth"))
        })
        .collect()
}

/// What the audit says of every connection of the story.
fn answers(audit: &Audit) -> Truth {
    audit
        .connections
        .iter()
        .filter(|c| c.verdict != Verdict::Unattributed(Unattributed::Forwarded))
        .map(|c| {
            let key = (
                c.initiator.address.to_string(),
                c.responder.address.to_string(),
                c.service.protocol.to_string(),
                u64::from(c.service.port),
            );
            let label = match c.verdict {
                Verdict::Accepted => "legitimate",
                Verdict::Rejected => "refused",
                Verdict::Quarantined(Quarantine::Finding(_)) => "hostile",
                other => panic!("{key:?}: {other:?}"),
            };
            (key, label.to_owned())
        })
        .collect()
}

/// The generator knows; the audit has to find out. Every connection of the story
/// and not one more, in both formats.
#[test]
fn the_audit_tells_the_truth_in_both_formats() {
    for format in ["custom", "default"] {
        let audit = audited(format);
        assert_eq!(answers(&audit), truth(), "{format}");
        assert!(audit.replay.lost.is_empty());
        assert_eq!(
            audit.replay.permitted,
            truth().values().filter(|t| *t == "legitimate").count() as u64
        );
        assert_eq!(
            audit
                .connections
                .iter()
                .map(|c| c.totals.records)
                .sum::<u64>(),
            audit.intake.rows
        );
    }
}

/// What the rules permit after the change: every legitimate connection, nothing
/// hostile, nothing refused, and no client's port.
#[test]
fn the_rules_permit_the_legitimate_and_nothing_else() {
    for format in ["custom", "default"] {
        let audit = audited(format);
        let served: Vec<u64> = truth().keys().map(|key| key.3).collect();
        for rule in audit.rules.rules.iter().filter(|r| r.status == Status::Add) {
            if let RulePorts::Ports(range) = rule.rule.ports {
                assert_eq!(range.count(), 1);
                assert!(
                    served.contains(&range.from().into()),
                    "{format}: port {range} is a client's"
                );
            }
            assert!(
                rule.evidence
                    .iter()
                    .all(|&c| audit.connections[c].is_accepted())
            );
            assert!(!rule.evidence.is_empty(), "evidence behind every line");
        }
        for c in &audit.connections {
            let passes = audit.rules_after.permits(&audit.inventory, c);
            match c.verdict {
                Verdict::Accepted => assert!(passes),
                Verdict::Quarantined(_) | Verdict::Rejected => {
                    assert!(!passes, "{format}: {} is still permitted", c.id);
                }
                Verdict::Unattributed(_) => {}
            }
        }
    }
}

/// The same network gives the same rules whatever the format.
#[test]
fn both_formats_give_the_same_rules() {
    let rules = |format| {
        let audit = audited(format);
        audit
            .rules
            .rules
            .iter()
            .map(|r| (r.id.clone(), r.status, r.evidence.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(rules("custom"), rules("default"));
}

/// Two flow logs of one network overlap: the custom one is counted once more,
/// but no row of it is (they differ at the NAT gateway only).
#[test]
fn two_flow_logs_of_one_network_count_once() {
    let both = audited("");
    let custom = audited("custom");
    assert!(both.intake.duplicates > 6000, "{}", both.intake.duplicates);
    assert_eq!(both.replay.permitted, custom.replay.permitted);
    assert_eq!(
        (both.intake.no_data, both.intake.skip_data),
        (12, 1),
        "idle intervals count once too"
    );
    let records = |audit: &Audit| {
        let accepted = audit.connections.iter().filter(|c| c.is_accepted());
        accepted
            .map(|c| (c.id, c.totals.records, c.totals.bytes))
            .collect::<Vec<_>>()
    };
    assert_eq!(records(&both), records(&custom));
}

/// What the README of the sample data promises.
#[test]
fn the_incidents_are_found() {
    for format in ["custom", "default"] {
        let audit = audited(format);
        let found: Vec<(&str, String)> = audit
            .findings
            .iter()
            .filter_map(|f| Some((f.kind.id, format!("{} {}", f.found.local?, f.found.remote?))))
            .collect();
        let expected = [
            ("irc", "10.20.10.12 203.0.113.66".to_owned()),
            ("third-party-dns", "10.20.10.12 198.51.100.53".to_owned()),
            ("ssh-out", "10.20.10.41 192.0.2.77".to_owned()),
        ];
        assert_eq!(found, expected, "{format}");
        assert_eq!(
            audit
                .findings
                .iter()
                .filter(|f| f.kind.id == "open-egress")
                .count(),
            10
        );
        assert_eq!(
            audit.rules.revocations.len(),
            9,
            "one group is nobody's: nothing is known of it"
        );
    }
}

/// The files that are checked in are what the generator makes.
#[test]
fn the_sample_data_is_what_the_generator_makes() {
    use std::io::Read as _;
    let mut size = 0;
    for (name, content) in shop::files() {
        let bytes = std::fs::read(sample().join(&name)).unwrap();
        size += bytes.len();
        let text = if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut text = String::new();
            flate2::read::GzDecoder::new(&bytes[..])
                .read_to_string(&mut text)
                .unwrap();
            text
        } else {
            String::from_utf8(bytes).unwrap()
        };
        assert!(text == content, "{name} differs: run `make sample-data`");
    }
    assert!(size < 1_000_000, "small enough to compile in");
}

/// Shuffled lines, shuffled files, one thread and two: the same bytes.
#[test]
fn the_same_input_gives_the_same_bytes() {
    let mut lines: Vec<String> = Vec::new();
    for (name, content) in shop::files() {
        if name.starts_with("flows/custom") {
            lines.extend(content.lines().skip(1).map(ToOwned::to_owned));
        }
    }
    let header = shop::files()
        .into_iter()
        .find(|(name, _)| name.starts_with("flows/custom"))
        .unwrap()
        .1;
    let header = header.lines().next().unwrap().to_owned();
    let run = |step: usize, threads: usize, backwards: bool| {
        let dir = tempfile::tempdir().unwrap();
        // Every line once, in an order that depends on the step; the same names
        // and as many lines in each, so that the account of the input is the same.
        let total = lines.len();
        let order: Vec<&String> = (0..total).map(|i| &lines[i * step % total]).collect();
        let mut paths: Vec<PathBuf> = Vec::new();
        for (number, chunk) in order.chunks(total.div_ceil(4)).enumerate() {
            let text: Vec<&str> = std::iter::once(header.as_str())
                .chain(chunk.iter().map(|l| l.as_str()))
                .collect();
            let path = dir.path().join(format!("{number}.log"));
            std::fs::write(&path, text.join("\n")).unwrap();
            paths.push(path);
        }
        if backwards {
            paths.reverse();
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
            let sources = ingest::find(&names).unwrap();
            let inventory = Inventory::load(&sample().join("inventory")).unwrap();
            let (table, mut intake) = audit::read(&sources, &Settings::default(), |_| {});
            for source in &mut intake.sources {
                source.name = source.name.rsplit('/').next().unwrap().to_owned();
                source.bytes = 0;
            }
            intake.bytes = 0;
            closegate::emit::files(&audit::audit(inventory, table, intake, &Config::default()))
                .unwrap()
        })
    };
    let first = run(1, 1, false);
    for (step, threads, backwards) in [(1, 2, true), (7, 2, false), (4801, 1, true)] {
        for ((name, a), (_, b)) in first.iter().zip(run(step, threads, backwards)) {
            assert!(
                *a == b,
                "{name} differs with step {step} on {threads} threads"
            );
        }
    }
}

/// Two flow logs in different formats overlap: whichever row comes first, flags
/// and services of the richer one are there, and every byte is the same.
#[test]
fn overlapping_formats_give_the_same_bytes() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| closegate::emit::files(&audited("")).unwrap())
    };
    let first = run(1);
    for threads in [1, 2, 2, 3, 4, 2] {
        for ((name, a), (_, b)) in first.iter().zip(run(threads)) {
            assert!(*a == b, "{name} differs on {threads} threads");
        }
    }
    let both = audited("");
    let certain = |audit: &Audit| {
        audit
            .connections
            .iter()
            .filter(|c| c.basis == DirectionBasis::Flags)
            .count()
    };
    assert_eq!(
        certain(&both),
        certain(&audited("custom")),
        "the default format takes nothing away"
    );
}
