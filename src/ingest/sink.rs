//! Where rows go.

use super::row::{Interval, Row};

/// Where rows go. One sink per worker; what they make may not depend on which row went
/// to which.
pub trait Sink: Send {
    /// A row of traffic.
    fn row(&mut self, row: Row<'_>);
    /// A row that was counted already, from a flow log whose format may say more:
    /// its packets and bytes are what it has beyond the rows before it.
    fn duplicate(&mut self, row: Row<'_>);
    /// An interval without traffic.
    fn no_data(&mut self, interval: Interval<'_>);
    /// An interval in which AWS dropped records.
    fn skip_data(&mut self, interval: Interval<'_>);
    /// The worker has read its last row.
    fn finish(self);
}
