//! What can be read, what is missing, and what that costs.
//!
//! Fields of a source, sightings of interfaces in its records, and a snapshot in; sentences and counts out. Nothing here
//! decides about connections.

mod coverage;
mod fields;
mod sightings;

pub use coverage::{FlowLogCoverage, InterfaceCoverage};
pub use fields::{MissingFields, format_version, missing_fields, recommended_format};
pub use sightings::{Sighting, SightingSink, Sightings};
