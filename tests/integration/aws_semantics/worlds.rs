//! Accounts made of what small cases have one by one: balancers that preserve addresses, prefix lists without entries, VPCs that overlap
//! and are not joined, ICMP types, NFS, secondary addresses, missing files. Everything follows from the seed, and a world that goes wrong
//! is printed as a case.

use std::fmt::Write as _;

use closegate::audit::Audit;
use closegate::inventory::Rule;
use closegate::resolve::{Confidence, Connection, Unattributed, Verdict};

use super::account::FORMATS;
use super::case::{Case, Traffic};
use super::{judge, run};
use crate::world::Dice;

/// Services, with the ports that their clients may take.
const SERVICES: &[(&str, u16, (u64, u64))] = &[
    ("tcp", 443, (32_768, 60_999)),
    ("tcp", 5432, (32_768, 60_999)),
    ("tcp", 8443, (1_024, 65_535)),
    ("tcp", 9092, (1_024, 65_535)),
    ("tcp", 2049, (665, 1_023)),
    ("tcp", 6379, (49_152, 65_535)),
    ("udp", 514, (32_768, 60_999)),
];

/// The lines of a case, and of the traffic that may be in it.
struct Draft {
    text: String,
    candidates: Vec<String>,
    serial: u64,
}

impl Draft {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A port of a client that no other conversation has.
    fn client_port(&mut self, range: (u64, u64)) -> u64 {
        self.serial += 1;
        range.0 + self.serial * 37 % (range.1 - range.0)
    }
}

/// A world as the text of a case.
fn world(seed: u64) -> String {
    let mut dice = Dice::new(seed ^ 0x0a3e_5e3a);
    let mut draft = Draft {
        text: String::new(),
        candidates: Vec::new(),
        serial: seed % 17,
    };
    draft.line(&format!("case World {seed}"));
    draft.line("page VUG/vpc-security-groups.html");
    draft.line("vpc vpc-1 10.0.0.0/16 2001:db8:1::/56");
    draft.line("vpc vpc-2 10.2.0.0/16");
    // The same blocks as the first one, or some of its own; never joined to anything.
    let apart = *dice.pick(&["10.0.0.0/16", "10.9.0.0/16"]);
    draft.line(&format!("vpc vpc-9 {apart}"));
    match dice.between(0, 5) {
        0 => draft.line("peering pcx-1 vpc-1 vpc-2"),
        1 => draft.line("peering pcx-1 vpc-1 vpc-2 regions=us-east-1,eu-west-1"),
        2 => draft.line("transit tgw-1 vpc-1 vpc-2 references"),
        3 => draft.line("transit tgw-1 vpc-1 vpc-2"),
        4 => {
            draft.line("peering pcx-1 vpc-1 vpc-2");
            draft.line("lacking VpcPeeringConnections");
        }
        _ => {}
    }
    draft.line("list pl-00000000000000001 max=5 family=IPv4 198.51.100.0/24");
    draft.line("list pl-00000000000000002 unknown");
    let groups = ["sg-a", "sg-b", "sg-c", "sg-d", "sg-e"];
    for group in groups {
        let vpc = if group == "sg-e" { "vpc-2" } else { "vpc-1" };
        let rules = rules(group, &groups, &mut dice);
        draft.line(&format!("group {group} vpc={vpc} {rules}"));
    }
    draft.line("group sg-z vpc=vpc-9 in tcp/22 10.0.0.0/8; out -1 0.0.0.0/0");
    interfaces(&groups, &mut draft, &mut dice);
    balancer(&mut draft, &mut dice);
    let count = draft.candidates.len();
    for _ in 0..count.min(24) {
        let position = dice.index(draft.candidates.len());
        let line = draft.candidates.swap_remove(position);
        draft.line(&line);
    }
    draft.line("expect no finding nothing-is-expected");
    draft.text
}

fn rules(own: &str, groups: &[&str], dice: &mut Dice) -> String {
    let mut rules: Vec<String> = Vec::new();
    match dice.between(0, 9) {
        0 => rules.push("out tcp/443 pl-00000000000000002".to_owned()),
        1 => rules.push("out tcp/0-65535 10.0.0.0/8; out tcp/443 pl-00000000000000001".to_owned()),
        2 => rules.push("out -1 0.0.0.0/0; out icmp/3/4 0.0.0.0/0".to_owned()),
        _ => rules.push("out -1 0.0.0.0/0".to_owned()),
    }
    for &(protocol, port, _) in SERVICES {
        if !dice.percent(45) {
            continue;
        }
        let from = match dice.between(0, 9) {
            0 => "10.0.0.0/8".to_owned(),
            1 => "0.0.0.0/0".to_owned(),
            2 => "pl-00000000000000002".to_owned(),
            3 => "10.0.0.0/24".to_owned(),
            _ => (*dice.pick(groups)).to_owned(),
        };
        rules.push(format!("in {protocol}/{port} {from}"));
    }
    let icmp = match dice.between(0, 4) {
        0 => Some("in icmp/8/-1 10.0.0.0/8".to_owned()),
        1 => Some(format!("in icmp/8/0 {}", dice.pick(groups))),
        2 => Some(format!("in icmp {}", dice.pick(groups))),
        _ => None,
    };
    rules.extend(icmp);
    if own == "sg-d" && dice.percent(30) {
        rules.push("in -1 10.0.0.0/16".to_owned());
    }
    rules.join("; ")
}

