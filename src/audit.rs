//! The whole pipeline in one call.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use crate::config::Config;
use crate::findings::{self, Context, Finding, OpenedConnections, Policy, SHORT_WINDOW_DAYS};
use crate::flow::{Cuts, FlowTable, FlowTableBuilder};
use crate::graph::{self, AccessGraph};
use crate::ingest::{self, Intake, Source};
use crate::inventory::{Gates, Group, Inventory};
use crate::net::{plural, thousands, visible};
use crate::outcome;
use crate::policy::{PolicySet, decided};
use crate::proof::{self, BlastRadius, Exposure, HoldOut, Readiness, Stage, TradeOff, Widening};
use crate::replay::{self, After, AfterState, Replay, RulesAfter, Unjudged};
use crate::resolve::{self, Connection, Hits, Probes, Quarantine, Resolved, Unattributed, Verdict};
use crate::suggest::{
    self, DecidedRules, Level, OtherHalf, Revocation, RuleBasis, RuleSet, Status,
};

/// Everything a run found out.
#[derive(Debug)]
pub struct Audit {
    /// The snapshot.
    pub inventory: Inventory,
    /// The account of what was read.
    pub intake: Intake,
    /// The folded logs.
    pub table: FlowTable,
    /// Every connection with its verdict, in id order.
    pub connections: Vec<Connection>,
    /// Rejected connections from outside that are not among these, counted together; in id order.
    pub probes: Vec<Probes>,
    /// What each of today's rules permitted, by group and position.
    pub hits: Vec<Vec<Hits>>,
    /// Threat findings first, then the worst first.
    pub findings: Vec<Finding>,
    /// The generalisation level of the rules.
    pub level: Level,
    /// The rule set: rules and revocations.
    pub rules: RuleSet,
    /// Every group's rules after the change.
    pub rules_after: RulesAfter,
    /// What they do with each connection, by position.
    pub after: Vec<After>,
    /// The same, counted.
    pub replay: Replay,
    /// How sure the change is.
    pub proof: Proof,
    /// The connections between groups.
    pub graph: AccessGraph,
    /// Rules that accounts which are not in the inventory have to have, with the connections that need them.
    pub other_halves: BTreeMap<OtherHalf, Vec<usize>>,
    /// The key of the tag that names a group's owner.
    pub owner_tag: Option<String>,
    /// How the connections relate to a policy, if the run is against one.
    pub policy: Option<PolicyCoverage>,
}

/// Connections that were let through and are not suspicious, by what a policy says of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyCoverage {
    /// Accepted entries permit them at every end that rules judge.
    pub permitted: u64,
    /// They do not, and the rules that permit these are proposed.
    pub beyond: u64,
    /// A declined entry covers them, and no accepted one permits them.
    pub declined: u64,
}

/// How sure the change is, and what it is worth.
#[derive(Debug, Default)]
pub struct Proof {
    /// How much is open, before and after.
    pub exposure: Exposure,
    /// By group that an interface carries: whether its evidence is enough.
    pub readiness: Vec<Readiness>,
    /// Rules from the first part of the observation window, replayed on the rest.
    pub hold_out: HoldOut,
    /// What each generalisation level would cost, the narrowest first.
    pub trade_off: Vec<TradeOff>,
    /// Positions of added rules that permit more than today's to interfaces that join a group later.
    pub open_to_newcomers: Vec<usize>,
    /// Rules that were left out, because they would permit what today's deny; one case of each. Should be none.
    pub left_out: Vec<Widening>,
    /// What an attacker in each group reaches.
    pub blast_radius: Vec<BlastRadius>,
    /// Ingress rules that may go once the mutual pairs stand.
    pub tightenings: Vec<Revocation>,
    /// The change in steps.
    pub stages: Vec<Stage>,
}

impl Audit {
    /// How many groups let everything out today.
    pub fn open_groups(&self) -> usize {
        let open = |group: &&Group| group.has_open_egress();
        self.inventory.groups().iter().filter(open).count()
    }

    /// One sentence: ready to lock, or what to wait for.
    pub fn verdict(&self) -> String {
        match self.left_out_in_words() {
            Some(left_out) => format!("{} {left_out}", self.readiness_in_words()),
            None => self.readiness_in_words(),
        }
    }

    /// How many rules were left out because they would permit what today's rules deny, in a sentence.
    pub fn left_out_in_words(&self) -> Option<String> {
        let left_out = self.proof.left_out.len() as u64;
        (left_out > 0).then(|| left_out_in_words(left_out))
    }

