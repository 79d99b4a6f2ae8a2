//! Which days lie in one table, and which tables become one.
//!
//! Both depend only on how many records each day has. A hostile log may name any day until 2106; its records then share
//! tables, where a table for each of them would take many times the time and the space of the log.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::TableEntry;

/// Days with more records have a table of their own; others share one, up to so many records.
const TOGETHER: u64 = 8_192;

/// A day with more records, whose next day the store lacks, may lie in several tables: to make one of them after every few
/// records would write the whole day every time.
const GROWING: u64 = 65_536;

/// Whether a day with so many records has a table of its own, whatever other days have.
pub(super) const fn is_alone(records: u64) -> bool {
    records > TOGETHER
}

/// The days of each table. They are 1, 2, 4, 8, … days from a multiple of that number on: the longest of these stretches
/// that have few enough records.
pub(super) fn groups(records: &BTreeMap<u64, u64>) -> Vec<Vec<u64>> {
    let days: Vec<(u64, u64)> = records.iter().map(|(&day, &count)| (day, count)).collect();
    let mut groups = Vec::new();
    divide(&days, 1 << 63, &mut groups);
    groups
}

/// Groups the days of a stretch of a length.
fn divide(days: &[(u64, u64)], length: u64, groups: &mut Vec<Vec<u64>>) {
    let (Some((first, _)), Some((last, _))) = (days.first(), days.last()) else {
        return;
    };
    let counts = days.iter().map(|(_, count)| *count);
    let records = counts.fold(0, u64::saturating_add);
    if first == last || length == 1 || !is_alone(records) {
        groups.push(days.iter().map(|(day, _)| *day).collect());
        return;
    }
    let half = length / 2;
    let middle = first / length * length + half;
    let lower = days.partition_point(|(day, _)| *day < middle);
    divide(&days[..lower], half, groups);
    divide(&days[lower..], half, groups);
}

/// Days that get one new table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TableMerge {
    /// The days.
    pub(super) days: BTreeSet<u64>,
    /// Positions of the tables that hold rows of them, and go.
    pub(super) from: BTreeSet<usize>,
}

/// What becomes of a day that grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrowingDay {
    /// It becomes one table, as any other day.
    Whole,
    /// It stays in a few tables, if it is large.
    InParts,
}

/// What has to be done so that every table is one of [`groups`]. A table that goes is named by the merges of all its days.
pub(super) fn merges(tables: &[TableEntry], growing: GrowingDay) -> Vec<TableMerge> {
    let mut records: BTreeMap<u64, u64> = BTreeMap::new();
    let mut holders: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
    for (position, table) in tables.iter().enumerate() {
        for (&day, &count) in &table.days {
            let all = records.entry(day).or_default();
            *all = all.saturating_add(count);
            holders.entry(day).or_default().insert(position);
        }
    }
    let grows = |day: u64| {
        growing == GrowingDay::InParts
            && records[&day] > GROWING
            && !records.contains_key(&day.saturating_add(1))
    };
    let merge = |days: Vec<u64>| {
        let all = days.iter().flat_map(|day| &holders[day]).copied();
        let from = match days[..] {
            [day] if grows(day) => smallest(tables, day, all),
            _ => all.collect(),
        };
        // One table that holds all of these days and no other.
        let is_done = from.len() <= 1 && from.iter().all(|&at| tables[at].days.len() == days.len());
        (!is_done).then(|| TableMerge {
            days: days.into_iter().collect(),
            from,
        })
    };
    groups(&records).into_iter().filter_map(merge).collect()
}

