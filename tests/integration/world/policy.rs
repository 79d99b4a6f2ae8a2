//! Any decisions about what a run proposed, and a second run of the same network against them.

use std::collections::BTreeSet;

use closegate::audit::{self, Audit};
use closegate::documents::{self, AuditDocument, ChangeDocument, Direction};
use closegate::emit;
use closegate::inventory::Rule;
use closegate::policy::{self, EntryState, PolicyMode, PolicyRun, PolicySet};
use closegate::resolve::{Quarantine, Verdict};
use jiff::civil::date;

use super::{Dice, Faults, Format, Run, Seen, faults_of, run, seen};

/// Seeds of the test: each writes a whole run twice.
const SEEDS: u64 = 30;

const DECLINED: Verdict = Verdict::Quarantined(Quarantine::Declined);

/// Merges a run into a policy.
fn merge(policy: &mut PolicySet, audit: &Audit) {
    let files = emit::files(audit).unwrap();
    let file = |name: &str| &files.iter().find(|(path, _)| path == name).unwrap().1;
    let change: ChangeDocument = documents::read(file("rules/rules.json")).unwrap();
    let document: AuditDocument<'_> = documents::read(file("audit.json")).unwrap();
    let run = PolicyRun {
        name: "run",
        change: &change,
        audit: &document,
        account: None,
    };
    policy::update(policy, &run).unwrap();
}

/// The same network against a policy.
fn against(seed: u64, policy: &PolicySet) -> Run {
    let Seen {
        inventory,
        table,
        intake,
        config,
        truth,
    } = seen(seed, Format::Custom, 3);
    let on = (policy, date(2026, 11, 29));
    Run {
        audit: audit::audit_against(inventory, table, intake, &config, on),
        truth,
    }
}

/// What is wrong with a run against a policy.
fn wrong(policy: &PolicySet, run: &Run) -> Vec<String> {
    let audit = &run.audit;
    let mut wrong = Vec::new();
    let stages = audit.proof.stages.iter().map(|stage| &stage.replay);
    let lost = stages
        .chain([&audit.replay])
        .any(|replay| !replay.lost.is_empty());
    if lost || !audit.proof.left_out.is_empty() {
        wrong.push("a connection is lost, or a proposal is wider than today".to_owned());
    }
    let found = faults_of(run, &audit.rules.change());
    // What was declined is lost on purpose.
    let faults = Faults { lost: 0, ..found };
    if faults != Faults::default() {
        wrong.push(format!("{faults:?}"));
    }
    for rule in &audit.rules.rules {
        let mut evidence = rule.evidence.iter();
        if evidence.any(|&c| audit.connections[c].verdict == DECLINED) {
            wrong.push(format!("{} is for a declined connection", rule.id));
        }
    }
    let named: BTreeSet<&str> = audit
        .rules
        .rules
        .iter()
        .filter_map(|rule| rule.key.as_deref())
        .collect();
    for (group, entry) in policy.entries() {
        let ix = audit.inventory.group_by_id(&group.group).unwrap();
        let after = audit.rules_after.rules_of(ix);
        let stands = |rule: &Rule| after.iter().any(|own| own.same_permission(rule));
        match entry.state {
            EntryState::Accepted if !entry.rules().iter().all(stands) => {
                wrong.push(format!("{} was accepted and does not stand", entry.key));
            }
            EntryState::Declined if named.contains(entry.key.as_str()) => {
                wrong.push(format!("{} was declined and is proposed", entry.key));
            }
            _ => {}
        }
    }
    for group in policy
        .groups
        .values()
        .filter(|group| group.mode == PolicyMode::Locked)
    {
        let ix = audit.inventory.group_by_id(&group.group).unwrap();
        let accepted = group
            .entries
            .iter()
            .filter(|entry| entry.state == EntryState::Accepted);
        let accepted: Vec<_> = accepted.flat_map(policy::PolicyEntry::rules).collect();
        for rule in audit.rules_after.rules_of(ix) {
            let proposed = |own: &closegate::suggest::SuggestedRule| {
                own.group == ix && own.rule.same_permission(rule)
            };
            if rule.direction == Direction::Egress
                && !accepted.iter().any(|own| own.covers(rule))
                && !audit.rules.rules.iter().any(proposed)
            {
                wrong.push(format!("{} is locked and keeps {rule:?}", group.group));
            }
        }
    }
    wrong
}

/// A policy of a network's first run, with any of these states, and some groups locked.
fn decided(seed: u64, base: &Audit, states: &[EntryState]) -> PolicySet {
    let mut policy = PolicySet::default();
    merge(&mut policy, base);
    let mut dice = Dice::new(seed + 1_000_000);
    for group in policy.groups.values_mut() {
        if dice.percent(30) {
            group.mode = PolicyMode::Locked;
        }
        for entry in &mut group.entries {
            entry.state = *dice.pick(states);
        }
    }
    policy
}

/// Nothing accepted is lost or falls away, nothing declined gets a rule, locked groups open nothing else, and what is proposed permits
/// nothing hostile and nothing new.
#[test]
fn any_decisions_about_any_world_are_kept() {
    for seed in 0..SEEDS {
        let policy = decided(seed, &run(seed, Format::Custom).audit, EntryState::ALL);
        let run = against(seed, &policy);
        assert_eq!(wrong(&policy, &run), Vec::<String>::new(), "seed {seed}");
    }
}

/// Where nothing was declined, the rest is proposed as before: the second run gives no new entry.
#[test]
fn what_is_left_over_is_proposed_as_before() {
    for seed in 0..SEEDS {
        let base = run(seed, Format::Custom).audit;
        let states = [
            EntryState::Accepted,
            EntryState::Proposed,
            EntryState::Deferred,
        ];
        let mut policy = decided(seed, &base, &states);
        // What a locked group loses is proposed anew.
        for group in policy.groups.values_mut() {
            group.mode = PolicyMode::Learn;
        }
        let run = against(seed, &policy);
        assert_eq!(wrong(&policy, &run), Vec::<String>::new(), "seed {seed}");
        let before = policy.keys();
        merge(&mut policy, &run.audit);
        assert_eq!(policy.keys(), before, "seed {seed}");
    }
}
