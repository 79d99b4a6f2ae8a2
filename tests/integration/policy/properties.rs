//! Whatever the sequence of runs, decisions and edits by hand: nothing that was decided is lost, and nothing that was declined comes back.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use closegate::documents::{AuditDocument, ChangeDocument};
use closegate::inventory::Rule;
use closegate::policy::{
    EntryState, PolicyDecision, PolicyEntry, PolicyRun, PolicySet, decide, parse_group, update,
    write_group,
};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::{DAY, Place};

/// Two groups have the same name.
const GROUPS: [(&str, &str); 3] = [("sg-1", "web"), ("sg-2", "db"), ("sg-3", "web")];

/// The first day of the first run.
const START: u64 = 1_793_577_600;

/// Prefixes inside and outside, some of which hold others.
const PREFIXES: [&str; 7] = [
    "198.51.100.7/32",
    "198.51.100.6/31",
    "198.51.100.0/24",
    "203.0.113.9/32",
    "10.9.0.1/32",
    "10.9.0.0/16",
    "2001:db8::/48",
];

/// A rule of a run.
#[derive(Clone, Debug)]
struct Needed {
    own: usize,
    /// Below three a group, then a prefix, then a list.
    target: usize,
    ingress: bool,
    pair: bool,
    port: u16,
    /// Which of the days of the run.
    day: u64,
    /// Whether a quarantined connection shares it.
    shared: bool,
}

/// What happens to the policy.
#[derive(Clone, Debug)]
enum Event {
    Run(Vec<Needed>),
    Decide(Index, EntryState),
    Edit(Index, Edit),
}

/// What a person does with an entry.
#[derive(Clone, Debug)]
enum Edit {
    Comment,
    SingleQuotes,
    Delete,
    Narrow,
    Expire,
    Write(usize),
}

fn needed() -> impl Strategy<Value = Needed> {
    (
        0..3usize,
        0..11usize,
        prop::bool::weighted(0.2),
        any::<bool>(),
        prop::sample::select(vec![443u16, 5432]),
        0..3u64,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(own, target, ingress, pair, port, day, shared)| Needed {
            own,
            target,
            ingress,
            pair: pair && target < 3 && !ingress,
            port,
            day,
            shared,
        })
}

fn run() -> impl Strategy<Value = Vec<Needed>> {
    prop::collection::vec(needed(), 0..8)
}

fn state() -> impl Strategy<Value = EntryState> {
    prop::sample::select(EntryState::ALL.to_vec())
}

fn event() -> impl Strategy<Value = Event> {
    let edit = prop_oneof![
        3 => Just(Edit::Comment),
        1 => Just(Edit::SingleQuotes),
        1 => Just(Edit::Delete),
        1 => Just(Edit::Narrow),
        1 => Just(Edit::Expire),
        2 => (0..7usize).prop_map(Edit::Write),
    ];
    prop_oneof![
        3 => run().prop_map(Event::Run),
        3 => (any::<Index>(), state()).prop_map(|(at, state)| Event::Decide(at, state)),
        2 => (any::<Index>(), edit).prop_map(|(at, edit)| Event::Edit(at, edit)),
    ]
}

thread_local! {
    /// The documents of a run, without rules and connections.
    static EMPTY: OnceCell<(Value, Value)> = const { OnceCell::new() };
}

fn empty() -> (Value, Value) {
    EMPTY.with(|empty| {
        let read = || {
            let place = Place::new();
            let read = |name: &str| -> Value {
                let bytes = std::fs::read(place.path("run").join(name)).unwrap();
                serde_json::from_slice(&bytes).unwrap()
            };
            let (mut change, mut audit) = (read("rules/rules.json"), read("audit.json"));
            for key in [
                "rules",
                "revocations",
                "tightenings",
                "groups",
                "prefix_lists",
            ] {
                change[key] = json!([]);
            }
            let sample = audit["connections"][0].clone();
            for key in ["findings", "rules", "readiness", "current_rules"] {
                audit[key] = json!([]);
            }
            audit["connections"] = json!([sample]);
            (change, audit)
        };
        empty.get_or_init(read).clone()
    })
}

