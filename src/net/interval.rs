//! Sets of integers as sorted, disjoint, inclusive intervals.

/// A set of `u128` values held as sorted intervals that neither touch nor overlap.
///
/// Both ends are included, so the whole of the address space fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct IntervalSet {
    intervals: Vec<(u128, u128)>,
}

impl IntervalSet {
    /// No value.
    pub const EMPTY: Self = Self {
        intervals: Vec::new(),
    };

    /// The set that holds every value of the given intervals; an interval whose
    /// end lies before its start is empty.
    pub fn new(intervals: impl IntoIterator<Item = (u128, u128)>) -> Self {
        let mut sorted: Vec<_> = intervals.into_iter().filter(|(a, b)| a <= b).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(sorted.len());
        for (start, end) in sorted {
            match merged.last_mut() {
                Some(last) if start <= last.1.saturating_add(1) => last.1 = last.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        Self { intervals: merged }
    }

    /// The intervals, in order.
    pub fn intervals(&self) -> &[(u128, u128)] {
        &self.intervals
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// Whether `value` is in the set.
    pub fn contains(&self, value: u128) -> bool {
        let after = self.intervals.partition_point(|&(start, _)| start <= value);
        after > 0 && value <= self.intervals[after - 1].1
    }

    /// Whether every value of `other` is in this set.
    pub fn contains_set(&self, other: &Self) -> bool {
        other.intervals.iter().all(|&(start, end)| {
            let after = self.intervals.partition_point(|&(s, _)| s <= start);
            after > 0 && end <= self.intervals[after - 1].1
        })
    }

    /// The values in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::new(self.intervals.iter().chain(&other.intervals).copied())
    }

    /// The values of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        for &(mut start, end) in &self.intervals {
            let mut used_up = false;
            let first = other.intervals.partition_point(|&(_, e)| e < start);
            for &(cut_start, cut_end) in &other.intervals[first..] {
                if cut_start > end {
                    break;
                }
                if start < cut_start {
                    left.push((start, cut_start - 1));
                }
                if cut_end >= end {
                    used_up = true;
                    break;
                }
                start = cut_end + 1;
            }
            if !used_up {
                left.push((start, end));
            }
        }
        Self { intervals: left }
    }

    /// How many values are in the set, or `u128::MAX` when that does not fit.
    pub fn count(&self) -> u128 {
        self.intervals.iter().fold(0u128, |sum, &(start, end)| {
            sum.saturating_add((end - start).saturating_add(1))
        })
    }
}
