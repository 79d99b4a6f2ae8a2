//! What a detection reads.

use super::opened::OpenedConnections;
use super::policy::Policy;
use crate::flow::FlowTable;
use crate::ingest::Intake;
use crate::inventory::{Gates, Inventory};
use crate::resolve::{Connection, Hits};

/// What a detection reads.
#[derive(Debug)]
pub struct Context<'a> {
    /// The snapshot.
    pub inventory: &'a Inventory,
    /// Today's gates.
    pub gates: &'a Gates,
    /// The folded logs.
    pub table: &'a FlowTable,
    /// The account of what was read.
    pub intake: &'a Intake,
    /// Every connection.
    pub connections: &'a [Connection],
    /// What each of today's rules permitted, by group and position.
    pub hits: &'a [Vec<Hits>],
    /// What the team has decided.
    pub policy: &'a Policy,
    /// Connections by the interface that initiated them.
    pub opened: OpenedConnections,
}
