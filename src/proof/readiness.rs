//! Whether the evidence is enough to lock a group.
//!
//! Four answers: how much of the observation window the logs of each group cover; the risk of unseen connections, by Good-Turing and
//! Chao; a hold-out check, which makes rules from the first part of the window and replays them on the rest; and whether interfaces
//! that the inventory lacks may have been the group's members, or their peers. Jobs that run once a
//! week or once a month break the independence that the statistics assume, so the length of the window counts on its own.

use std::collections::BTreeSet;

use crate::findings::{Policy, SHORT_WINDOW_DAYS};
use crate::flow::{DAY, Days, FlowTable};
use crate::inventory::{GroupIx, Inventory, Rule};
use crate::net::{plural, thousands};
use crate::replay::RulesAfter;
use crate::resolve::{Confidence, Connection, Quarantine, Verdict, is_unlisted, unknown_members};
use crate::suggest::{RuleBasis, RuleEvidence};

/// What a group needs to be ready to lock.
struct Bar {
    /// Days of logs.
    days: u32,
    /// The risk of unseen connections, at most.
    chance_of_new: f64,
    /// The share of intervals in which AWS skipped records, at most.
    skipped: f64,
}

const BAR: Bar = Bar {
    days: SHORT_WINDOW_DAYS,
    chance_of_new: 0.02,
    skipped: 0.01,
};

/// The evidence for one group.
#[derive(Clone, Debug)]
pub struct Readiness {
    /// The group.
    pub group: GroupIx,
    /// Days of the window on which at least one of its interfaces recorded anything.
    pub days: u32,
    /// Days of the window on which none did.
    pub gaps: u32,
    /// SKIPDATA rows among the rows of its interfaces.
    pub skipped: f64,
    /// Accepted connections that its interfaces opened.
    pub connections: u64,
    /// Those seen on exactly one day.
    pub once: u64,
    /// New connections by day of the window: the saturation curve.
    pub new_by_day: Vec<u64>,
    /// Good-Turing: the chance that the next connection, on the next day, is one
    /// never seen. `None` without connections.
    pub chance_of_new: Option<f64>,
    /// Chao2, incidence form: connections not seen yet, at least.
    pub unseen: f64,
    /// Connections of the last fifth of the window that rules made from the rest
    /// would have broken.
    pub missed: u64,
    /// Interfaces that the inventory lacks, that initiated connections, and that may have carried the group. None for a group
    /// of which the change takes nothing away.
    pub unknown_members: u64,
    /// Accepted connections that its interfaces opened to interfaces that the inventory lacks: rules can name these only by address.
    pub unknown_peers: u64,
    /// Connections of its interfaces that were let through and whose direction is a guess: the change permits one direction at most.
    pub guessed: u64,
    /// A person says that no member is missing.
    pub vouched: bool,
    /// Interfaces that carry the group, or did, and that recorded nothing, not even that they were idle, in logs that say such things.
    pub unlogged: u64,
}

/// The hold-out check over all groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoldOut {
    /// Rules were made from what was first seen before this, Unix seconds.
    pub cut: u64,
    /// Accepted connections seen after it.
    pub connections: u64,
    /// Those that the rules would have broken.
    pub lost: u64,
}

/// Judges every group that an interface carries.
pub fn readiness(
    evidence: &RuleEvidence<'_>,
    basis: &RuleBasis<'_>,
    window: (u64, u64),
    policy: &Policy,
) -> (Vec<Readiness>, HoldOut) {
    let inventory = evidence.inventory;
    let ((hold_out, missed), mut judged) = rayon::join(
        || hold_out(evidence, basis, window),
        || {
            let mut opened: Vec<Vec<&Connection>> = vec![Vec::new(); inventory.groups().len()];
            for connection in evidence.connections.iter().filter(|c| c.is_accepted()) {
                for group in initiating_groups(inventory, connection) {
                    opened[group.index()].push(connection);
                }
            }
            let guessed = guessed(inventory, evidence.connections);
            let carriers = carriers(inventory, window);
            let unknown = unknown_members(inventory, evidence.connections);
            let used = inventory
                .group_indexes()
                .filter(|&g| !inventory.group(g).members.is_empty());
            used.map(|g| Readiness {
                unknown_members: if may_lose_open_rules(evidence, g) {
                    unknown[g.index()]
                } else {
                    0
                },
                guessed: guessed[g.index()],
                vouched: policy.vouches_for(inventory.group(g), window.1),
                ..judge(
                    evidence,
                    window,
                    g,
                    (&carriers[g.index()], &opened[g.index()]),
                )
            })
            .collect::<Vec<Readiness>>()
        },
    );
    for connection in missed {
        for group in initiating_groups(inventory, &evidence.connections[connection]) {
            // In order, as the groups are.
            if let Ok(found) = judged.binary_search_by_key(&group, |r| r.group) {
                judged[found].missed += 1;
            }
        }
    }
    (judged, hold_out)
}

