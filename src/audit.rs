//! The whole pipeline in one call.

use std::sync::Arc;

use crate::config::Config;
use crate::findings::{self, Context, Finding, OpenedConnections, Policy};
use crate::flow::{FlowTable, FlowTableBuilder};
use crate::graph::{self, AccessGraph};
use crate::ingest::{self, Intake, Source};
use crate::inventory::{Gates, Group, Inventory, Rule};
use crate::net::plural;
use crate::outcome;
use crate::replay::{
    self, BlastRadius, Change, Exposure, HoldOut, Readiness, Replay, Stage, StillOpen, TradeOff,
    Widening,
};
use crate::resolve::{self, Connection, Hits};
use crate::suggest::{self, Basis, Level, Revocation, RuleSet, Status};

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
    /// What is open and what is suspicious, the worst first.
    pub findings: Vec<Finding>,
    /// The change.
    pub rules: RuleSet,
    /// What becomes of every connection after it.
    pub replay: Replay,
    /// How much is open, before and after.
    pub exposure: Exposure,
    /// How well each group is known.
    pub readiness: Vec<Readiness>,
    /// Rules from the first part of the window, against the rest.
    pub hold_out: HoldOut,
    /// What each of today's rules let through, by group and position.
    pub hits: Vec<Vec<Hits>>,
    /// How far the rules go beyond what was seen.
    pub level: Level,
    /// What each level would cost, the narrowest first.
    pub trade_off: Vec<TradeOff>,
    /// Suspicious connections that the change does not deny, with the rule.
    pub still_open: Vec<StillOpen>,
    /// Positions of rules that tomorrow's members of a group would profit from.
    pub open_to_newcomers: Vec<usize>,
    /// Rules that would let through what today's do not. Must be none.
    pub wider: Vec<Widening>,
    /// What an attacker in each group reaches.
    pub blast: Vec<BlastRadius>,
    /// Ingress rules that may go once the mutual pairs stand.
    pub tightenings: Vec<Revocation>,
    /// The change in steps.
    pub stages: Vec<Stage>,
    /// Who talks to whom.
    pub graph: AccessGraph,
}

impl Audit {
    /// How many groups let everything out today.
    pub fn open_groups(&self) -> usize {
        let open = |group: &&Group| group.rules.iter().any(Rule::is_open_egress);
        self.inventory.groups().iter().filter(open).count()
    }

