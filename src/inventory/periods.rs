//! Interfaces over time: one entry for each period in which an interface carried the same groups.
//!
//! What a snapshot of that time says comes first, then AWS Config, then CloudTrail. Where two snapshots differ and nothing says when
//! the groups changed, the groups of the time between are unknown.

use std::collections::BTreeMap;

use super::json::{JsonPath, Wire};
use super::snapshot::Snapshot;
use super::trail::Known;
use super::wire;

/// How it is known which groups an interface carried; the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// A snapshot says so.
    Snapshot,
    /// AWS Config remembers it.
    Config,
    /// CloudTrail's events say so.
    Trail,
    /// All interfaces of its subnet that are there carry them, and a rule of today agrees.
    Guessed,
    /// Nothing tells.
    Unknown,
}

impl Grade {
    /// As documents spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Config => "config",
            Self::Trail => "trail",
            Self::Guessed => "guessed",
            Self::Unknown => "unknown",
        }
    }
}

/// An interface with how its groups are known.
pub(super) type Graded = (wire::Interface, Grade);

/// The end of an interface that is gone, nobody knows since when.
pub(super) const GONE: u64 = u64::MAX - 1;

/// What is known of one interface.
#[derive(Default)]
struct Sources {
    present: Option<wire::Interface>,
    past: Vec<wire::Interface>,
    trail: Vec<Known>,
}

/// Every interface in its periods, by id and then by time.
pub(super) fn periods(snapshot: &Snapshot, lives: BTreeMap<String, Vec<Known>>) -> Vec<Graded> {
    let mut by_id: BTreeMap<String, Sources> = BTreeMap::new();
    for interface in &snapshot.interfaces {
        let sources = by_id.entry(interface.network_interface_id.clone());
        sources.or_default().present = Some(interface.clone());
    }
    for interface in &snapshot.past {
        let sources = by_id.entry(interface.network_interface_id.clone());
        sources.or_default().past.push(interface.clone());
    }
    for (id, trail) in lives {
        by_id.entry(id).or_default().trail = trail;
    }
    by_id.into_values().flat_map(Sources::periods).collect()
}

/// When an older answer was true for the last time, as far as is known.
fn seen(interface: &wire::Interface) -> Option<u64> {
    interface.seen_at.or(interface.gone_at)
}

fn grade(interface: &wire::Interface) -> Grade {
    match (&interface.groups, interface.gone_at, interface.seen_at) {
        (None, ..) => Grade::Unknown,
        (_, Some(_), None) => Grade::Config,
        _ => Grade::Snapshot,
    }
}

fn same_groups(a: &wire::Interface, b: &wire::Interface) -> bool {
    let ids = |interface: &wire::Interface| {
        let groups = interface.groups.as_ref()?.iter();
        let mut ids: Vec<String> = groups.map(|group| group.group_id.clone()).collect();
        ids.sort();
        Some(ids)
    };
    ids(a) == ids(b)
}

impl Sources {
    fn periods(mut self) -> Vec<Graded> {
        self.past
            .sort_by_key(|interface| (seen(interface), interface.gone_at));
        let trail = self.of_trail();
        if trail.is_empty() {
            self.of_snapshots()
        } else {
            trail
        }
    }

    fn of_snapshots(self) -> Vec<Graded> {
        let mut all = self.past.into_iter().chain(self.present);
        let Some(mut current) = all.next() else {
            return Vec::new();
        };
        let mut periods = Vec::new();
        for mut next in all {
            // An answer of a later time says that it was there before.
            let (from, changed) = (current.absent_until, seen(&current).unwrap_or_default());
            if same_groups(&current, &next) {
                next.absent_until = from;
            } else {
                next.absent_until = Some(seen(&next).unwrap_or(changed));
                current.gone_at = Some(changed);
                let mut between = next.clone();
                between.groups = None;
                between.absent_until = Some(changed);
                between.gone_at = next.absent_until;
                let grade = grade(&current);
                periods.push((current, grade));
                if between.absent_until < between.gone_at {
                    periods.push((between, Grade::Unknown));
                }
            }
            current = next;
        }
        let grade = grade(&current);
        periods.push((current, grade));
        periods
    }

    /// The periods that the trail knows, completed by what snapshots say.
    fn of_trail(&self) -> Vec<Graded> {
        let base = self.present.as_ref().or(self.past.last());
        let mut periods: Vec<Graded> = Vec::new();
        for known in &self.trail {
            let at = JsonPath::Top("CloudTrail");
            let Ok(mut interface) = wire::Interface::read(known.interface.clone(), at) else {
                continue;
            };
            if let Some(base) = base {
                complete(&mut interface, base);
            }
            let (from, until) = (known.from, known.until);
            if interface.groups.is_none() {
                let within = |past: &&wire::Interface| {
                    let seen = seen(past).unwrap_or_default();
                    from.unwrap_or_default() <= seen && until.is_none_or(|until| seen < until)
                };
                let past = self.past.iter().rev().find(within);
                interface.groups = past.and_then(|past| past.groups.clone());
            }
            if interface.private_ip_address.is_none()
                && interface.private_ip_addresses.is_empty()
                && interface.ipv6_addresses.is_empty()
            {
                continue;
            }
            interface.absent_until = from;
            interface.gone_at = Some(until.unwrap_or(GONE));
            let grade = match interface.groups {
                Some(_) => Grade::Trail,
                None => Grade::Unknown,
            };
            periods.push((interface, grade));
        }
        let Some(present) = &self.present else {
            return periods;
        };
        // What is there now is the last period, unless the trail saw its end.
        if let Some((last, _)) = periods
            .last_mut()
            .filter(|(last, _)| last.gone_at == Some(GONE))
        {
            let mut present = present.clone();
            present.absent_until = last.absent_until;
            if last.groups.is_none() || same_groups(last, &present) {
                periods.pop();
            } else {
                // A change that the trail does not have, at some time before the snapshot.
                last.groups = None;
                last.gone_at = present.seen_at.or(last.absent_until);
                present.absent_until = last.gone_at;
            }
            periods.push((present, Grade::Snapshot));
        }
        periods
    }
}

/// Fills in what events leave out.
fn complete(interface: &mut wire::Interface, base: &wire::Interface) {
    let text = |own: &mut String, other: &String| {
        if own.is_empty() {
            own.clone_from(other);
        }
    };
    text(&mut interface.vpc_id, &base.vpc_id);
    text(&mut interface.subnet_id, &base.subnet_id);
    text(&mut interface.interface_type, &base.interface_type);
    text(&mut interface.description, &base.description);
    text(&mut interface.availability_zone, &base.availability_zone);
    if interface.private_ip_address.is_none() && interface.private_ip_addresses.is_empty() {
        interface.private_ip_address = base.private_ip_address;
        interface
            .private_ip_addresses
            .clone_from(&base.private_ip_addresses);
        interface.ipv4_prefixes.clone_from(&base.ipv4_prefixes);
        interface.ipv6_addresses.clone_from(&base.ipv6_addresses);
        interface.ipv6_prefixes.clone_from(&base.ipv6_prefixes);
    }
    if interface.tag_set.is_empty() {
        interface.tag_set.clone_from(&base.tag_set);
    }
}
