//! On which days something was seen.

use std::ops::RangeInclusive;

/// Seconds of a day; days are those of UTC.
pub const DAY: u64 = 86_400;

/// A set of days, as long as no window is longer than 128 of them: a day's bit is
/// its number modulo 128, so sets can be joined in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Days(u128);

impl Days {
    /// The longest window whose days are told apart.
    pub const LONGEST: u64 = 128;

    /// The days that an interval touches; times in Unix seconds.
    pub fn of(start: u64, end: u64) -> Self {
        let (first, last) = (start / DAY, end / DAY);
        if first == last {
            return Self(1 << (first % Self::LONGEST));
        }
        if last - first >= Self::LONGEST - 1 {
            return Self(u128::MAX);
        }
        Self::among(first..=last, |_| true)
    }

    /// Those of a few days that something is said of.
    pub(super) fn among(days: RangeInclusive<u64>, are: impl Fn(u64) -> bool) -> Self {
        let days = days.filter(|&day| are(day));
        Self(days.fold(0, |days, day| days | 1 << (day % Self::LONGEST)))
    }

    /// The set as bits of days by their number modulo 64.
    #[expect(clippy::cast_possible_truncation, reason = "the halves of a number")]
    pub(super) const fn modulo_64(self) -> u64 {
        (self.0 >> 64) as u64 | self.0 as u64
    }

    /// The days of either set.
    pub fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The set as bits, for a store.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// From [`Self::bits`].
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// How many days.
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether a day, by its number since 1970, is in the set.
    pub const fn has(self, day: u64) -> bool {
        self.0 >> (day % Self::LONGEST) & 1 == 1
    }
}
