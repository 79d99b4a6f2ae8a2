//! What a case expects.

use closegate::audit::Audit;
use closegate::findings::Finding;
use closegate::inventory::{Gates, Packet, Rule};
use closegate::net::{Protocol, Service};
use closegate::resolve::{Connection, Place};
use closegate::suggest::Status;

use super::case::{Case, direction_of, rule, service_of, target_of};

/// Whether an expectation holds; else why not.
pub(super) fn holds(case: &Case, audit: &Audit, line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["adds", "nothing", group] => {
            let found = added(audit, group);
            met(found.is_empty(), &format!("{found:?}"))
        }
        ["adds", group, ..] => {
            let wanted = rule(&words[2..].join(" ")).0;
            let found = added(audit, group);
            met(
                found.iter().any(|rule| rule.same_permission(&wanted)),
                "no such rule",
            )
        }
        ["no", "add", group, direction, service, ref target @ ..] => {
            let (protocol, from, to) = service_of(service);
            let any = target_of("0.0.0.0/0");
            let like = Rule::from_parts(direction_of(direction), &protocol, from, to, any).unwrap();
            let is_like = |rule: &&Rule| {
                rule.direction == like.direction
                    && rule.protocol == like.protocol
                    && rule.ports == like.ports
                    && target.first().is_none_or(|t| rule.target == target_of(t))
            };
            let found = added(audit, group);
            met(!found.iter().any(|rule| is_like(&rule)), "there is one")
        }
        ["revokes", group, ..] => met(goes(audit, group, &words[2..]), "it stays"),
        ["keeps", group, ..] => met(!goes(audit, group, &words[2..]), "it goes"),
        ["can", from, to, service, answer] => can(audit, (from, to), service, answer),
        ["finding", kind, ref group @ ..] => met(has_finding(audit, kind, group.first()), "none"),
        ["no", "finding", kind, ref group @ ..] => {
            met(!has_finding(audit, kind, group.first()), "there is one")
        }
        ["ready", group] => met(is_ready(audit, group), "not ready"),
        ["not", "ready", group] => met(!is_ready(audit, group), "ready"),
        ["note", ..] => {
            let wanted = words[1..].join(" ");
            let mut notes = audit.inventory.notes().iter();
            met(notes.any(|note| note.0.contains(&wanted)), "no such note")
        }
        ["no", from, "->", to, ref service @ ..] => {
            let found = audit.connections.iter().find(|c| {
                is_end(case, audit, c, (from, to))
                    && service.first().is_none_or(|s| spelt(c.service) == *s)
            });
            found.map_or(Ok(()), |c| Err(tell(audit, c)))
        }
        [from, "->", to, service, verdict, ref rest @ ..] => {
            let mut candidates = audit
                .connections
                .iter()
                .filter(|c| is_end(case, audit, c, (from, to)) && spelt(c.service) == service);
            let fits = |c: &Connection| {
                c.verdict.term().as_str() == verdict
                    && rest.iter().all(|word| {
                        c.verdict.reason() == Some(word) || c.confidence.as_str() == *word
                    })
            };
            met(candidates.any(fits), "no such connection")
        }
        _ => panic!("{}: `{line}` is no expectation", case.name),
    }
}

fn met(holds: bool, why: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why.to_owned()) }
}

fn added(audit: &Audit, group: &str) -> Vec<Rule> {
    let of_group = |rule: &&closegate::suggest::SuggestedRule| {
        rule.status == Status::Add && audit.inventory.group(rule.group).id == group
    };
    let rules = audit.rules.rules.iter().filter(of_group);
    rules.map(|rule| rule.rule.clone()).collect()
}

fn goes(audit: &Audit, group: &str, words: &[&str]) -> bool {
    let wanted = rule(&words.join(" ")).0;
    let ix = audit.inventory.group_by_id(group).unwrap();
    let stands = audit.inventory.group(ix).rules.iter();
    assert!(
        stands.clone().any(|rule| rule.same_permission(&wanted)),
        "{group} has no rule {words:?}"
    );
    let mut gone = audit
        .rules
        .revocations
        .iter()
        .chain(&audit.proof.tightenings);
    gone.any(|gone| gone.group == ix && gone.rule.same_permission(&wanted))
}

fn has_finding(audit: &Audit, kind: &str, group: Option<&&str>) -> bool {
    let mut of_kind = audit.findings.iter().filter(|f| f.kind.id == kind);
    let of_group = |f: &Finding, id: &str| {
        let group = f.found.group.map(|ix| audit.inventory.group(ix));
        group.is_some_and(|group| group.id == id)
    };
    of_kind.any(|f| group.is_none_or(|id| of_group(f, id)))
}

