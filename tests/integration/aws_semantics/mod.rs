//! What AWS really does with a packet: small cases, each with the page of AWS's documentation that it rests on.
//!
//! A case is a few lines of text: an account, the traffic that happened in it, and what closegate has to say. `README.md` explains the
//! words. Every case is run with the default log format and with a custom one. Beyond what a case expects, an evaluator of its own
//! checks that nothing accepted is lost and that nothing becomes wider.

mod account;
mod case;
mod commands;
mod evaluator;
mod expect;
mod worlds;

use std::collections::BTreeSet;
use std::net::IpAddr;

use closegate::audit::{self, Audit};
use closegate::config::Config;
use closegate::ingest::{self, Settings};
use closegate::inventory::{Direction, Inventory, Rule};

use account::FORMATS;
use case::Case;
use evaluator::{Packet, RulesOf};

use crate::common::root;

pub(crate) use worlds::audit_of_world;

/// The files' names and texts, in order.
fn files() -> Vec<(String, String)> {
    let dir = root().join("tests/integration/aws_semantics");
    let entries = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    paths.sort();
    let name = |path: &std::path::Path| path.file_stem().unwrap().display().to_string();
    let read = |path: &std::path::PathBuf| (name(path), std::fs::read_to_string(path).unwrap());
    paths.iter().map(read).collect()
}

fn run(case: &Case, format: usize) -> Audit {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flows.log");
    std::fs::write(&path, case.log(format)).unwrap();
    let inventory = case.inventory().to_string();
    let inventory = Inventory::from_files([("all.json", inventory.as_bytes())])
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let cuts = audit::cuts(&inventory);
    let sources = ingest::find(&[path.display().to_string()]).unwrap();
    let (table, intake) = audit::read_apart(&sources, &Settings::default(), cuts, |_| {});
    audit::audit(inventory, table, intake, &Config::default())
}

/// What is wrong with a run.
fn faults(case: &Case, audit: &Audit, format: usize) -> Vec<String> {
    let mut faults = Vec::new();
    let lost = audit.replay.lost.iter().map(|&position| {
        let c = &audit.connections[position];
        format!(
            "lost: {} -> {} {}",
            c.initiator.address, c.responder.address, c.service
        )
    });
    faults.extend(lost);
    let left_out = audit.proof.left_out.iter();
    faults.extend(left_out.map(|wider| format!("left out as wider: {wider:?}")));
    faults.extend(judge(case, audit, format));
    for expectation in &case.expectations {
        if expectation.holds_for[format]
            && let Err(why) = expect::holds(case, audit, &expectation.line)
        {
            faults.push(format!("expected `{}`: {why}", expectation.line));
        }
    }
    faults
}

