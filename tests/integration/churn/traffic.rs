//! What happens in the account, and what the flow logs say of it.

use std::fmt::Write as _;

use super::account::{Account, DAY, DAYS, END, From, Interface, NAT, NAT_ADDRESS, START};
use crate::world::Dice;

/// A flow log's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Version 2.
    Default,
    /// With flags, packet addresses and the direction at the interface.
    Custom,
}

/// What a conversation really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Label {
    Legitimate,
    Hostile,
    /// The responder's group does not admit it.
    Rejected,
    /// A network ACL rejected it this time.
    RejectedByAcl,
}

/// An end: one of the account's interfaces, or somebody outside.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) interface: Option<usize>,
    pub(super) address: String,
}

pub(super) struct Act {
    pub(super) from: End,
    pub(super) to: End,
    pub(super) protocol: &'static str,
    pub(super) port: u16,
    pub(super) time: u64,
    pub(super) label: Label,
    client_port: u16,
    through_nat: bool,
}

/// Services on the internet.
const INTERNET: &[(&str, u16)] = &[
    ("151.101.1.1", 443),
    ("151.101.65.1", 443),
    ("93.184.216.34", 80),
];

pub(super) fn story(account: &Account, dice: &mut Dice) -> Vec<Act> {
    let mut acts = Vec::new();
    for day in 0..DAYS {
        for (number, interface) in account.interfaces.iter().enumerate() {
            // Twice a day, at hours at which it may be there.
            for hour in [dice.between(1, 11), dice.between(12, 22)] {
                let time = START + day * DAY + hour * 3600 + dice.between(0, 1800);
                let groups = interface.groups_at(time);
                if groups.is_empty() || !interface.is_there(time + 60) {
                    continue;
                }
                daily(account, number, groups[0], time, dice, &mut acts);
            }
        }
        let time = START + day * DAY + dice.between(3600, DAY - 3600);
        strangers(account, time, dice, &mut acts);
    }
    acts
}

/// Which groups a group calls, and on which port.
fn peers_of(group: &str) -> &'static [(&'static str, u16)] {
    match group {
        "sg-web" => &[("sg-app", 8080)],
        "sg-app" => &[("sg-db", 3306), ("sg-cache", 6379)],
        "sg-nodes" => &[("sg-cache", 6379), ("sg-app", 9100)],
        "sg-fn" => &[("sg-db", 3306)],
        _ => &[],
    }
}

/// What a member of a group does each day.
fn daily(
    account: &Account,
    number: usize,
    group: &str,
    time: u64,
    dice: &mut Dice,
    acts: &mut Vec<Act>,
) {
    let interface = &account.interfaces[number];
    let outside = |address: &str| End {
        interface: None,
        address: address.to_owned(),
    };
    let mut act = |dice: &mut Dice, to: End, protocol, port, label, through_nat: bool| {
        // Pods speak for themselves inside the VPC, and with the node's address outside.
        let address = if to.interface.is_some() {
            interface.source(dice)
        } else {
            interface.address.clone()
        };
        let from = End {
            interface: Some(number),
            address,
        };
        let client_port = dice.port(32768, 60999);
        acts.push(Act {
            from,
            to,
            protocol,
            port,
            time,
            label,
            client_port,
            through_nat,
        });
    };
    let some = |dice: &mut Dice, group: &str| -> Option<End> {
        let members = account.members(group, time);
        let members: Vec<usize> = members.into_iter().filter(|&m| m != number).collect();
        (!members.is_empty()).then(|| {
            let member = *dice.pick(&members);
            End {
                interface: Some(member),
                address: account.interfaces[member].address.clone(),
            }
        })
    };
    for &(peer, port) in peers_of(group) {
        if let Some(to) = some(dice, peer) {
            let label = if dice.percent(2) {
                Label::RejectedByAcl
            } else {
                Label::Legitimate
            };
            act(dice, to, "6", port, label, false);
        }
    }
    let &(address, port) = &INTERNET[usize::from(group.len() > 7)];
    if group != "sg-db" {
        act(
            dice,
            outside(address),
            "6",
            port,
            Label::Legitimate,
            matches!(group, "sg-worker" | "sg-batch"),
        );
    }
    if group == "sg-batch" {
        act(
            dice,
            outside(INTERNET[2].0),
            "6",
            INTERNET[2].1,
            Label::Legitimate,
            true,
        );
    }
    // Nobody admits this one.
    if group == "sg-worker"
        && dice.percent(20)
        && let Some(to) = some(dice, "sg-db")
    {
        act(dice, to, "6", 3306, Label::Rejected, false);
    }
    if dice.percent(4) {
        act(
            dice,
            outside("203.0.115.7"),
            "6",
            6667,
            Label::Hostile,
            false,
        );
    }
    for (protocol, named) in [("1", "icmp"), ("132", "132")] {
        let to = *dice.pick(&account.groups);
        if dice.percent(10)
            && account.admits(to, named)
            && let Some(to) = some(dice, to)
        {
            act(dice, to, protocol, 0, Label::Legitimate, false);
        }
    }
}

/// Clients of the internet and of the other account, and a probe.
fn strangers(account: &Account, time: u64, dice: &mut Dice, acts: &mut Vec<Act>) {
    let probe = format!("192.0.2.{}", dice.between(1, 250));
    let admitted_other = account
        .rules
        .iter()
        .any(|rule| matches!(rule.from, From::OtherAccount));
    let mut from = vec![
        ("198.51.100.77".to_owned(), "sg-web", 443, Label::Legitimate),
        (probe, "sg-web", 22, Label::Rejected),
    ];
    if admitted_other {
        let address = format!("172.31.5.{}", dice.between(1, 5));
        from.push((address, "sg-db", 3306, Label::Legitimate));
    }
    for (address, group, port, label) in from {
        let members = account.members(group, time);
        if members.is_empty() {
            continue;
        }
        let member = *dice.pick(&members);
        let to = End {
            interface: Some(member),
            address: account.interfaces[member].address.clone(),
        };
        let from = End {
            interface: None,
            address,
        };
        let client_port = dice.port(1024, 65535);
        acts.push(Act {
            from,
            to,
            protocol: "6",
            port,
            time,
            label,
            client_port,
            through_nat: false,
        });
    }
}

