//! `beaconing`: calls at regular times.

use super::context::Context;
use super::destination::{found, outgoing};
use super::finding::Found;
use super::kind::Threshold;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::flow::Contacts;
use crate::resolve::is_unknown_external;

/// Calls closer together than this are one: a client may open several connections at once. Seconds.
const ONE_CALL: u32 = 10;

/// How far a beacon's own jitter may move a call, in parts of the period.
const JITTER: f64 = 0.15;

/// A row's start may be this much later than its first packet (flow-log-records.html), in seconds; and what it may do to a
/// gap is never taken for more than this part of the period, or everything would be regular.
const SMEAR: f64 = 60.0;
const SMEAR_AT_MOST: f64 = 0.25;

/// How often calls at random times may look this regular: one connection in ten thousand.
const BY_CHANCE: f64 = 1e-4;

/// NTP is regular by design.
const REGULAR_BY_DESIGN: &[u16] = &[123];

const CALLS: Threshold = Threshold {
    key: "calls",
    default: Contacts::ENOUGH as u64,
    meaning: "calls, at least",
};

const STRENGTH: Threshold = Threshold {
    key: "strength",
    default: 75,
    meaning: "gaps of the same length, per cent",
};

pub(super) const KIND: Kind = Kind {
    id: "beaconing",
    family: Family::Behaviour,
    severity: Severity::Low,
    confidence: Rating::Medium,
    quarantine: false,
    title: "Calls to an external destination at regular times",
    remediation: "Find the program that calls. Approve the destinations of agents, health checks and jobs by group.",
    sources: &[
        "Cloud Sniper: beaconing in flow logs by period",
        "flow-log-records.html: what start means",
    ],
    thresholds: &[CALLS, STRENGTH],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per connection to an unknown external host whose calls are regular.
fn find(context: &Context<'_>) -> Vec<Found> {
    let calls = context.policy.threshold(&KIND, &CALLS);
    let strength = context.policy.threshold(&KIND, &STRENGTH);
    let candidates = outgoing(context, |c| {
        c.service
            .port()
            .is_some_and(|port| !REGULAR_BY_DESIGN.contains(&port))
            && is_unknown_external(context.inventory, context.table, c.responder)
    });
    let rhythm_of = |(position, c)| {
        let mut found = found(context, &KIND, position, c);
        let contacts = context.table.contacts_of(
            found.interface.as_deref()?,
            c.initiator.address,
            c.responder.address,
            c.service,
        )?;
        let times: Vec<u32> = contacts.calls().iter().map(|&(start, _)| start).collect();
        let rhythm = Rhythm::of(&times)?;
        if (rhythm.calls as u64) < calls || rhythm.per_cent() < strength {
            return None;
        }
        found.detail = format!(
            "{} {} % of {} calls came {} s after the call before.",
            found.detail,
            rhythm.per_cent(),
            rhythm.calls,
            rhythm.period
        );
        Some(found)
    };
    candidates.into_iter().filter_map(rhythm_of).collect()
}

/// Regular times.
#[derive(Debug, PartialEq, Eq)]
struct Rhythm {
    /// Seconds between calls.
    period: u32,
    calls: usize,
    /// How many gaps are as long as that.
    regular: usize,
}

impl Rhythm {
    /// The rhythm of some times in order, if it is hardly one of chance: the middle gap is the period, and of the others
    /// more lie about it than those of a memoryless caller would.
    fn of(times: &[u32]) -> Option<Self> {
        let mut calls: Vec<u32> = times.to_vec();
        calls.dedup_by(|later, earlier| *later - *earlier < ONE_CALL);
        if calls.len() < Contacts::ENOUGH {
            return None;
        }
        let mut gaps: Vec<u32> = calls.windows(2).map(|pair| pair[1] - pair[0]).collect();
        gaps.sort_unstable();
        let period = gaps[gaps.len() / 2];
        let length = f64::from(period);
        let tolerance = (length * JITTER).max(SMEAR.min(length * SMEAR_AT_MOST));
        let near = |gap: &&u32| (f64::from(**gap) - length).abs() <= tolerance;
        let regular = gaps.iter().filter(near).count();
        let rate = std::f64::consts::LN_2 / length;
        let by_chance = (-(length - tolerance) * rate).exp() - (-(length + tolerance) * rate).exp();
        // The middle one is near itself.
        let chance = at_least(regular - 1, gaps.len() - 1, by_chance);
        (chance <= BY_CHANCE).then_some(Self {
            period,
            calls: calls.len(),
            regular,
        })
    }

    const fn per_cent(&self) -> u64 {
        (self.regular * 100 / (self.calls - 1)) as u64
    }
}

/// The chance of at least `hits` of `of` when each has a chance of its own.
fn at_least(hits: usize, of: usize, chance: f64) -> f64 {
    // The chances of exactly 0, 1, 2 … hits, one draw after the other.
    let mut exactly = vec![0.0; of + 1];
    exactly[0] = 1.0;
    for drawn in 0..of {
        for count in (0..=drawn).rev() {
            let share = exactly[count];
            exactly[count + 1] += share * chance;
            exactly[count] = share * (1.0 - chance);
        }
    }
    exactly[hits..].iter().sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_clock_with_smear_jitter_and_a_missed_call_is_a_rhythm() {
        let times = [
            0u32, 331, 610, 905, 1_246, 1_511, 2_110, 2_425, 2_700, 3_012,
        ];
        let rhythm = Rhythm::of(&times).unwrap();
        assert!((290..=320).contains(&rhythm.period), "{rhythm:?}");
        assert_eq!((rhythm.calls, rhythm.regular), (10, 8));
    }

    #[test]
    fn a_burst_is_one_call() {
        let times: Vec<u32> = (0..40).map(|second| second / 4).collect();
        assert_eq!(Rhythm::of(&times), None);
    }

    #[test]
    fn chances_add_up() {
        assert!((at_least(0, 5, 0.3) - 1.0).abs() < 1e-12);
        assert!((at_least(5, 5, 0.5) - 1.0 / 32.0).abs() < 1e-12);
        assert!((at_least(1, 2, 0.5) - 0.75).abs() < 1e-12);
    }

    proptest! {
        /// Any times in order are looked at without a panic, and a rhythm is one of its own gaps.
        #[test]
        fn any_times(mut times in prop::collection::vec(any::<u32>(), 0..40)) {
            times.sort_unstable();
            if let Some(rhythm) = Rhythm::of(&times) {
                prop_assert!(rhythm.regular < rhythm.calls && rhythm.per_cent() <= 100);
            }
        }
    }
}
