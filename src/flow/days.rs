//! On which days something was seen.

/// Seconds of a day; days are those of UTC.
pub const DAY: u64 = 86_400;

/// A set of days, as long as no window is longer than 128 of them: a day's bit is
/// its number modulo 128, so sets can be joined in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Days(u128);

impl Days {
    /// The longest window whose days are told apart.
    pub const LONGEST: u64 = 128;

    /// No day.
    pub(super) const NONE: Self = Self(0);

    /// The days that an interval touches; times in Unix seconds.
    pub fn of(start: u64, end: u64) -> Self {
        let (first, last) = (start / DAY, end / DAY);
        if first == last {
            return Self(1 << (first % Self::LONGEST));
        }
        if last - first >= Self::LONGEST - 1 {
            return Self(u128::MAX);
        }
        Self((first..=last).fold(0, |days, day| days | 1 << (day % Self::LONGEST)))
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
