//! `large-upload`: very much went out.

use std::net::IpAddr;

use super::context::Context;
use super::destination::{found, outgoing};
use super::finding::Found;
use super::kind::Threshold;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::flow::FlowKey;
use crate::inventory::InterfaceIx;
use crate::net::{HashMap, Service, plural};
use crate::resolve::{Connection, is_unknown_external};

const BYTES: Threshold = Threshold {
    key: "bytes",
    default: 500_000_000,
    meaning: "bytes a day to one address and port",
};

const RATIO: Threshold = Threshold {
    key: "ratio",
    default: 2,
    meaning: "times what came back: a download is acknowledged, not answered",
};

const GROWTH: Threshold = Threshold {
    key: "growth",
    default: 10,
    meaning: "times the most that the same groups moved in a day of the baseline; then a tenth of `bytes` is enough",
};

pub(super) const KIND: Kind = Kind {
    id: "large-upload",
    family: Family::Behaviour,
    severity: Severity::Medium,
    confidence: Rating::Medium,
    quarantine: false,
    title: "A large amount of data sent to an external destination",
    remediation: "Find out what was sent. Approve the destinations of backups and deliveries by group.",
    sources: &[
        "turbot tailpipe: large outbound transfers",
        "GuardDuty: TrafficVolumeUnusual",
    ],
    thresholds: &[BYTES, RATIO, GROWTH],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per connection by which, on an average day on which it was seen, more than that went out.
fn find(context: &Context<'_>) -> Vec<Found> {
    let days = |c: &Connection| u64::from(c.totals.days.count().max(1));
    let of = |threshold| context.policy.threshold(&KIND, threshold);
    let (bytes, ratio, growth) = (of(&BYTES), of(&RATIO), of(&GROWTH));
    // What is much for these groups: less, if they were seen to move little before.
    let much = |c: &Connection| {
        let baseline = context.policy.baseline.as_ref();
        let before = baseline.and_then(|known| known.most_in_a_day(context.inventory, c));
        before.map_or(bytes, |most| {
            bytes.min(most.saturating_mul(growth).max(bytes / 10))
        })
    };
    let candidates = outgoing(context, |c| {
        c.totals.bytes / days(c) >= much(c)
            && is_unknown_external(context.inventory, context.table, c.responder)
    });
    let sent = sent(context, &candidates);
    candidates
        .into_iter()
        .filter_map(|(position, c)| {
            let (out, back) = *sent.get(&key(c)?)?;
            if out / days(c) < much(c) || out < back.saturating_mul(ratio) {
                return None;
            }
            let mut found = found(context, &KIND, position, c);
            found.detail = format!(
                "{} It sent {} and received {} on {}.",
                found.detail,
                plural(out, "byte"),
                plural(back, "byte"),
                plural(days(c), "day")
            );
            Some(found)
        })
        .collect()
}

type Key = (InterfaceIx, IpAddr, Service);

fn key(c: &Connection) -> Option<Key> {
    Some((c.initiator.interface()?, c.responder.address, c.service))
}

/// What went out by some connections, and what came back, as the initiator's interface recorded it.
fn sent(context: &Context<'_>, candidates: &[(usize, &Connection)]) -> HashMap<Key, (u64, u64)> {
    let mut sent: HashMap<Key, (u64, u64)> = candidates
        .iter()
        .filter_map(|(_, c)| Some((key(c)?, (0, 0))))
        .collect();
    if sent.is_empty() {
        return sent;
    }
    let observers = context.table.observers.iter();
    let observers: Vec<_> = observers
        .map(|name| context.inventory.interface_by_id(name))
        .collect();
    for flow in context.table.flows.iter().filter(|flow| flow.key.accepted) {
        let FlowKey {
            observer,
            src,
            dst,
            src_port,
            dst_port,
            protocol,
            ..
        } = flow.key;
        let Some(observer) = observers[observer.index()] else {
            continue;
        };
        let bytes = flow.counters.bytes;
        if let Some((out, _)) = sent.get_mut(&(observer, dst, Service::new(protocol, dst_port))) {
            *out = out.saturating_add(bytes);
        }
        if let Some((_, back)) = sent.get_mut(&(observer, src, Service::new(protocol, src_port))) {
            *back = back.saturating_add(bytes);
        }
    }
    sent
}