/// The documents of a run of three days, the first of which is a number of days after the first of all.
fn documents(needs: &[Needed], first_day: u64) -> (ChangeDocument, AuditDocument<'static>) {
    let (mut change, mut audit) = empty();
    let sample = audit["connections"][0].clone();
    let (mut rules, mut connections, mut there) = (Vec::new(), Vec::new(), BTreeSet::new());
    for need in needs {
        let number = ((need.own * 11 + need.target) * 2 + usize::from(need.ingress)) * 2
            + usize::from(need.port == 443);
        if !there.insert(number) {
            continue;
        }
        let (group, name) = GROUPS[need.own];
        let (target, address, groups) = match need.target {
            at @ 0..3 => (
                json!({"security_group": GROUPS[at].0}),
                format!("10.0.0.{at}"),
                vec![GROUPS[at].0],
            ),
            at @ 3..10 => {
                let net = PREFIXES[at - 3];
                let kind = if net.contains(':') {
                    "cidr_ipv6"
                } else {
                    "cidr_ipv4"
                };
                let address = net.split('/').next().unwrap().to_owned();
                (json!({kind: net}), address, vec![])
            }
            _ => (
                json!({"prefix_list": "pl-1"}),
                "192.0.2.1".to_owned(),
                vec![],
            ),
        };
        let direction = if need.ingress { "ingress" } else { "egress" };
        let id = format!("r-{number:016x}");
        let first = START + (first_day + need.day) * DAY;
        let mut row = sample.clone();
        row["id"] = json!(format!("c-{number:016x}"));
        let own = json!({"interface_id": "eni-1", "address": format!("10.0.0.{}", need.own), "groups": [group], "aws_service": null});
        let other = json!({"interface_id": null, "address": address, "groups": groups, "aws_service": null});
        let (initiator, responder) = if need.ingress {
            (other, own)
        } else {
            (own, other)
        };
        row["initiator"] = initiator;
        row["responder"] = responder;
        row["port"] = json!(need.port);
        row["verdict"] = json!("accepted");
        row["after"] = json!({"state": "permitted", "rules": [id]});
        row["first_seen"] = json!(first);
        row["last_seen"] = json!(first + 60);
        if need.shared {
            let mut hostile = row.clone();
            hostile["id"] = json!(format!("c-{:016x}", number + 10_000));
            hostile["verdict"] = json!("quarantined");
            hostile["reason"] = json!("beaconing");
            connections.push(hostile);
        }
        connections.push(row);
        rules.push(json!({
            "id": id, "group_id": group, "group_name": name, "direction": direction, "protocol": "tcp",
            "from_port": need.port, "to_port": need.port, "target": target, "status": "add",
            "security_group_rule_id": null, "pair": if need.pair { json!("r-pair") } else { Value::Null },
            "description": "", "wording": "", "why": "", "confidence": "high",
            "evidence": [format!("c-{number:016x}")],
        }));
    }
    let group = |(id, name): &(&str, &str)| json!({"id": id, "name": name, "vpc": "vpc-1", "owner": "1", "region": "", "kept_by": null, "waits_for": [], "connections": 0, "today": []});
    change["groups"] = GROUPS.iter().map(group).collect();
    change["prefix_lists"] = json!([{"id": "pl-1", "name": "partners"}]);
    change["rules"] = json!(rules);
    audit["connections"] = json!(connections);
    audit["window"] =
        json!({"start": START + first_day * DAY, "end": START + (first_day + 3) * DAY - 1});
    (
        serde_json::from_value(change).unwrap(),
        serde_json::from_value(audit).unwrap(),
    )
}

/// A policy's files, as a directory has them.
#[derive(Clone, Debug, Default, PartialEq)]
struct Files(BTreeMap<String, String>);

impl Files {
    fn set(&self) -> PolicySet {
        let read = |(id, text): (&String, &String)| {
            let path = format!("{id}.toml");
            let group = parse_group(text, Path::new(&path)).unwrap_or_else(|error| {
                panic!("{error}\n{text}");
            });
            (id.clone(), group)
        };
        PolicySet {
            groups: self.0.iter().map(read).collect(),
        }
    }