/// A row before it is written.
struct Row<'a> {
    at: &'a str,
    shown: [&'a str; 2],
    packet: [&'a str; 2],
    ports: [u16; 2],
    accepted: bool,
    flags: u8,
    egress: bool,
}

/// The log; `damaged` of a hundred TCP rows come a second time, without their ports.
pub(super) fn log(
    account: &Account,
    acts: &[Act],
    format: Format,
    damaged: u64,
    dice: &mut Dice,
) -> String {
    let mut log = match format {
        Format::Default => "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n".to_owned(),
        Format::Custom => "interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr srcport dstport protocol packets bytes start end action tcp-flags flow-direction log-status\n".to_owned(),
    };
    for act in acts {
        for row in rows(account, act) {
            write(&mut log, act, &row, format, false);
            if act.protocol == "6" && dice.percent(damaged) {
                write(&mut log, act, &row, format, true);
            }
        }
    }
    // Every interface that is logged says that it was idle, too.
    for interface in account.interfaces.iter().filter(|i| i.is_logged) {
        for day in 0..DAYS {
            let start = START + day * DAY + 23 * 3600;
            if interface.is_there(start) && start < END {
                let (id, end) = (&interface.id, start + 60);
                let line = match format {
                    Format::Default => {
                        format!("2 111122223333 {id} - - - - - - - {start} {end} - NODATA")
                    }
                    Format::Custom => format!("{id} - - - - - - - - - {start} {end} - - - NODATA"),
                };
                writeln!(log, "{line}").unwrap();
            }
        }
    }
    log
}

fn write(log: &mut String, act: &Act, row: &Row<'_>, format: Format, damaged: bool) {
    let Row {
        at,
        shown,
        packet,
        ports,
        accepted,
        flags,
        egress,
    } = row;
    let (start, end) = (act.time, act.time + 50);
    let action = if *accepted { "ACCEPT" } else { "REJECT" };
    let ports = if damaged {
        "- -".to_owned()
    } else {
        format!("{} {}", ports[0], ports[1])
    };
    let protocol = act.protocol;
    let line = match format {
        Format::Default => format!(
            "2 111122223333 {at} {} {} {ports} {protocol} 5 700 {start} {end} {action} OK",
            shown[0], shown[1]
        ),
        Format::Custom => {
            let way = if *egress { "egress" } else { "ingress" };
            format!(
                "{at} {} {} {} {} {ports} {protocol} 5 700 {start} {end} {action} {flags} {way} OK",
                shown[0], shown[1], packet[0], packet[1]
            )
        }
    };
    writeln!(log, "{line}").unwrap();
}

fn rows<'a>(account: &'a Account, act: &'a Act) -> Vec<Row<'a>> {
    let logged = |end: &End| -> Option<&'a Interface> {
        end.interface
            .map(|i| &account.interfaces[i])
            .filter(|i| i.is_logged)
    };
    let (from, to) = (act.from.address.as_str(), act.to.address.as_str());
    let (ask, answer) = ([act.client_port, act.port], [act.port, act.client_port]);
    let (ask, answer) = if act.protocol == "6" {
        (ask, answer)
    } else {
        ([0, 0], [0, 0])
    };
    let is_tcp = u8::from(act.protocol == "6");
    let lets_out = act.label != Label::RejectedByAcl;
    let lets_in = matches!(act.label, Label::Legitimate | Label::Hostile);
    let mut rows = Vec::new();
    if let Some(own) = logged(&act.from) {
        let shown = own.address.as_str();
        rows.push(Row {
            at: &own.id,
            shown: [shown, to],
            packet: [from, to],
            ports: ask,
            accepted: lets_out,
            flags: 2 * is_tcp,
            egress: true,
        });
        if lets_in {
            rows.push(Row {
                at: &own.id,
                shown: [to, shown],
                packet: [to, from],
                ports: answer,
                accepted: true,
                flags: 18 * is_tcp,
                egress: false,
            });
        }
    }
    if act.through_nat {
        for (shown, packet, egress) in [
            ([from, NAT_ADDRESS], [from, to], false),
            ([NAT_ADDRESS, to], [NAT_ADDRESS, to], true),
        ] {
            rows.push(Row {
                at: NAT,
                shown,
                packet,
                ports: ask,
                accepted: true,
                flags: 2,
                egress,
            });
            let back = |ends: [&'a str; 2]| [ends[1], ends[0]];
            rows.push(Row {
                at: NAT,
                shown: back(shown),
                packet: back(packet),
                ports: answer,
                accepted: true,
                flags: 18,
                egress: !egress,
            });
        }
    }
    if let Some(own) = logged(&act.to).filter(|_| lets_out) {
        let shown = own.address.as_str();
        rows.push(Row {
            at: &own.id,
            shown: [from, shown],
            packet: [from, to],
            ports: ask,
            accepted: lets_in,
            flags: 2 * is_tcp,
            egress: false,
        });
        if lets_in {
            rows.push(Row {
                at: &own.id,
                shown: [shown, from],
                packet: [to, from],
                ports: answer,
                accepted: true,
                flags: 18 * is_tcp,
                egress: true,
            });
        }
    }
    rows
}