    /// One sentence: ready to lock, or what to wait for.
    pub fn verdict(&self) -> String {
        let (ready, all) = (
            self.readiness.iter().filter(|r| r.is_ready()).count(),
            self.readiness.len(),
        );
        if !self.replay.lost.is_empty() {
            return format!(
                "Don't apply the change: {} would be lost.",
                plural(self.replay.lost.len() as u64, "accepted connection")
            );
        }
        if !self.wider.is_empty() {
            return format!(
                "Don't apply the change: {} would permit what today's rules deny.",
                plural(self.wider.len() as u64, "rule")
            );
        }
        if ready == all {
            return format!("Ready to lock: all {all} groups in use have enough evidence.");
        }
        let shortest = self.readiness.iter().map(|r| r.days).min();
        let (number, has) = match ready {
            0 => ("none".to_owned(), "has"),
            1 => ("1".to_owned(), "has"),
            several => (several.to_string(), "have"),
        };
        format!(
            "Don't revoke yet: {number} of {all} groups in use {has} enough evidence. The group with the least has {} of logs. You can add the rules now.",
            plural(shortest.unwrap_or_default().into(), "day")
        )
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

/// Reads the sources into a table; `progress` is told of every chunk's bytes.
pub fn read(
    sources: &[Source],
    settings: &ingest::Settings,
    progress: impl Fn(u64) + Sync,
) -> (FlowTable, Intake) {
    let builder = Arc::new(FlowTableBuilder::default());
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
    let connections = resolve::resolve(&table, &inventory, &gates);
    let hits = resolve::hits(&inventory, &gates, &connections);
    let mut judged = Judged {
        inventory,
        intake,
        table,
        gates,
        connections,
        findings: Vec::new(),
        hits,
        policy: policy.clone(),
    };
    let mut findings = findings::detect(&judged.context());
    findings::quarantine(policy, &mut judged.connections, &mut findings);
    judged.findings = findings;
    judged
}

impl Judged {
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

/// Proposes a change, and proves it.
pub fn propose(judged: Judged, config: &Config) -> Audit {
    let Judged {
        inventory,
        intake,
        table,
        gates,
        connections,
        ..
    } = &judged;
    let evidence = suggest::Evidence {
        inventory,
        today: gates,
        table,
        connections,
        before: None,
        generalise: &config.generalise,
    };
    let basis = Basis::new(&evidence);
    let ((readiness, hold_out), rules) = rayon::join(
        || replay::readiness(&evidence, &basis, intake.window.unwrap_or_default()),
        || basis.rules(evidence.generalise.level),
    );
    let mut findings = judged.findings.clone();
    findings.extend(suggest::notices(&judged.context(), &rules));
    findings::sort(&mut findings);
    if let Some(baseline) = &judged.policy.baseline {
        let known = findings.iter_mut().filter(|f| baseline.reported(f));
        known.for_each(|finding| finding.known_since = Some(baseline.run.clone()));
    }
    let after_rules = replay::after(inventory, &Change::from(&rules));
    let after = Gates::new(inventory, |group| &after_rules[group.index()]);
    outcome::decide(&mut findings, inventory, connections, &rules, &after);
    let proof = Proof::new(&evidence, &basis, &rules, (&after, &after_rules));
    let stages = replay::stages(
        inventory,
        &rules,
        &proof.replay,
        &proof.tightenings,
        connections,
    );
    let open_to_newcomers = replay::open_to_newcomers(inventory, gates, &rules);
    Audit {
        findings,
        rules,
        replay: proof.replay,
        exposure: proof.exposure,
        readiness,
        hold_out,
        level: config.generalise.level,
        trade_off: proof.trade_off,
        still_open: proof.still_open,
        open_to_newcomers,
        wider: proof.wider,
        blast: proof.blast,
        tightenings: proof.tightenings,
        stages,
        graph: proof.graph,
        inventory: judged.inventory,
        intake: judged.intake,
        table: judged.table,
        connections: judged.connections,
        hits: judged.hits,
    }
}

/// What holds of the rules as they are after the change.
struct Proof {
    trade_off: Vec<TradeOff>,
    graph: AccessGraph,
    tightenings: Vec<Revocation>,
    blast: Vec<BlastRadius>,
    exposure: Exposure,
    wider: Vec<Widening>,
    replay: Replay,
    still_open: Vec<StillOpen>,
}

impl Proof {
    /// Nothing in it needs anything else of it, so all is made side by side.
    fn new(
        evidence: &suggest::Evidence<'_>,
        basis: &Basis<'_>,
        rules: &RuleSet,
        (after, after_rules): (&Gates, &[Vec<Rule>]),
    ) -> Self {
        let suggest::Evidence {
            inventory,
            today,
            table,
            connections,
            ..
        } = *evidence;
        let of_rules = || {
            let tightenings =
                || replay::tightenings(inventory, after, after_rules, rules, connections);
            rayon::join(
                || replay::trade_off(evidence, basis, rules),
                || {
                    rayon::join(
                        || graph::build(inventory, table, connections, rules),
                        tightenings,
                    )
                },
            )
        };
        let of_reach = || {
            rayon::join(
                || replay::blast_radius(inventory, today, after, after_rules, connections),
                || replay::exposure(inventory, today, after, connections),
            )
        };
        let of_passage = || {
            rayon::join(
                || replay::wider(inventory, today, after, after_rules),
                || {
                    (
                        replay::verify(inventory, after, connections),
                        replay::still_open(inventory, after, after_rules, connections),
                    )
                },
            )
        };
        let ((trade_off, (graph, tightenings)), ((blast, exposure), (wider, (replay, still_open)))) =
            rayon::join(of_rules, || rayon::join(of_reach, of_passage));
        Self {
            trade_off,
            graph,
            tightenings,
            blast,
            exposure,
            wider,
            replay,
            still_open,
        }
    }
}