    fn write(&mut self, after: &PolicySet) {
        let before = self.set();
        for (id, group) in &after.groups {
            let old = self.0.get(id).map(String::as_str);
            let old = old.zip(before.groups.get(id));
            let text = write_group(old, group).unwrap();
            self.0.insert(id.clone(), text);
        }
        let read = self.set();
        assert_eq!(plain(&read), plain(after), "what was written is read again");
    }

    /// Merges a run; its number says which days it is about.
    fn merge(&mut self, needs: &[Needed], number: u64) {
        let (change, audit) = documents(needs, number * 5);
        let mut policy = self.set();
        let run = PolicyRun {
            name: &format!("run-{number}"),
            change: &change,
            audit: &audit,
            account: None,
        };
        update(&mut policy, &run).unwrap();
        self.write(&policy);
    }

    /// The key of one of the entries, if there are some.
    fn key(&self, at: Index) -> Option<String> {
        let keys: Vec<String> = self.set().keys().into_iter().collect();
        (!keys.is_empty()).then(|| at.get(&keys).clone())
    }

    fn decide(&mut self, at: Index, state: EntryState) {
        let Some(key) = self.key(at) else {
            return;
        };
        let mut policy = self.set();
        let decision = PolicyDecision {
            reason: Some(format!("{} for {key}", state.as_str())),
            owner: Some("the shop team".to_owned()),
            ticket: None,
            expires: None,
            key,
            state,
        };
        decide(&mut policy, &[decision]).unwrap();
        self.write(&policy);
    }

    /// What a person does with an editor. Gives a comment that has to stay.
    fn edit(&mut self, at: Index, edit: &Edit, number: usize) -> Option<String> {
        let key = self.key(at)?;
        let line = format!("key = \"{key}\"\n");
        let (_, text) = self.0.iter_mut().find(|(_, text)| text.contains(&line))?;
        let start = text[..text.find(&line)?].rfind("[[")?;
        let end = text[start + 2..]
            .find("\n[[")
            .map_or(text.len(), |end| start + 2 + end + 1);
        let entry = text[start..end].to_owned();
        let comment = format!("# comment {number}");
        let new = match edit {
            Edit::Comment => entry.replace(&line, &format!("{comment}\n{line}")),
            Edit::SingleQuotes => entry.replace("state = \"accepted\"", "state = 'accepted'"),
            Edit::Delete => String::new(),
            Edit::Narrow => entry.replace("\"198.51.100.0/24\"", "\"198.51.100.128/25\""),
            Edit::Expire => entry.replace(&line, &format!("{line}expires = 2999-01-01\n")),
            Edit::Write(prefix) => format!(
                "{}\n{comment}\n[[allow]]\nkey = \"mine_{number}\"\nto_prefixes = [\"{}\"]\nprotocol = \"tcp\"\nports = [443, \"5000-6000\"]\nstate = \"{}\"\nreason = \"mine\"\n",
                entry.trim_end().to_owned() + "\n",
                PREFIXES[*prefix],
                if number.is_multiple_of(2) {
                    "accepted"
                } else {
                    "declined"
                }
            ),
        };
        if matches!(edit, Edit::Expire) && entry.contains("\nexpires = ") {
            return None;
        }
        text.replace_range(start..end, &new);
        let is_kept = matches!(edit, Edit::Comment | Edit::Write(_));
        is_kept.then_some(comment)
    }
}

/// Entries without their place in a file.
fn plain(policy: &PolicySet) -> Vec<String> {
    let mut all = Vec::new();
    for (group, entry) in policy.entries() {
        let mut entry = entry.clone();
        entry.line = 0;
        all.push(format!("{} {entry:?}", group.group));
    }
    // New entries are sorted into a file.
    all.sort();
    for group in policy.groups.values() {
        all.push(format!(
            "{} {} {:?} {:?} {:?}",
            group.group, group.name, group.owner, group.mode, group.as_of
        ));
    }
    all
}