/// The tables of a growing day that become one: those that hold other days as well, and the smallest others, up to the last
/// that is at most twice as large as all before it. So a record is written again only when its table has grown by half, and
/// the tables that are left are few: each is more than twice as large as all smaller ones.
fn smallest(tables: &[TableEntry], day: u64, all: impl Iterator<Item = usize>) -> BTreeSet<usize> {
    let records = |&at: &usize| tables[at].days.get(&day).copied().unwrap_or_default();
    let (mut taken, mut own): (Vec<usize>, Vec<usize>) =
        all.partition(|&at| tables[at].days.len() > 1);
    own.sort_by_key(|at| (records(at), *at));
    let mut sum = taken.iter().map(records).fold(0, u64::saturating_add);
    let mut count = 0;
    for (before, at) in own.iter().enumerate() {
        let size = records(at);
        if size <= sum.saturating_mul(2) {
            count = before + 1;
        }
        sum = sum.saturating_add(size);
    }
    taken.extend(&own[..count]);
    taken.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::manifest::FileEntry;

    fn table(days: &[(u64, u64)]) -> TableEntry {
        let file = || FileEntry {
            name: String::new(),
            digest: String::new(),
        };
        TableEntry {
            days: days.iter().copied().collect(),
            flows: file(),
            interfaces: file(),
            services: file(),
            contacts: file(),
            count: 0,
            rows: 0,
        }
    }

    /// The tables after a merge of everything that [`merges`] says, and how many records were written.
    fn merged(tables: &[TableEntry]) -> (Vec<TableEntry>, u64) {
        let merges = merges(tables, GrowingDay::InParts);
        let gone: BTreeSet<usize> = merges.iter().flat_map(|m| m.from.iter().copied()).collect();
        let kept = (0..tables.len()).filter(|at| !gone.contains(at));
        let mut after: Vec<TableEntry> = kept.map(|at| tables[at].clone()).collect();
        let mut written = 0;
        for merge in &merges {
            let mut days: BTreeMap<u64, u64> = BTreeMap::new();
            for &at in &merge.from {
                for (&day, &count) in &tables[at].days {
                    if merge.days.contains(&day) {
                        *days.entry(day).or_default() += count;
                    }
                }
            }
            written += days.values().sum::<u64>();
            after.push(table(&days.into_iter().collect::<Vec<_>>()));
        }
        (after, written)
    }

    /// By how many tables fewer there are after merges of tables of one day each.
    fn merged_away(merges: &[TableMerge]) -> usize {
        merges.iter().map(|merge| merge.from.len() - 1).sum()
    }

    fn records(tables: &[TableEntry]) -> BTreeMap<u64, u64> {
        let mut records = BTreeMap::new();
        for (&day, &count) in tables.iter().flat_map(|table| &table.days) {
            *records.entry(day).or_default() += count;
        }
        records
    }

    #[test]
    fn many_days_with_few_records_share_tables() {
        // Every day until 2106, one record each.
        let days: BTreeMap<u64, u64> = (0..49_711).map(|day| (day, 1)).collect();
        let groups = groups(&days);
        assert_eq!(groups.len(), 7);
        assert_eq!(groups.concat().len(), 49_711);
    }

    #[test]
    fn a_day_that_grows_lies_in_few_tables_and_is_written_few_times() {
        let (mut tables, mut written) = (vec![table(&[(20_758, 100_000)])], 0);
        for _ in 0..2_000 {
            tables.push(table(&[(20_758, 1_000)]));
            let (after, now) = merged(&tables);
            assert!(after.len() <= 8, "{} tables", after.len());
            (tables, written) = (after, written + now);
        }
        assert_eq!(records(&tables)[&20_758], 2_100_000);
        // To write the whole day each time would be 2.2 billion.
        assert!(written < 2_100_000 * 20, "{written} records written");
        tables.push(table(&[(20_759, 1)]));
        assert_eq!(merged(&tables).0.len(), 2);
    }

    proptest! {
        /// Nothing is lost, one pass is enough, and the tables of days that do not grow are those of `groups`.
        #[test]
        fn every_record_stays_and_one_pass_is_enough(
            all in prop::collection::vec(
                prop::collection::btree_map(0u64..70, 1u64..40_000, 1..6),
                1..12,
            ),
        ) {
            let tables: Vec<TableEntry> = all
                .iter()
                .map(|days| table(&days.iter().map(|(&day, &count)| (day, count)).collect::<Vec<_>>()))
                .collect();
            let before = records(&tables);
            let (after, _) = merged(&tables);
            prop_assert_eq!(&records(&after), &before);
            prop_assert!(merges(&after, GrowingDay::InParts).is_empty());
            let whole = merges(&after, GrowingDay::Whole);
            prop_assert_eq!(groups(&before).len(), after.len() - merged_away(&whole));
            for days in groups(&before) {
                let growing = before[&days[0]] > GROWING && !before.contains_key(&(days[0] + 1));
                let of: Vec<&TableEntry> = after
                    .iter()
                    .filter(|table| table.days.keys().any(|day| days.contains(day)))
                    .collect();
                prop_assert!(of.iter().all(|table| table.days.keys().eq(&days)));
                prop_assert!(of.len() == 1 || growing);
            }
        }
    }
}