/// The evaluator's own view: today's rules, those after the change, and those after its last stage.
fn judge(case: &Case, audit: &Audit, format: usize) -> Vec<String> {
    let inventory = &audit.inventory;
    let of = |id: &str| inventory.group_by_id(id);
    let today = |id: &str| of(id).map_or(Vec::new(), |g| inventory.group(g).rules.clone());
    let after = |id: &str| of(id).map_or(Vec::new(), |g| audit.rules_after.rules_of(g).to_vec());
    let tightened = |id: &str| {
        let mut rules = after(id);
        let gone = |rule: &Rule| {
            let mut all = audit.proof.tightenings.iter();
            all.any(|t| Some(t.group) == of(id) && t.rule.same_permission(rule))
        };
        rules.retain(|rule| !gone(rule));
        rules
    };
    let added = |id: &str| {
        let standing = today(id);
        let mut rules = after(id);
        rules.retain(|rule| !standing.iter().any(|today| today.same_permission(rule)));
        rules
    };
    let is_ready = |id: &String| {
        let mut ready = audit.proof.readiness.iter().filter(|r| r.is_ready());
        ready.any(|r| Some(r.group) == of(id))
    };
    let mut faults = Vec::new();
    for traffic in &case.traffic {
        let said = |what: &str| {
            format!(
                "{what}: {} -> {}:{} {}",
                traffic.from.address, traffic.to.address, traffic.to.port, traffic.protocol
            )
        };
        let groups_ready = [&traffic.from, &traffic.to].map(|end| {
            let interface = end.interface.as_ref().map(|id| case.interface(id));
            interface.is_some_and(|interface| interface.groups.iter().any(is_ready))
        });
        if traffic.is_hostile {
            let by_added = |at: usize, direction| {
                let ends = [&traffic.from, &traffic.to];
                let interface = ends[at].interface.as_ref().map(|id| case.interface(id));
                interface.is_some_and(|interface| {
                    let peer = ends[1 - at];
                    let other = peer.interface.as_ref().map(|id| case.interface(id));
                    let groups =
                        other.map_or(&[][..], |other| case.nameable(interface, direction, other));
                    !interface.groups.is_empty()
                        && case.permits(
                            &added,
                            interface,
                            direction,
                            (peer.address, groups),
                            Packet::of(traffic),
                        )
                })
            };
            if by_added(0, Direction::Egress) {
                faults.push(said("hostile and permitted by an added rule"));
            }
            continue;
        }
        if traffic.rejected.is_some() || traffic.needs_flags && format == 0 {
            continue;
        }
        if case.is_unknowable(traffic, format) {
            continue;
        }
        let before = case.passes(&today, traffic);
        for (stage, rules) in [
            ("after the change", &after as &RulesOf<'_>),
            ("after tightening", &tightened),
        ] {
            let now = case.passes(rules, traffic);
            for side in 0..2 {
                if before[side] && !now[side] && groups_ready[side] {
                    faults.push(said(&format!("lost in truth {stage}")));
                }
            }
        }
    }
    faults.extend(wider(case, &today, &after));
    faults
}

/// Whatever today's rules deny between any two interfaces, or to addresses outside, the change denies too.
fn wider(case: &Case, today: &RulesOf<'_>, after: &RulesOf<'_>) -> Vec<String> {
    let mut packets: Vec<Packet> = Vec::new();
    for (protocol, ports) in [(6, true), (17, true), (1, false), (58, false), (47, false)] {
        let mut numbers: BTreeSet<u16> = BTreeSet::from([0, 1, 22, 443, 65535]);
        for traffic in &case.traffic {
            numbers.extend([traffic.from.port, traffic.to.port]);
        }
        let numbers = if ports { numbers } else { BTreeSet::from([0]) };
        for port in numbers {
            let types: &[(u8, u8)] = match protocol {
                1 => &[(8, 0), (0, 0), (3, 4), (13, 0)],
                58 => &[(128, 0), (129, 0), (2, 0)],
                _ => &[(0, 0)],
            };
            packets.extend(types.iter().map(|&icmp| Packet {
                protocol,
                port,
                icmp,
            }));
        }
    }
    let elsewhere = ["198.51.100.77", "10.255.255.1", "2001:db8:ffff::1"];
    let elsewhere = elsewhere.map(|a| a.parse::<IpAddr>().unwrap());
    let ends = case
        .traffic
        .iter()
        .flat_map(|t| [t.from.address, t.to.address]);
    let outside: BTreeSet<IpAddr> = ends
        .filter(|address| case.interfaces.iter().all(|i| !i.holds(*address)))
        .chain(elsewhere)
        .collect();
    let mut faults = Vec::new();
    for x in &case.interfaces {
        for &packet in &packets {
            let fits = |address: IpAddr| match packet.protocol {
                1 => address.is_ipv4(),
                58 => address.is_ipv6(),
                _ => true,
            };
            for &address in outside.iter().filter(|address| fits(**address)) {
                for direction in [Direction::Egress, Direction::Ingress] {
                    let ask = |rules: &RulesOf<'_>| {
                        case.permits(rules, x, direction, (address, &[]), packet)
                    };
                    if ask(after) && !ask(today) {
                        faults.push(format!(
                            "wider: {direction:?} {} {address} {packet:?}",
                            x.id
                        ));
                    }
                }
            }
            for y in case.interfaces.iter().filter(|y| y.id != x.id) {
                for &from in &x.addresses {
                    for &to in &y.addresses {
                        if from.is_ipv4() != to.is_ipv4() || !fits(from) {
                            continue;
                        }
                        let ask = |rules: &RulesOf<'_>| {
                            let out = case.nameable(x, Direction::Egress, y);
                            let into = case.nameable(y, Direction::Ingress, x);
                            case.permits(rules, x, Direction::Egress, (to, out), packet)
                                && case.permits(rules, y, Direction::Ingress, (from, into), packet)
                        };
                        if ask(after) && !ask(today) {
                            faults.push(format!("wider: {from} -> {to} {packet:?}"));
                        }
                    }
                }
            }
        }
    }
    faults
}

/// A file's cases; `CLOSEGATE_CASE` names one.
#[expect(
    clippy::disallowed_methods,
    reason = "a person may look at one case alone"
)]
fn wanted() -> Option<String> {
    std::env::var("CLOSEGATE_CASE").ok()
}

#[test]
fn every_case_is_judged_as_aws_judges_it() {
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for (file, text) in files() {
        for case in Case::read_all(&text) {
            assert!(names.insert(case.name.clone()), "`{}` twice", case.name);
            if wanted().is_some_and(|wanted| wanted != case.name) {
                continue;
            }
            for format in 0..FORMATS.len() {
                let audit = run(&case, format);
                let faults = faults(&case, &audit, format);
                if !faults.is_empty() {
                    let format = ["default", "custom"][format];
                    wrong.push(format!(
                        "{file}: `{}`, {format} format\n  {}\n  {}",
                        case.name,
                        faults.join("\n  "),
                        expect::told(&audit).join("\n  ")
                    ));
                }
            }
        }
    }
    assert!(names.len() >= 150, "{} cases", names.len());
    assert!(
        wrong.is_empty(),
        "{} of {} runs:\n{}",
        wrong.len(),
        names.len() * FORMATS.len(),
        wrong.join("\n\n")
    );
}