/// Whether a group has open rules of the kinds that the change revokes.
fn may_lose_open_rules(evidence: &RuleEvidence<'_>, group: GroupIx) -> bool {
    let group = evidence.inventory.group(group);
    let narrow = evidence.generalise.narrow;
    group.has_open_egress() || narrow && group.rules.iter().any(Rule::is_open_port)
}

/// The groups of the interface that opened a connection.
fn initiating_groups<'a>(
    inventory: &'a Inventory,
    connection: &Connection,
) -> impl Iterator<Item = GroupIx> + 'a {
    let interface = connection
        .initiator
        .interface()
        .map(|ix| inventory.interface(ix));
    interface
        .into_iter()
        .flat_map(|interface| interface.groups.iter().copied())
}

/// By group, how many connections with ports its interfaces have whose direction is a guess. A wrong guess would lose them.
fn guessed(inventory: &Inventory, connections: &[Connection]) -> Vec<u64> {
    let mut guessed = vec![0; inventory.groups().len()];
    let is_guess = |c: &&Connection| {
        c.confidence == Confidence::Guessed
            && c.service.protocol.has_ports()
            && matches!(
                c.verdict,
                Verdict::Accepted | Verdict::Quarantined(Quarantine::GuessedPort)
            )
    };
    for connection in connections.iter().filter(is_guess) {
        let ends = [connection.initiator, connection.responder];
        let groups = ends
            .iter()
            .filter_map(|end| end.interface())
            .flat_map(|ix| inventory.interface(ix).groups.iter().copied());
        let groups: BTreeSet<GroupIx> = groups.collect();
        for group in groups {
            guessed[group.index()] += 1;
        }
    }
    guessed
}

/// Everything about a group but for what the hold-out check missed.
fn judge(
    evidence: &RuleEvidence<'_>,
    (start, end): (u64, u64),
    group: GroupIx,
    (carriers, opened): (&[&str], &[&Connection]),
) -> Readiness {
    let (covered, rows, skipped) = coverage(evidence.table, carriers);
    let unlogged = unlogged(evidence.table, carriers);
    // A row with a wild time may stretch the window over centuries; sets of days
    // know 128 of them, and no curve is worth more.
    let first = start / DAY;
    let window = first..=(end / DAY).min(first + Days::LONGEST - 1);
    let days = count(window.clone().filter(|&day| covered.has(day)));
    let mut new_by_day: Vec<u64> = window.clone().map(|_| 0).collect();
    for connection in opened {
        let day = connection.totals.first.max(start) / DAY - start / DAY;
        if let Some(new) = usize::try_from(day)
            .ok()
            .and_then(|day| new_by_day.get_mut(day))
        {
            *new += 1;
        }
    }
    let seen_on = |days: u32| {
        opened
            .iter()
            .filter(|c| c.totals.days.count() == days)
            .count() as u64
    };
    let (once, twice) = (seen_on(1), seen_on(2));
    let incidences: u64 = opened
        .iter()
        .map(|c| u64::from(c.totals.days.count()))
        .sum();
    let unknown_peer = |c: &&&Connection| is_unlisted(evidence.inventory, c.responder, c.initiator);
    Readiness {
        group,
        unlogged,
        unknown_members: 0,
        unknown_peers: opened.iter().filter(unknown_peer).count() as u64,
        guessed: 0,
        vouched: false,
        days,
        gaps: count(window) - days,
        skipped: if skipped == 0 {
            0.0
        } else {
            ratio(skipped, rows + skipped)
        },
        connections: opened.len() as u64,
        once,
        new_by_day,
        chance_of_new: (incidences > 0).then(|| ratio(once, incidences)),
        unseen: chao2(once, twice, days),
        missed: 0,
    }
}

/// By group: the ids of the interfaces that carry it or did, at some time for a day of the window at least; each once.
fn carriers(inventory: &Inventory, (start, end): (u64, u64)) -> Vec<Vec<&str>> {
    let mut carriers: Vec<Vec<&str>> = vec![Vec::new(); inventory.groups().len()];
    for interface in inventory.interfaces() {
        let from = interface.lifetime.start.max(start);
        let to = interface.lifetime.end.min(end);
        if interface.is_gone() && to < from + DAY {
            continue;
        }
        for group in &interface.groups {
            carriers[group.index()].push(&interface.id);
        }
    }
    carriers.iter_mut().for_each(Vec::dedup);
    carriers
}

/// How many of a group's interfaces are not logged, where the logs tell the idle ones from these.
fn unlogged(table: &FlowTable, carriers: &[&str]) -> u64 {
    if table.coverage.iter().all(|coverage| coverage.no_data == 0) {
        return 0;
    }
    let silent = |id: &&&str| table.coverage_of(id).is_none();
    carriers.iter().filter(silent).count() as u64
}

