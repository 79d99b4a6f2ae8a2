//! `connections.parquet`: the connection table, for whatever reads Parquet.

use std::borrow::Cow;
use std::io::Write;

use polars::prelude::{
    Column, DataFrame, NamedFrom, ParquetCompression, ParquetWriter, PolarsError, Series,
};
use rayon::prelude::*;

use super::EmitError;
use super::audit_json::{interface_id, reason};
use crate::audit::Audit;
use crate::graph::verdict_word;
use crate::resolve::{Connection, End, aws_service};

/// One row per connection, in id order. Times are Unix seconds; groups are ids
/// separated by spaces.
pub fn connection_table(audit: &Audit, to: &mut dyn Write) -> Result<(), EmitError> {
    let mut frame = frame(audit)?;
    ParquetWriter::new(to)
        .with_compression(ParquetCompression::Uncompressed)
        .finish(&mut frame)?;
    Ok(())
}

fn frame<'a>(audit: &'a Audit) -> Result<DataFrame, PolarsError> {
    let connections = &audit.connections;
    let text = |name: &str, of: &dyn Fn(&'a Connection) -> Cow<'a, str>| {
        let values: Vec<Cow<'_, str>> = connections.iter().map(of).collect();
        Column::from(Series::new(name.into(), values))
    };
    let optional = |name: &str, of: &dyn Fn(&'a Connection) -> Option<&'a str>| {
        let values: Vec<Option<&str>> = connections.iter().map(of).collect();
        Column::from(Series::new(name.into(), values))
    };
    let number = |name: &str, of: &dyn Fn(&Connection) -> u64| {
        let values: Vec<u64> = connections.iter().map(of).collect();
        Column::from(Series::new(name.into(), values))
    };
    let address = |end: End| end.address.to_string().into();
    let service_of = |end| aws_service(&audit.inventory, &audit.table, end);
    let ports = || {
        let ports = connections.iter().map(|c| c.service.port().map(u32::from));
        Column::from(Series::new(
            "port".into(),
            ports.collect::<Vec<Option<u32>>>(),
        ))
    };
    // Whoever has nothing else to do makes a column.
    let columns: [&(dyn Fn() -> Column + Sync); 18] = [
        &|| text("id", &|c| c.id.to_string().into()),
        &|| {
            optional("initiator_interface_id", &|c| {
                interface_id(audit, c.initiator)
            })
        },
        &|| text("initiator_address", &|c| address(c.initiator)),
        &|| text("initiator_groups", &|c| groups(audit, c.initiator)),
        &|| {
            optional("responder_interface_id", &|c| {
                interface_id(audit, c.responder)
            })
        },
        &|| text("responder_address", &|c| address(c.responder)),
        &|| text("responder_groups", &|c| groups(audit, c.responder)),
        &|| optional("responder_aws_service", &|c| service_of(c.responder)),
        &|| text("protocol", &|c| c.service.protocol.to_string().into()),
        &ports,
        &|| text("verdict", &|c| verdict_word(c.verdict).into()),
        &|| optional("reason", &|c| reason(c.verdict)),
        &|| text("direction_confidence", &|c| c.confidence.as_str().into()),
        &|| number("records", &|c| c.totals.records),
        &|| number("bytes", &|c| c.totals.bytes),
        &|| number("packets", &|c| c.totals.packets),
        &|| number("first_seen", &|c| c.totals.first),
        &|| number("last_seen", &|c| c.totals.last),
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
