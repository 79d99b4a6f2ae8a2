//! `connections.parquet`: the connection table, for whatever reads Parquet.

use std::borrow::Cow;
use std::io::Write;

use polars::prelude::{
    Column, DataFrame, IdxSize, NamedFrom, ParquetCompression, ParquetWriter, PolarsError, Series,
};
use rayon::prelude::*;

use super::audit_json::interface_id;
use super::error::EmitError;
use crate::audit::Audit;
use crate::net::HashMap;
use crate::replay::AfterState;
use crate::resolve::{Connection, End, ProbesAlone, aws_service};

/// Rows that are columns at a time, of connections that [`crate::audit::Audit`] counts together.
const AT_ONCE: usize = 1 << 16;

/// One row per connection, in id order; behind them those that are counted together, entry by entry. Times are Unix seconds; groups are
/// ids separated by spaces.
pub fn connection_table(audit: &Audit, to: &mut dyn Write) -> Result<(), EmitError> {
    let states: Vec<&str> = audit.after.iter().map(|a| a.state.as_str()).collect();
    let mut frame = frame(audit, &audit.connections, &states)?;
    let writer = ParquetWriter::new(to).with_compression(ParquetCompression::Uncompressed);
    if audit.probes.is_empty() {
        writer.finish(&mut frame)?;
        return Ok(());
    }
    let mut file = writer.batched(frame.schema())?;
    file.write_batch(&frame)?;
    drop(frame);
    let alone = ProbesAlone::new(&audit.table, &audit.inventory);
    let mut all = audit.probes.iter().flat_map(|probes| alone.of(probes));
    loop {
        let connections: Vec<Connection> = all.by_ref().take(AT_ONCE).collect();
        if connections.is_empty() {
            file.finish()?;
            return Ok(());
        }
        let states = vec![AfterState::Denied.as_str(); connections.len()];
        file.write_batch(&self::frame(audit, &connections, &states)?)?;
    }
}

/// The ends on one side of all connections: what a column says of one is made once, for each is in many rows.
struct Ends {
    distinct: Vec<End>,
    /// By connection, which of them.
    rows: Vec<IdxSize>,
}

impl Ends {
    fn of(connections: &[Connection], end: fn(&Connection) -> End) -> Self {
        let mut places: HashMap<End, IdxSize> = HashMap::default();
        let mut distinct = Vec::new();
        let row = |connection| {
            let end = end(connection);
            *places.entry(end).or_insert_with(|| {
                distinct.push(end);
                IdxSize::try_from(distinct.len() - 1).expect("fewer rows than Polars takes")
            })
        };
        let rows = connections.iter().map(row).collect();
        Self { distinct, rows }
    }

    fn column<'a>(&self, name: &str, of: &dyn Fn(End) -> Option<Cow<'a, str>>) -> Column {
        let values: Vec<Option<Cow<'_, str>>> = self.distinct.iter().map(|&end| of(end)).collect();
        let values = Series::new(name.into(), values);
        let rows = values.take_slice(&self.rows);
        rows.expect("every row has an end").into()
    }
}

fn column<T, P: ?Sized>(
    connections: &[Connection],
    name: &str,
    of: impl Fn(&Connection) -> T,
) -> Column
where
    Series: NamedFrom<Vec<T>, P>,
{
    let values: Vec<T> = connections.iter().map(of).collect();
    Series::new(name.into(), values).into()
}

/// `states` are what becomes of the connections.
fn frame(
    audit: &Audit,
    connections: &[Connection],
    states: &[&str],
) -> Result<DataFrame, PolarsError> {
    let (initiators, responders) = rayon::join(
        || Ends::of(connections, |c| c.initiator),
        || Ends::of(connections, |c| c.responder),
    );
    let id = |end| interface_id(audit, end).map(Cow::from);
    let address = |end: End| Some(end.address.to_string().into());
    let groups = |end| Some(groups(audit, end));
    let service = |end| aws_service(&audit.inventory, &audit.table, end).map(Cow::from);
    // Whoever has nothing else to do makes a column.
    let columns: [&(dyn Fn() -> Column + Sync); 20] = [
        &|| column(connections, "id", |c| c.id.to_string()),
        &|| initiators.column("initiator_interface_id", &id),
        &|| initiators.column("initiator_address", &address),
        &|| initiators.column("initiator_groups", &groups),
        &|| responders.column("responder_interface_id", &id),
        &|| responders.column("responder_address", &address),
        &|| responders.column("responder_groups", &groups),
        &|| responders.column("responder_aws_service", &service),
        &|| column(connections, "protocol", |c| c.service.protocol.to_string()),
        &|| column(connections, "port", |c| c.service.port().map(u32::from)),
        &|| column(connections, "verdict", |c| c.verdict.term().as_str()),
        &|| column(connections, "reason", |c| c.verdict.reason()),
        &|| {
            let id = |&leg: &usize| audit.connections[leg].id.to_string();
            column(connections, "leg_of", |c| c.leg_of.first().map(id))
        },
        &|| Series::new("after".into(), states).into(),
        &|| {
            column(connections, "direction_confidence", |c| {
                c.confidence.as_str()
            })
        },
        &|| column(connections, "records", |c| c.totals.records),
        &|| column(connections, "bytes", |c| c.totals.bytes),
        &|| column(connections, "packets", |c| c.totals.packets),
        &|| column(connections, "first_seen", |c| c.totals.first),
        &|| column(connections, "last_seen", |c| c.totals.last),
    ];
    let columns = columns.par_iter().map(|column| column()).collect();
    DataFrame::new(connections.len(), columns)
}

fn groups(audit: &Audit, end: End) -> Cow<'_, str> {
    let groups = end
        .interface()
        .map_or(&[][..], |ix| &audit.inventory.interface(ix).groups);
    let ids: Vec<&str> = groups
        .iter()
        .map(|&g| audit.inventory.group(g).id.as_str())
        .collect();
    match ids[..] {
        [only] => only.into(),
        _ => ids.join(" ").into(),
    }
}