    fn readiness_in_words(&self) -> String {
        let (ready, all) = (
            self.proof.readiness.iter().filter(|r| r.is_ready()).count(),
            self.proof.readiness.len(),
        );
        if !self.replay.lost.is_empty() {
            return format!(
                "Don't apply the change: {} would be lost.",
                plural(self.replay.lost.len() as u64, "accepted connection")
            );
        }
        let unknown = self.unknown_in_words();
        let unknown = unknown.map_or(String::new(), |unknown| format!(" {unknown}."));
        if ready == all {
            let sentence = match all {
                0 => "No group is in use, so there is nothing to lock.".to_owned(),
                1 => "Ready to lock: the one group in use has enough evidence.".to_owned(),
                several => {
                    format!("Ready to lock: all {several} groups in use have enough evidence.")
                }
            };
            return sentence + &unknown;
        }
        let shortest = self.proof.readiness.iter().map(|r| r.days).min();
        let shortest = shortest.unwrap_or_default();
        let (number, has) = match ready {
            0 => ("none".to_owned(), "has"),
            1 => ("1".to_owned(), "has"),
            several => (several.to_string(), "have"),
        };
        let days = if shortest < SHORT_WINDOW_DAYS {
            format!(" ({SHORT_WINDOW_DAYS} days needed, {shortest} seen)")
        } else {
            String::new()
        };
        format!(
            "Don't revoke yet: {number} of {all} groups in use {has} enough evidence{days}. You can add the rules now.{unknown}"
        )
    }

    /// How many threat findings there are: `3 threat findings`, or, with a baseline, `1 new, 2 known since RUN`.
    pub fn threats_in_words(&self) -> String {
        let threats = self.findings.iter().filter(|f| f.is_threat());
        let (known, new): (Vec<&Finding>, Vec<&Finding>) =
            threats.partition(|f| f.known_since.is_some());
        let count = |these: &[&Finding]| findings::counted(these.iter().copied());
        match known.first().and_then(|f| f.known_since.as_deref()) {
            None => plural(count(&new), "threat finding"),
            Some(run) => format!(
                "{} new, {} known since {}",
                thousands(count(&new)),
                thousands(count(&known)),
                visible(run, 60)
            ),
        }
    }

    /// Positions of the quarantined connections that a rule which stays still permits.
    pub fn still_open(&self) -> impl Iterator<Item = usize> {
        let both = self.connections.iter().zip(&self.after).enumerate();
        both.filter(|(_, (connection, after))| {
            matches!(connection.verdict, Verdict::Quarantined(_))
                && after.state == AfterState::Permitted
        })
        .map(|(position, _)| position)
    }

    /// What could not be judged, by reason.
    pub fn unjudged(&self) -> Vec<Unjudged> {
        replay::unjudged(&self.connections, &self.replay.unjudged)
    }

    /// Accepted connections of which nobody can tell what becomes, because the inventory lacks an interface or a group; in words.
    pub fn unknown_in_words(&self) -> Option<String> {
        // What passes places without groups is no group's.
        let elsewhere =
            [Unattributed::Forwarded, Unattributed::NoLocalEnd].map(Unattributed::as_str);
        let unjudged = self.unjudged().into_iter();
        let unknown: Vec<Unjudged> = unjudged
            .filter(|u| !elsewhere.contains(&u.reason))
            .collect();
        let connections: u64 = unknown.iter().map(|u| u.connections).sum();
        let interfaces: u64 = unknown.iter().map(|u| u.interfaces).sum();
        (connections > 0).then(|| {
            format!(
                "{} of {} can't be judged",
                plural(connections, "accepted connection"),
                plural(interfaces, "unknown interface")
            )
        })
    }

    /// How many connections there are, with those that are counted together.
    pub fn connection_count(&self) -> u64 {
        count(&self.connections, &self.probes)
    }

    /// What the policy says of the connections, in words.
    pub fn policy_in_words(&self) -> Option<String> {
        let PolicyCoverage {
            permitted,
            beyond,
            declined,
        } = self.policy?;
        let proposed = if beyond > 0 { " (proposed)" } else { "" };
        Some(format!(
            "{} permitted, {} beyond it{proposed}, {} declined",
            plural(permitted, "accepted connection"),
            thousands(beyond),
            thousands(declined)
        ))
    }

    /// How many rules have to be made.
    pub fn additions(&self) -> usize {
        self.rules
            .rules
            .iter()
            .filter(|rule| rule.status == Status::Add)
            .count()
    }
}

/// So many rules were left out.
pub(crate) fn left_out_in_words(rules: u64) -> String {
    format!(
        "{} left out, because {} would permit what today's rules deny: what {} to replace stays. This is a fault of closegate; please report it.",
        match rules {
            1 => "1 rule was".to_owned(),
            many => format!("{} rules were", thousands(many)),
        },
        if rules == 1 { "it" } else { "they" },
        if rules == 1 { "it was" } else { "they were" },
    )
}