/// What a person said with a decided entry.
fn said(entry: &PolicyEntry) -> String {
    let PolicyEntry {
        key,
        direction,
        target,
        mutual,
        protocol,
        ports,
        state,
        owner,
        reason,
        ticket,
        expires,
        ..
    } = entry;
    format!(
        "{key} {direction:?} {target:?} {mutual} {protocol:?} {ports:?} {state:?} {owner:?} {reason:?} {ticket:?} {expires:?}"
    )
}

fn decided(policy: &PolicySet) -> BTreeSet<String> {
    let entries = policy.entries();
    entries
        .filter(|(_, entry)| entry.state.is_decided())
        .map(|(_, entry)| said(entry))
        .collect()
}

/// Keys of undecided entries all of whose rules a declined one of the group declines, by interval and prefix.
fn back_again(policy: &PolicySet, new: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for group in policy.groups.values() {
        let declined = group.entries.iter();
        let declined: Vec<Rule> = declined
            .filter(|entry| entry.state == EntryState::Declined)
            .flat_map(PolicyEntry::rules)
            .collect();
        for entry in group
            .entries
            .iter()
            .filter(|entry| new.contains(&entry.key))
        {
            let is_declined = |rule: &Rule| declined.iter().any(|declined| declined.covers(rule));
            if entry.rules().iter().all(is_declined) {
                found.push(entry.key.clone());
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happens to a policy, merging a run changes no decision, brings nothing back that was declined, keeps comments, and does
    /// nothing when it is done twice.
    #[test]
    fn no_decision_is_lost(events in prop::collection::vec(event(), 1..14)) {
        let mut files = Files::default();
        let mut comments: Vec<String> = Vec::new();
        for (number, event) in events.iter().enumerate() {
            match event {
                Event::Decide(at, state) => files.decide(*at, *state),
                Event::Edit(at, edit) => {
                    if matches!(edit, Edit::Delete) {
                        // What a person takes out is not for closegate to keep.
                        comments.clear();
                    }
                    comments.extend(files.edit(*at, edit, number));
                }
                Event::Run(needs) => {
                    let before = files.set();
                    files.merge(needs, number as u64);
                    let after = files.set();
                    prop_assert_eq!(decided(&before), decided(&after));
                    let (old, keys) = (before.keys(), after.keys());
                    prop_assert!(old.is_subset(&keys), "no key goes");
                    let new: BTreeSet<String> = keys.difference(&old).cloned().collect();
                    prop_assert_eq!(back_again(&after, &new), Vec::<String>::new());
                    let once = files.clone();
                    files.merge(needs, number as u64);
                    prop_assert_eq!(&files, &once);
                }
            }
            let all: Vec<&str> = files.0.values().map(String::as_str).collect();
            let all = all.concat();
            for comment in &comments {
                prop_assert!(all.contains(&format!("{comment}\n")), "{} in {}", comment, all);
            }
        }
    }

    /// Runs are merged, people decide, and more runs are merged: the order of each batch makes no difference.
    #[test]
    fn the_order_of_runs_makes_no_difference_between_decisions(
        first in prop::collection::vec(run(), 1..4),
        decisions in prop::collection::vec((any::<Index>(), state()), 0..8),
        second in prop::collection::vec(run(), 1..4),
        turn in any::<Index>(),
        backwards in any::<bool>(),
    ) {
        let merged = |order: &dyn Fn(usize) -> Vec<usize>| {
            let mut files = Files::default();
            for at in order(first.len()) {
                files.merge(&first[at], at as u64);
            }
            for (at, state) in &decisions {
                files.decide(*at, *state);
            }
            for at in order(second.len()) {
                files.merge(&second[at], 10 + at as u64);
            }
            files
        };
        let in_order = merged(&|count: usize| -> Vec<usize> { (0..count).collect() });
        let otherwise = merged(&|count: usize| -> Vec<usize> {
            let mut order: Vec<usize> = (0..count).collect();
            order.rotate_left(turn.index(count));
            if backwards {
                order.reverse();
            }
            order
        });
        prop_assert_eq!(in_order, otherwise);
    }
}
