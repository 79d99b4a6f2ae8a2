//! Behaviours: what is found of planted ones, and what ordinary traffic is taken for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use closegate::audit;
use closegate::config::Config;
use closegate::findings::Finding;
use closegate::ingest::{self, Settings};
use closegate::inventory::Inventory;

use super::network::{Interface, Network, text};
use super::{Dice, seeds};

const START: u64 = 1_793_577_600;
const DAY: u64 = 86_400;

/// Default format, so that there are no flags to help.
const HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n";

/// A log in the making.
struct Log(String);

/// A connection that takes one interval of a minute.
struct Call<'a> {
    by: &'a Interface,
    to: [u8; 4],
    ports: (u16, u16),
    start: u64,
    /// Out and back.
    bytes: (u64, u64),
}

impl Log {
    fn add(&mut self, call: &Call<'_>) {
        let Call {
            by,
            to,
            ports: (client, server),
            start,
            bytes: (out, back),
        } = *call;
        let (id, ours, theirs) = (&by.id, text(by.address), text(to));
        let end = start + 59;
        writeln!(
            self.0,
            "2 1 {id} {ours} {theirs} {client} {server} 6 9 {out} {start} {end} ACCEPT OK"
        )
        .unwrap();
        if back > 0 {
            writeln!(
                self.0,
                "2 1 {id} {theirs} {ours} {server} {client} 6 9 {back} {start} {end} ACCEPT OK"
            )
            .unwrap();
        }
    }
}

/// What ordinary hosts do abroad: calls at times without memory, downloads, and connections that last.
fn ordinary(hosts: &[&Interface], dice: &mut Dice, log: &mut Log) -> u64 {
    let mut series = 0;
    for host in hosts {
        for _ in 0..dice.between(2, 6) {
            let to = [198, 51, 100, u8::try_from(dice.between(1, 250)).unwrap()];
            let mean = dice.between(20, 4_000);
            let (mut at, mut client) = (START, dice.port(33_000, 50_000));
            series += 1;
            for _ in 0..dice.between(6, 40) {
                let part = f64::from(u32::try_from(dice.between(1, 1_000_000)).unwrap()) / 1e6;
                at += pause(mean, part);
                client += 1 + u16::try_from(dice.between(0, 20)).unwrap();
                let bytes = (dice.between(500, 1_000_000), dice.between(500, 900_000_000));
                log.add(&Call {
                    by: host,
                    to,
                    ports: (client, 443),
                    start: at,
                    bytes,
                });
            }
        }
        let to = [198, 51, 100, u8::try_from(dice.between(1, 250)).unwrap()];
        let client = dice.port(51_000, 60_000);
        for minute in 0..dice.between(10, 60) {
            log.add(&Call {
                by: host,
                to,
                ports: (client, 8443),
                start: START + minute * 60,
                bytes: (900, 900),
            });
        }
    }
    series
}

/// A pause between events that have no memory.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "seconds of a test"
)]
fn pause(mean: u64, part: f64) -> u64 {
    (-part.ln() * mean as f64) as u64
}