/// The times at which interfaces and their groups changed, as far as the inventory knows.
pub fn cuts(inventory: &Inventory) -> Option<Cuts> {
    let changes = || {
        inventory
            .interfaces()
            .iter()
            .flat_map(|interface| interface.changes().map(move |time| (interface, time)))
    };
    let addresses = changes().flat_map(|(interface, time)| {
        let addresses = interface.addresses.iter();
        addresses.map(move |&address| (address, time))
    });
    Cuts::new(
        addresses,
        changes().map(|(interface, time)| (interface.id.as_str(), time)),
    )
}

/// Reads the sources into a table; `progress` is told of every chunk's bytes.
pub fn read(
    sources: &[Source],
    settings: &ingest::Settings,
    progress: impl Fn(u64) + Sync,
) -> (FlowTable, Intake) {
    read_apart(sources, settings, None, progress)
}

/// The same, with rows from before and after certain times kept apart.
pub fn read_apart(
    sources: &[Source],
    settings: &ingest::Settings,
    cuts: Option<Cuts>,
    progress: impl Fn(u64) + Sync,
) -> (FlowTable, Intake) {
    let builder = Arc::new(FlowTableBuilder::new(cuts));
    let intake = ingest::read(sources, settings, || builder.folder(), progress);
    let builder = Arc::into_inner(builder).expect("every worker is done");
    (builder.finish(), intake)
}

/// What was read, judged: who opened what, and what of it is suspicious.
#[derive(Debug)]
pub struct Judged {
    /// The snapshot.
    pub inventory: Inventory,
    /// The account of what was read.
    pub intake: Intake,
    /// The folded logs.
    pub table: FlowTable,
    /// Today's gates.
    pub gates: Gates,
    /// Every connection with its verdict, in id order.
    pub connections: Vec<Connection>,
    /// Rejected connections from outside that are not among these, counted together; in id order.
    pub probes: Vec<Probes>,
    /// What the connections and today's rules give cause for, in no order yet.
    pub findings: Vec<Finding>,
    /// What each of today's rules let through, by group and position.
    pub hits: Vec<Vec<Hits>>,
    /// What the team has decided.
    pub policy: Policy,
}

/// Judges what was read, without proposing anything.
pub fn judge(inventory: Inventory, table: FlowTable, intake: Intake, policy: &Policy) -> Judged {
    let gates = Gates::today(&inventory);
    let guessed = resolve::guess(&table, &inventory, &gates);
    // The gates know groups by position, which stays.
    let inventory = if guessed.is_empty() {
        inventory
    } else {
        inventory.with_guessed(guessed)
    };
    let Resolved {
        connections,
        probes,
    } = resolve::resolve(&table, &inventory, &gates);
    let hits = resolve::hits(&inventory, &gates, &connections);
    let mut judged = Judged {
        inventory,
        intake,
        table,
        gates,
        connections,
        probes,
        findings: Vec::new(),
        hits,
        policy: policy.clone(),
    };
    let mut findings = findings::detect(&judged.context());
    findings::quarantine(policy, &mut judged.connections, &mut findings);
    judged.findings = findings;
    judged
}

fn count(connections: &[Connection], probes: &[Probes]) -> u64 {
    let probes: u64 = probes.iter().map(|probes| probes.connections).sum();
    connections.len() as u64 + probes
}

impl Judged {
    /// How many connections there are, with those that are counted together.
    pub fn connection_count(&self) -> u64 {
        count(&self.connections, &self.probes)
    }

    /// Keeps out of the rules what people said no to.
    fn decline(&mut self, decided: &DecidedRules) {
        for connection in &mut self.connections {
            if connection.is_accepted() && decided.declines(&self.inventory, connection) {
                connection.verdict = Verdict::Quarantined(Quarantine::Declined);
            }
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            inventory: &self.inventory,
            gates: &self.gates,
            table: &self.table,
            intake: &self.intake,
            connections: &self.connections,
            hits: &self.hits,
            policy: &self.policy,
            opened: OpenedConnections::default(),
        }
    }
}

/// Audits what was read.
pub fn audit(inventory: Inventory, table: FlowTable, intake: Intake, config: &Config) -> Audit {
    propose(judge(inventory, table, intake, &config.policy), config)
}

/// The same against a policy as it is on a day: what accepted entries want stands after the change, what declined ones cover is kept
/// out of the rules, and only what is missing is proposed.
pub fn audit_against(
    inventory: Inventory,
    table: FlowTable,
    intake: Intake,
    config: &Config,
    (policy, today): (&PolicySet, Date),
) -> Audit {
    let mut judged = judge(inventory, table, intake, &config.policy);
    let decided = decided(policy, &judged.inventory, today);
    judged.decline(&decided);
    propose_beside(judged, config, Some(&decided))
}