fn interfaces(groups: &[&str], draft: &mut Draft, dice: &mut Dice) {
    let mut ends: Vec<String> = Vec::new();
    for number in 0..10u64 {
        let group = groups[dice.index(groups.len())];
        let far = group == "sg-e";
        let (vpc, base) = if far {
            ("vpc-2", "10.2.0")
        } else {
            ("vpc-1", "10.0.0")
        };
        let second = (!far && dice.percent(20)).then(|| groups[dice.index(groups.len() - 1)]);
        let all = match second {
            Some(second) if second != group => format!("{group},{second}"),
            _ => group.to_owned(),
        };
        let address = format!("{base}.{}", 20 + number);
        let mut line = format!("eni eni-{number} {all} {address} vpc={vpc}");
        let id = format!("eni-{number}");
        ends.push(id.clone());
        if dice.percent(25) {
            let also = format!("{base}.{}", 120 + number);
            write!(line, " also={also}").unwrap();
            ends.push(format!("{id}/{also}"));
        }
        if dice.percent(10) {
            line.push_str(" silent");
        }
        draft.line(&line);
    }
    draft.line("eni eni-z sg-z 10.0.0.77 vpc=vpc-9 silent");
    draft.line("eni eni-y sg-z 10.9.0.5 vpc=vpc-9");
    for _ in 0..60 {
        let &(protocol, port, range) = dice.pick(SERVICES);
        let (from, to) = (dice.pick(&ends).clone(), dice.pick(&ends).clone());
        if from.split('/').next() == to.split('/').next() {
            continue;
        }
        let client = draft.client_port(range);
        let mid = if port == 2049 || dice.percent(15) {
            " mid"
        } else {
            ""
        };
        let line = match dice.between(0, 9) {
            0 => format!("traffic {from} -> {to} icmp"),
            1 => format!(
                "traffic {from}:{client} -> 198.51.100.{}:443 tcp{mid}",
                dice.between(1, 250)
            ),
            2 => format!(
                "traffic {from}:{client} -> 203.0.113.{}:443 tcp{mid}",
                dice.between(1, 250)
            ),
            // Over Direct Connect, where others may have the address too.
            3 => format!("traffic {from}:{client} -> host/10.9.0.5:1521 tcp{mid}"),
            4 => format!("traffic host/10.0.0.77:{client} -> {to}:{port} {protocol}{mid}"),
            _ => format!("traffic {from}:{client} -> {to}:{port} {protocol}{mid}"),
        };
        draft.candidates.push(line);
    }
}