/// Days, rows and SKIPDATA rows of a group's interfaces.
fn coverage(table: &FlowTable, carriers: &[&str]) -> (Days, u64, u64) {
    let mut sum = (Days::default(), 0, 0);
    for id in carriers {
        if let Some(coverage) = table.coverage_of(id) {
            sum.0.join(coverage.days);
            sum.1 += coverage.rows + coverage.no_data;
            sum.2 += coverage.skip_data;
        }
    }
    sum
}

/// The lower bound of Chao (1987) for incidences on m days: f1² / (2 f2), or
/// f1 (f1 − 1) / 2 where f2 is none, times (m − 1) / m.
fn chao2(once: u64, twice: u64, days: u32) -> f64 {
    if days == 0 {
        return 0.0;
    }
    let (f1, f2, m) = (float(once), float(twice), f64::from(days));
    let unseen = if twice > 0 {
        f1 * f1 / (2.0 * f2)
    } else {
        f1 * (f1 - 1.0).max(0.0) / 2.0
    };
    unseen * (m - 1.0) / m
}

/// Rules from what was first seen in the first four fifths, replayed on what was
/// seen in the last; the second result are the positions of what they break.
fn hold_out(
    evidence: &RuleEvidence<'_>,
    basis: &RuleBasis<'_>,
    (start, end): (u64, u64),
) -> (HoldOut, Vec<usize>) {
    let cut = start + (end - start) / 5 * 4;
    let rules = basis.before(cut).rules(evidence.generalise.level);
    let then = RulesAfter::new(evidence.inventory, &rules.change());
    let late = |c: &Connection| c.is_accepted() && c.totals.last >= cut;
    let late: Vec<usize> = (0..evidence.connections.len())
        .filter(|&c| late(&evidence.connections[c]))
        .collect();
    let broken = |&c: &usize| !then.permits(evidence.inventory, &evidence.connections[c]);
    let lost: Vec<usize> = late.iter().copied().filter(broken).collect();
    (
        HoldOut {
            cut,
            connections: late.len() as u64,
            lost: lost.len() as u64,
        },
        lost,
    )
}

impl Readiness {
    /// Whether the group can be locked on this evidence.
    pub fn is_ready(&self) -> bool {
        self.wait_for().is_empty()
    }

    /// What to wait for, in plain words; nothing when it is ready.
    pub fn wait_for(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.days < BAR.days {
            reasons.push(format!(
                "{} days of logs (it has {})",
                BAR.days,
                thousands(self.days.into())
            ));
        }
        if self.gaps > 0 {
            reasons.push(format!(
                "records on every day ({} without any)",
                plural(self.gaps.into(), "day")
            ));
        }
        if self.skipped > BAR.skipped {
            reasons.push(format!(
                "fewer skipped records (AWS skipped some in {:.1} % of its intervals)",
                self.skipped * 100.0
            ));
        }
        if let Some(chance) = self
            .chance_of_new
            .filter(|&chance| chance > BAR.chance_of_new)
        {
            reasons.push(format!(
                "fewer one-off connections ({:.0} % of the next ones would be new)",
                chance * 100.0
            ));
        }
        if self.missed > 0 {
            reasons.push(format!(
                "nothing new in the last fifth of the observation window ({})",
                plural(self.missed, "new connection")
            ));
        }
        if self.unlogged > 0 {
            reasons.push(format!(
                "records of {} that carry the group and are not logged",
                plural(self.unlogged, "interface")
            ));
        }
        if self.guessed > 0 {
            reasons.push(format!(
                "the direction of {}, which is a guess; flow logs with tcp-flags tell it",
                plural(self.guessed, "connection")
            ));
        }
        if self.unknown_members > 0 && !self.vouched {
            reasons.push(format!(
                "the groups of {} that the inventory lacks and that may have carried this one",
                plural(self.unknown_members, "interface")
            ));
        }
        if self.unknown_peers > 0 && !self.vouched {
            reasons.push(format!(
                "the groups of the interfaces that {} went to and that the inventory lacks",
                plural(self.unknown_peers, "accepted connection")
            ));
        }
        reasons
    }
}

fn count(days: impl Iterator<Item = u64>) -> u32 {
    u32::try_from(days.count()).unwrap_or(u32::MAX)
}

/// Counts as fractions: exact far beyond any number of connections.
#[expect(
    clippy::cast_precision_loss,
    reason = "a count past 2^53 is none of ours"
)]
fn float(count: u64) -> f64 {
    count as f64
}

fn ratio(part: u64, whole: u64) -> f64 {
    float(part) / float(whole)
}