fn is_ready(audit: &Audit, group: &str) -> bool {
    let mut ready = audit.proof.readiness.iter().filter(|r| r.is_ready());
    ready.any(|r| audit.inventory.group(r.group).id == group)
}

fn can(audit: &Audit, ends: (&str, &str), service: &str, answer: &str) -> Result<(), String> {
    let inventory = &audit.inventory;
    let (from, to) = (
        inventory.party(ends.0).unwrap(),
        inventory.party(ends.1).unwrap(),
    );
    let parts: Vec<&str> = service.split('/').collect();
    let protocol = Protocol::parse(parts[0]).unwrap();
    let number = |at: usize| parts.get(at).map(|n| n.parse::<u16>().unwrap());
    let packet = if protocol.is_icmp() {
        let code = u8::try_from(number(2).unwrap_or(0)).unwrap();
        Packet {
            service: Service::new(protocol, 0),
            icmp: number(1).map(|kind| (u8::try_from(kind).unwrap(), code)),
        }
    } else {
        Service::new(protocol, number(1).unwrap_or(0)).into()
    };
    let said = inventory.can(&Gates::today(inventory), &from, &to, packet);
    let word = match said.allowed {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    met(word == answer, &format!("{word}: {said:?}"))
}

/// Whether a connection's ends are those that are named: an interface's id, an address, or `*`.
fn is_end(case: &Case, audit: &Audit, c: &Connection, (from, to): (&str, &str)) -> bool {
    let is = |end: closegate::resolve::End, wanted: &str| {
        let id = match end.place {
            Place::Local(ix) => Some(audit.inventory.interface(ix).id.as_str()),
            Place::Unlisted(ix) => Some(audit.table.observers[ix.index()].as_str()),
            Place::Balanced(_) | Place::Outside => None,
        };
        let of_interface = || {
            let mut all = case.interfaces.iter().filter(|i| i.id == wanted);
            end.interface().is_none() && all.any(|i| i.holds(end.address))
        };
        wanted == "*" || id == Some(wanted) || end.address.to_string() == wanted || of_interface()
    };
    is(c.initiator, from) && is(c.responder, to)
}

fn spelt(service: Service) -> String {
    match service.port() {
        Some(port) => format!("{}/{port}", service.protocol),
        None => service.protocol.to_string(),
    }
}

fn tell(audit: &Audit, c: &Connection) -> String {
    let place = |end: closegate::resolve::End| match end.place {
        Place::Local(ix) => audit.inventory.interface(ix).id.clone(),
        Place::Unlisted(ix) => audit.table.observers[ix.index()].clone(),
        Place::Balanced(ix) => format!("through {}", audit.inventory.balancer(ix).name),
        Place::Outside => "-".to_owned(),
    };
    format!(
        "{} ({}) -> {} ({}) {} {} {} {} ({})",
        c.initiator.address,
        place(c.initiator),
        c.responder.address,
        place(c.responder),
        spelt(c.service),
        c.verdict.term().as_str(),
        c.verdict.reason().unwrap_or("-"),
        c.confidence.as_str(),
        c.basis.as_str(),
    )
}

/// What the audit said, for whoever looks at a failure.
pub(super) fn told(audit: &Audit) -> Vec<String> {
    let connections = audit.connections.iter().map(|c| tell(audit, c));
    let rules = audit.rules.rules.iter().map(|r| {
        format!(
            "{:?} {} {} {} {}",
            r.status,
            audit.inventory.group(r.group).id,
            r.rule.direction.as_str(),
            r.rule.services(),
            r.rule.target
        )
    });
    let gone = audit.rules.revocations.iter().map(|r| {
        let group = &audit.inventory.group(r.group).id;
        format!("Revoke {group} {} {}", r.rule.services(), r.rule.target)
    });
    let tightened = audit.proof.tightenings.iter().map(|r| {
        let group = &audit.inventory.group(r.group).id;
        format!("Tighten {group} {} {}", r.rule.services(), r.rule.target)
    });
    let ready = audit.proof.readiness.iter().map(|r| {
        format!(
            "{} {}",
            audit.inventory.group(r.group).id,
            if r.is_ready() { "ready" } else { "not ready" }
        )
    });
    connections
        .chain(rules)
        .chain(gone)
        .chain(tightened)
        .chain(ready)
        .collect()
}