/// One incident of each behaviour by some host: kind and host.
fn incidents(hosts: &[&Interface], dice: &mut Dice, log: &mut Log) -> Vec<(&'static str, String)> {
    let mut planted = Vec::new();
    let mut by = |kind, dice: &mut Dice| {
        let host = *dice.pick(hosts);
        planted.push((kind, text(host.address)));
        host
    };
    let stranger = |dice: &mut Dice| [203, 0, 113, u8::try_from(dice.between(1, 250)).unwrap()];

    let (host, to) = (by("port-scan", dice), stranger(dice));
    for port in 0..u16::try_from(dice.between(50, 200)).unwrap() {
        let start = START + dice.between(0, 1_800);
        log.add(&Call {
            by: host,
            to,
            ports: (40_000 + port, 1_000 + port * 7),
            start,
            bytes: (60, 0),
        });
    }
    let (host, service) = (by("host-sweep", dice), *dice.pick(&[22u16, 23, 445, 3389]));
    for last in 0..u8::try_from(dice.between(110, 250)).unwrap() {
        let start = START + dice.between(0, 1_800);
        log.add(&Call {
            by: host,
            to: [203, 0, 112, last],
            ports: (42_000 + u16::from(last), service),
            start,
            bytes: (60, 0),
        });
    }
    let (host, to) = (by("large-upload", dice), stranger(dice));
    let client = dice.port(44_000, 45_000);
    let total = dice.between(600_000_000, 5_000_000_000);
    for part in 0..10 {
        log.add(&Call {
            by: host,
            to,
            ports: (client, 443),
            start: START + DAY / 2 + part * 60,
            bytes: (total / 10, 9_000),
        });
    }
    // Jitter of a tenth, and what the aggregation window adds.
    let (host, to) = (by("beaconing", dice), stranger(dice));
    let (period, calls) = (dice.between(120, 3_600), dice.between(10, 40));
    for call in 0..calls {
        let jitter = dice.between(0, period / 5);
        let start = START + call * period + jitter + dice.between(0, 59);
        let client = 46_000 + u16::try_from(call * 13).unwrap();
        log.add(&Call {
            by: host,
            to,
            ports: (client, 443),
            start,
            bytes: (300, 200),
        });
    }
    planted
}

const KINDS: &[&str] = &["port-scan", "host-sweep", "large-upload", "beaconing"];

fn findings(network: &Network, log: &Log) -> Vec<Finding> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.log");
    std::fs::write(&path, &log.0).unwrap();
    let inventory = network.inventory().to_string();
    let inventory = Inventory::from_files([("x.json", inventory.as_bytes())]).unwrap();
    let sources = ingest::find(&[path.display().to_string()]).unwrap();
    let (table, intake) = audit::read(&sources, &Settings::default(), |_| {});
    let audit = audit::audit(inventory, table, intake, &Config::default());
    audit
        .findings
        .into_iter()
        .filter(|f| KINDS.contains(&f.kind.id))
        .collect()
}

/// Rates of detection and of false positives; `make worlds` prints them.
#[test]
#[expect(clippy::print_stdout, reason = "the table, on request")]
fn behaviours_are_found_and_ordinary_traffic_is_none() {
    let mut found: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut wrong: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut series, mut hosts_seen) = (0, 0);
    for seed in 0..seeds() {
        let mut dice = Dice::new(seed);
        let network = Network::new(&mut dice);
        let hosts: Vec<&Interface> = network
            .interfaces
            .iter()
            .filter(|i| network.is_open(i) && i.asks())
            .collect();
        if hosts.is_empty() {
            continue;
        }
        let mut log = Log(HEADER.to_owned());
        series += ordinary(&hosts, &mut dice, &mut log);
        hosts_seen += hosts.len();
        for finding in findings(&network, &log) {
            *wrong.entry(finding.kind.id).or_default() += 1;
        }
        let planted = incidents(&hosts, &mut dice, &mut log);
        let findings = findings(&network, &log);
        for (kind, host) in planted {
            let is_it =
                |f: &&Finding| f.kind.id == kind && f.found.local.unwrap().to_string() == host;
            let (hit, all) = found.entry(kind).or_default();
            *hit += u64::from(findings.iter().any(|f| is_it(&f)));
            *all += 1;
        }
    }
    for kind in KINDS {
        let (hit, all) = found[kind];
        let wrong = wrong.get(kind).copied().unwrap_or_default();
        println!(
            "{kind:<13} found {hit} of {all} planted; {wrong} times on ordinary traffic ({hosts_seen} hosts, {series} series of calls)"
        );
        match *kind {
            // By design at most one in ten thousand series.
            "beaconing" => assert!(
                hit * 100 >= all * 95 && wrong * 1_000 <= series,
                "{kind}: {hit} of {all}, {wrong} wrong"
            ),
            _ => assert!(
                hit == all && wrong == 0,
                "{kind}: {hit} of {all}, {wrong} wrong"
            ),
        }
    }
}
