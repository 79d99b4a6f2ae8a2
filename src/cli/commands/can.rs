//! `closegate can`.

use std::fmt::{self, Write as _};

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::cli::args::CanArgs;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, Next};
use crate::cli::trouble::Trouble;
use crate::inventory::{Answer, Gates, Inventory, Packet, SideAnswer};
use crate::net::{Protocol, Service, json, visible};

pub(in crate::cli) fn run(args: &CanArgs) -> Result<Exit, Failure> {
    let CanArgs {
        inventory,
        from,
        to,
        service,
        json,
    } = args;
    let packet = packet(service).map_err(Failure::usage)?;
    let inventory = Inventory::load(inventory).map_err(Failure::usage)?;
    let sender = inventory.party(from).map_err(Failure::usage)?;
    let receiver = inventory.party(to).map_err(Failure::usage)?;
    let answer = inventory.can(&Gates::today(&inventory), &sender, &receiver, packet);
    if answer.egress.is_none() && answer.ingress.is_none() {
        return Err(Failure::usage(anyhow!(
            "neither `{from}` nor `{to}` is in the inventory, so no group judges between them; name at least one end of yours"
        ))
        .about(Trouble::NotInInventory));
    }
    let question = Question {
        from: inventory.describe(&sender, &receiver),
        to: inventory.describe(&receiver, &sender),
        packet,
    };
    print(if *json {
        as_json(&inventory, &question, &answer)
    } else {
        as_text(&inventory, &question, &answer)
    })?;
    if answer.allowed.is_none() {
        next::propose(Next::CanNotTell);
    }
    Ok(match answer.allowed {
        Some(true) => Exit::Done,
        Some(false) => Exit::Stands,
        None => Exit::Unknown,
    })
}

/// `tcp/443`, `icmp`, `icmp/8`, `icmp/8/0`, `protocol/50`. A bare number could be a port as well.
fn packet(text: &str) -> anyhow::Result<Packet> {
    let wrong = || {
        anyhow!(
            "`{text}` is not a protocol and port; write tcp/443, udp/53, icmp, icmp/8/0 or protocol/50"
        )
    };
    let because = |error: std::num::ParseIntError| anyhow::Error::new(error).context(wrong());
    let mut parts = text.split('/');
    let protocol = match parts.next() {
        Some("protocol") => parts.next().and_then(Protocol::parse),
        Some(name) if name.parse::<u64>().is_err() => Protocol::parse(name),
        _ => None,
    };
    let protocol = protocol.ok_or_else(wrong)?;
    let rest: Vec<&str> = parts.collect();
    match rest.as_slice() {
        [port] if protocol.has_ports() => {
            Ok(Service::new(protocol, port.parse().map_err(because)?).into())
        }
        [] if !protocol.has_ports() => Ok(Service::new(protocol, 0).into()),
        [kind, code @ ..] if protocol.is_icmp() && code.len() < 2 => {
            let number = |text: &str| text.parse::<u8>().map_err(because);
            let icmp = (
                number(kind)?,
                code.first().map_or(Ok(0), |code| number(code))?,
            );
            Ok(Packet {
                service: Service::new(protocol, 0),
                icmp: Some(icmp),
            })
        }
        _ => Err(wrong()),
    }
}

/// What was asked, as closegate understands it.
struct Question {
    from: String,
    to: String,
    packet: Packet,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, packet } = self;
        match packet.icmp {
            _ if packet.service.protocol.has_ports() => write!(f, "{}", packet.service)?,
            Some((kind, code)) => write!(f, "{}/{kind}/{code}", packet.service.protocol)?,
            None if packet.service.protocol.is_icmp() => write!(f, "{}", packet.service.protocol)?,
            None => write!(f, "protocol/{}", packet.service.protocol)?,
        }
        write!(f, " from {from} to {to}")
    }
}

fn as_json(inventory: &Inventory, question: &Question, answer: &Answer) -> String {
    let side = |side: &Option<SideAnswer>| -> Value {
        let Some(side) = side else { return Value::Null };
        let rules: Vec<Value> = side
            .rules
            .iter()
            .map(|&(group, position)| {
                let group = inventory.group(group);
                let rule = &group.rules[position];
                json!({
                    "group_id": group.id,
                    "group_name": group.name,
                    "security_group_rule_id": rule.rule_id,
                    "direction": rule.direction.as_str(),
                    "protocol": rule.protocol.to_string(),
                    "from_port": rule.port_pair().map(|p| p.0),
                    "to_port": rule.port_pair().map(|p| p.1),
                    "target": rule.target.to_string(),
                })
            })
            .collect();
        json!({"allowed": side.allowed, "unknown": side.unknown, "ungated": side.ungated, "rules": rules})
    };
    let document = json!({
        "schema_version": crate::documents::SCHEMA_VERSION,
        "question": question.to_string(),
        "allowed": answer.allowed,
        "egress": side(&answer.egress),
        "ingress": side(&answer.ingress),
    });
    json::pretty(&document)
}

fn as_text(inventory: &Inventory, question: &Question, answer: &Answer) -> String {
    let mut text = format!(
        "{}: {}\n",
        visible(&question.to_string(), 400),
        match answer.allowed {
            Some(true) => "allowed",
            Some(false) => "not allowed",
            None => "unknown",
        }
    );
    for (name, side) in [("egress", &answer.egress), ("ingress", &answer.ingress)] {
        let verdict = match side {
            None => "outside the inventory",
            Some(side) if side.ungated => "no group judges it",
            Some(side) if side.allowed == Some(true) => "allowed by",
            Some(side) => side.unknown.as_deref().unwrap_or("no rule allows it"),
        };
        writeln!(text, "  {name:<8} {verdict}").expect("writing to a string does not fail");
        for &(group, position) in side.iter().flat_map(|side| &side.rules) {
            let group = inventory.group(group);
            let rule = &group.rules[position];
            let ports = rule.services();
            let id = rule
                .rule_id
                .as_deref()
                .unwrap_or("no sgr- id in the inventory");
            let line = format!(
                "    {} ({}): {ports}, {} [{id}]",
                group.name, group.id, rule.target
            );
            writeln!(text, "{}", visible(&line, 200)).expect("writing to a string does not fail");
        }
    }
    text
}