fn balancer(draft: &mut Draft, dice: &mut Dice) {
    let has_groups = dice.percent(50);
    let silent = if dice.percent(50) { " silent" } else { "" };
    let own = if has_groups { "sg-nlb" } else { "-" };
    draft.line("group sg-nlb in tcp/443 0.0.0.0/0; out tcp/8080 sg-app");
    draft.line(if has_groups {
        "group sg-app in tcp/8080 sg-nlb; out -1 0.0.0.0/0"
    } else {
        "group sg-app in tcp/8080 0.0.0.0/0; in tcp/8080 10.0.0.0/8; out -1 0.0.0.0/0"
    });
    draft.line(&format!(
        "eni eni-nlb {own} 10.0.0.9 type=network_load_balancer description=ELB_net/front/0123456789abcdef{silent}"
    ));
    draft.line("eni eni-app sg-app 10.0.0.200 instance=i-0123456789abcdef0");
    if dice.percent(50) {
        draft.line(r#"inventory {"LoadBalancers": [{"LoadBalancerArn": "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/front/0123456789abcdef", "Type": "network"}], "TargetGroups": [{"TargetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/app/fedcba9876543210", "Protocol": "TCP", "Port": 8080, "TargetType": "instance", "LoadBalancerArns": ["arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/front/0123456789abcdef"]}]}"#);
    }
    for number in 0..6 {
        let client = draft.client_port((1_024, 65_535));
        let from = if number < 3 {
            format!("198.51.100.{}", dice.between(1, 250))
        } else {
            format!("eni-{number}")
        };
        let both = [
            format!("traffic {from}:{client} -> eni-nlb:443 tcp"),
            format!("traffic {from}:{client} -> eni-app:8080 tcp via=eni-nlb"),
        ];
        for line in both {
            draft.line(&line);
        }
    }
}

/// Whether packets can get from one end to the other.
fn has_path(case: &Case, traffic: &Traffic) -> bool {
    let vpcs = [&traffic.from, &traffic.to]
        .map(|end| end.interface.as_ref().map(|id| &case.interface(id).vpc));
    let [Some(a), Some(b)] = vpcs else {
        return true;
    };
    let joins = |vpcs: &[String; 2]| vpcs.contains(a) && vpcs.contains(b);
    a == b
        || case.peerings.iter().any(|peering| joins(&peering.vpcs))
        || case.transits.iter().any(|(_, vpcs, _)| joins(vpcs))
}

/// A world with the traffic that its own rules let through.
fn lawful(seed: u64) -> (String, Case) {
    let text = world(seed);
    let case = Case::read_all(&text).remove(0);
    let rules_of = |id: &str| -> Vec<Rule> {
        let group = case.groups.iter().find(|group| group.id == id);
        group.map_or(Vec::new(), |g| {
            g.rules.iter().map(|(r, _)| r.clone()).collect()
        })
    };
    let passes: Vec<bool> = case
        .traffic
        .iter()
        .map(|traffic| has_path(&case, traffic) && case.passes(&rules_of, traffic) == [true, true])
        .collect();
    let mut traffic = passes.iter();
    let kept = text
        .lines()
        .filter(|line| !line.starts_with("traffic ") || *traffic.next().unwrap());
    let text: String = kept.flat_map(|line| [line, "\n"]).collect();
    let case = Case::read_all(&text).remove(0);
    (text, case)
}

/// The audit of a world, for tests of other things.
pub(crate) fn audit_of_world(seed: u64) -> Audit {
    run(&lawful(seed).1, 1)
}

/// Whether a connection is what some traffic really was.
fn happened(case: &Case, c: &Connection, all: &[Traffic]) -> bool {
    all.iter().any(|traffic| {
        let is = |end: closegate::resolve::End, act: &super::case::End| {
            let own = act.interface.as_ref().map(|id| case.interface(id));
            end.address == act.address
                || own.is_some_and(|own| own.primary(act.address) == end.address)
        };
        let port = c.service.port().is_none_or(|port| port == traffic.to.port);
        c.service.protocol.0 == traffic.protocol
            && port
            && is(c.initiator, &traffic.from)
            && is(c.responder, &traffic.to)
    })
}

fn faults(case: &Case, audit: &Audit, format: usize) -> Vec<String> {
    let mut faults = judge(case, audit, format);
    for &position in &audit.replay.lost {
        faults.push(format!("lost: {position}"));
    }
    for wider in &audit.proof.left_out {
        faults.push(format!("left out: {wider:?}"));
    }
    for c in &audit.connections {
        let mut wrong = |what: &str| {
            faults.push(format!(
                "{what}: {:?} {} -> {:?} {} {} {:?} {:?} {:?}",
                c.initiator.place,
                c.initiator.address,
                c.responder.place,
                c.responder.address,
                c.service,
                c.verdict,
                c.confidence,
                c.basis
            ));
        };
        let is_leg = c.verdict == Verdict::Unattributed(Unattributed::Forwarded);
        if c.confidence != Confidence::Guessed && !is_leg && !happened(case, c, &case.traffic) {
            wrong("backwards");
        }
        if c.verdict == Verdict::Rejected {
            wrong("called rejected");
        }
        if c.verdict.reason() == Some("not-permitted-today") {
            wrong("called not permitted");
        }
    }
    faults
}

/// Seeds of the test; `CLOSEGATE_SEEDS` asks for more.
#[expect(clippy::disallowed_methods, reason = "a test may be asked for more")]
fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str, other: u64| {
        std::env::var(name).map_or(other, |text| text.parse::<u64>().unwrap())
    };
    number("CLOSEGATE_FIRST_SEED", 0)..number("CLOSEGATE_SEEDS", 40)
}

/// Nothing that happened is read backwards, called rejected or not permitted; nothing is lost for a group that is called ready; nothing
/// becomes wider.
#[test]
#[expect(clippy::print_stdout, reason = "the figures, on request")]
fn no_world_of_cases_goes_wrong() {
    let (mut connections, mut ready, mut balanced) = (0, 0, 0);
    for seed in seeds() {
        let (text, case) = lawful(seed);
        for format in 0..FORMATS.len() {
            let audit = run(&case, format);
            let faults = faults(&case, &audit, format);
            assert!(
                faults.is_empty(),
                "format {format}:\n{}\n{}\n{text}",
                faults.join("\n"),
                super::expect::told(&audit).join("\n")
            );
            connections += audit.connections.len();
            ready += audit
                .proof
                .readiness
                .iter()
                .filter(|r| r.is_ready())
                .count();
            let through = |c: &&Connection| {
                matches!(c.initiator.place, closegate::resolve::Place::Balanced(_))
            };
            balanced += audit.connections.iter().filter(through).count();
        }
    }
    println!(
        "{:?}, both formats: {connections} connections, {balanced} through balancers, {ready} groups ready",
        seeds()
    );
    assert!(ready > 0 && balanced > 0);
}
