//! What is known of each interface's time: seen, idle, or lost.

use super::Days;

/// How well the logs cover one interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Rows of traffic.
    pub rows: u64,
    /// NODATA rows: idle, and watched.
    pub no_data: u64,
    /// SKIPDATA rows: AWS dropped records, so absence proves nothing there.
    pub skip_data: u64,
    /// Start of the first and end of the last SKIPDATA interval, Unix seconds.
    pub skipped: Option<(u64, u64)>,
    /// Days with rows of any kind but SKIPDATA.
    pub days: Days,
}

impl Coverage {
    pub(super) fn skip(&mut self, start: u64, end: u64) {
        self.skip_data += 1;
        self.skipped = join(self.skipped, Some((start, end)));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.no_data += other.no_data;
        self.skip_data += other.skip_data;
        self.skipped = join(self.skipped, other.skipped);
        self.days.join(other.days);
    }
}

fn join(a: Option<(u64, u64)>, b: Option<(u64, u64)>) -> Option<(u64, u64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}