/// Proposes a change, and proves it.
pub fn propose(judged: Judged, config: &Config) -> Audit {
    propose_beside(judged, config, None)
}

/// The same, beside what a policy has decided.
fn propose_beside(judged: Judged, config: &Config, decided: Option<&DecidedRules>) -> Audit {
    let evidence = suggest::RuleEvidence {
        inventory: &judged.inventory,
        today: &judged.gates,
        table: &judged.table,
        connections: &judged.connections,
        before: None,
        generalise: &config.generalise,
        quotas: config.quotas,
        policy: decided,
    };
    let basis = RuleBasis::new(&evidence);
    let level = config.generalise.level;
    let (rules, rules_after, left_out) = proof::proven(&evidence, basis.rules(level));
    let after = replay::each(evidence.inventory, &rules_after, evidence.connections);
    let mut replay = Replay::of(evidence.connections, &after);
    replay.add_probes(&judged.probes);
    let findings = with_outcomes(&judged, &rules, &rules_after, &after);
    let policy = decided.map(|_| coverage(&basis, evidence.connections));
    let window = judged.intake.window.unwrap_or_default();
    let (proof, graph) = rayon::join(
        || {
            let made = (&rules, &rules_after, &replay);
            let proof = prove(&evidence, &basis, window, made, &judged.policy);
            Proof { left_out, ..proof }
        },
        || {
            graph::build(
                evidence.inventory,
                evidence.table,
                evidence.connections,
                &rules,
            )
        },
    );
    Audit {
        findings,
        level,
        rules,
        rules_after,
        after,
        replay,
        proof,
        graph,
        other_halves: suggest::other_halves(&judged.inventory, &judged.gates, &judged.connections),
        inventory: judged.inventory,
        intake: judged.intake,
        table: judged.table,
        connections: judged.connections,
        probes: judged.probes,
        hits: judged.hits,
        owner_tag: config.owner_tag.clone(),
        policy,
    }
}

/// What a policy says of the connections, counted.
fn coverage(basis: &RuleBasis<'_>, connections: &[Connection]) -> PolicyCoverage {
    let (permitted, beyond) = basis.beside_policy();
    let declined = Verdict::Quarantined(Quarantine::Declined);
    let declined = connections.iter().filter(|c| c.verdict == declined);
    PolicyCoverage {
        permitted,
        beyond,
        declined: declined.count() as u64,
    }
}

/// All findings in order, each with its outcome; those that the baseline has are marked, and those that are too many are folded.
fn with_outcomes(
    judged: &Judged,
    rules: &RuleSet,
    rules_after: &RulesAfter,
    after: &[After],
) -> Vec<Finding> {
    let mut findings = judged.findings.clone();
    findings.extend(suggest::notices(&judged.context(), rules));
    suggest::mark_narrowed(&mut findings, rules);
    findings::sort(&mut findings);
    if let Some(baseline) = &judged.policy.baseline {
        let known = findings.iter_mut().filter(|f| baseline.reported(&f.id));
        known.for_each(|finding| finding.known_since = Some(baseline.run.clone()));
    }
    outcome::decide(&mut findings, rules_after, after);
    // Findings of different outcomes stay apart, so each has to have its own first.
    let mut findings = findings::fold(findings, &judged.inventory);
    findings::sort(&mut findings);
    findings
}

/// Proves the change. No part needs another but for the stages, so all parts run side by side.
fn prove(
    evidence: &suggest::RuleEvidence<'_>,
    basis: &RuleBasis<'_>,
    window: (u64, u64),
    (rules, after, replay): (&RuleSet, &RulesAfter, &Replay),
    policy: &Policy,
) -> Proof {
    let suggest::RuleEvidence {
        inventory,
        today,
        connections,
        ..
    } = *evidence;
    let mut proof = Proof::default();
    let Proof {
        exposure,
        readiness,
        hold_out,
        trade_off,
        open_to_newcomers,
        left_out: _,
        blast_radius,
        tightenings,
        stages,
    } = &mut proof;
    rayon::scope(|side| {
        side.spawn(|_| {
            (*readiness, *hold_out) = proof::readiness(evidence, basis, window, policy);
        });
        side.spawn(|_| *trade_off = proof::trade_off(evidence, basis, rules));
        side.spawn(|_| {
            *tightenings = proof::tightenings(inventory, after, rules, connections);
            *stages = proof::stages(inventory, rules, replay, tightenings, connections);
        });
        side.spawn(|_| *blast_radius = proof::blast_radius(inventory, today, after, connections));
        side.spawn(|_| *exposure = proof::exposure(inventory, today, &after.gates, connections));
        side.spawn(|_| *open_to_newcomers = proof::open_to_newcomers(inventory, today, rules));
    });
    proof
}
