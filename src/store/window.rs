//! The window of an audit of a store.

use crate::flow::DAY;

/// A window of whole days in UTC: a store does not keep the hours of a day apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WholeDays {
    /// The first day.
    from: Option<u64>,
    /// The day after the last.
    to: Option<u64>,
}

impl WholeDays {
    /// The shortest such window that holds everything from `since` up to `until`, in Unix seconds.
    pub fn around(since: Option<u64>, until: Option<u64>) -> Self {
        Self {
            from: since.map(|since| since / DAY),
            to: until.map(|until| until.div_ceil(DAY)),
        }
    }

    /// Its bounds in Unix seconds: the first second of it, and the first one after it.
    pub fn bounds(self) -> (Option<u64>, Option<u64>) {
        let midnight = |day: u64| day.saturating_mul(DAY);
        (self.from.map(midnight), self.to.map(midnight))
    }

    /// Whether it holds a day, counted from 1970.
    pub(super) fn has(self, day: u64) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day < to)
    }
}
