//! A table as Parquet: flows, interfaces, services and contacts. Addresses are numbers, so
//! that a store of many millions of flows is read in about a second. Where a table holds several days, an interface has
//! an entry for each of them, and its flows name that entry.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use polars::prelude::{
    Column, DataFrame, DataType, Field, NamedFrom, ParquetCompression, ParquetReader,
    ParquetWriter, PolarsError, Schema, SerReader, Series,
};
use rayon::prelude::*;

use super::joined::JoinedTable;
use crate::flow::{
    Contacts, Counters, Coverage, Days, Dropped, Flow, FlowFlags, FlowKey, FlowTable, ObserverIx,
    Ports,
};
use crate::net::{Protocol, Service};

/// The four files of the tables of some days, with what each is. Days are counted from the first, so that files of one day
/// have no column for it.
pub(super) fn encode(
    days: BTreeMap<u64, FlowTable>,
) -> Result<[(&'static str, Vec<u8>); 4], PolarsError> {
    let first = days.keys().next().copied().unwrap_or_default();
    let joined = JoinedTable::of(days);
    Ok([
        ("flows", flows(&joined.table.flows)?),
        ("interfaces", parquet(interfaces(&joined, first)?)?),
        ("services", parquet(services(&joined, first)?)?),
        ("contacts", parquet(contacts(&joined.table)?)?),
    ])
}

fn parquet(mut frame: DataFrame) -> Result<Vec<u8>, PolarsError> {
    let mut bytes = Vec::new();
    writer(&mut bytes).finish(&mut frame)?;
    Ok(bytes)
}

fn writer(bytes: &mut Vec<u8>) -> ParquetWriter<&mut Vec<u8>> {
    ParquetWriter::new(bytes).with_compression(ParquetCompression::Zstd(None))
}

/// Upper and lower half of an address; IPv4 has nothing in the upper.
fn halves(address: IpAddr) -> (u64, u64) {
    match address {
        IpAddr::V4(a) => (0, u64::from(a.to_bits())),
        IpAddr::V6(a) => split(a.to_bits()),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "each half is cut out")]
const fn split(bits: u128) -> (u64, u64) {
    ((bits >> 64) as u64, bits as u64)
}

fn join(high: u64, low: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

fn numbers<T: Sync>(name: &str, rows: &[T], of: impl Fn(&T) -> u64 + Sync + Send) -> Column {
    let values: Vec<u64> = rows.par_iter().map(of).collect();
    Series::new(name.into(), values).into()
}

fn texts<T>(name: &str, rows: &[T], of: impl Fn(&T) -> String) -> Column {
    Series::new(name.into(), rows.iter().map(of).collect::<Vec<String>>()).into()
}

/// A frame without the columns that are zero everywhere, which [`column()`] makes up again: all
/// of IPv6's, most of the time. The first column always stays.
fn frame(height: usize, mut columns: Vec<Column>) -> Result<DataFrame, PolarsError> {
    let first = columns.remove(0);
    columns.retain(|column| {
        let Ok(values) = column.u64() else {
            return true;
        };
        let mut chunks = values.downcast_iter();
        chunks.any(|chunk| chunk.values().iter().any(|&value| value != 0))
    });
    columns.insert(0, first);
    DataFrame::new(height, columns)
}

const fn family(address: IpAddr) -> u64 {
    if address.is_ipv4() { 4 } else { 6 }
}

const fn code(dropped: Dropped) -> u64 {
    match dropped {
        Dropped::Neither => 0,
        Dropped::Src => 1,
        Dropped::Dst => 2,
    }
}

/// A column of flows: its name, and what is in it.
type FlowColumn = (&'static str, fn(&Flow) -> u64);

const FLOWS: &[FlowColumn] = &[
    ("interface", |f| f.key.observer.index() as u64),
    ("family", |f| family(f.key.src)),
    ("src_high", |f| halves(f.key.src).0),
    ("src", |f| halves(f.key.src).1),
    ("dst_high", |f| halves(f.key.dst).0),
    ("dst", |f| halves(f.key.dst).1),
    ("src_port", |f| f.key.src_port.into()),
    ("dst_port", |f| f.key.dst_port.into()),
    ("protocol", |f| f.key.protocol.0.into()),
    ("accepted", |f| f.key.accepted.into()),
    ("dropped", |f| code(f.key.dropped)),
    ("records", |f| f.counters.records),
    ("packets", |f| f.counters.packets),
    ("bytes", |f| f.counters.bytes),
    ("first", |f| f.counters.first),
    ("last", |f| f.counters.last),
    ("days_high", |f| split(f.counters.days.bits()).0),
    ("days", |f| split(f.counters.days.bits()).1),
    ("signs", |f| f.counters.flags.bits().into()),
    ("ports", |f| f.counters.dropped.bits().0),
    ("ports_count", |f| f.counters.dropped.bits().1.into()),
];

/// Rows of flows that are columns at a time: memory for some of them is used again, for all of them it would be new.
const FLOWS_AT_ONCE: usize = 1 << 16;

/// Flows as Parquet, without the columns that are zero everywhere but for the first, as in [`frame`].
fn flows(flows: &[Flow]) -> Result<Vec<u8>, PolarsError> {
    let kept = FLOWS.iter().enumerate().filter(|(n, (_, of))| {
        let says = |flow| of(flow) != 0;
        *n == 0 || flows.par_iter().any(says)
    });
    let kept: Vec<_> = kept.map(|(_, column)| column).collect();
    let field = |(name, _): &&FlowColumn| Field::new((*name).into(), DataType::UInt64);
    let schema = kept.iter().map(field).collect::<Schema>();
    let mut bytes = Vec::new();
    let mut file = writer(&mut bytes).batched(&schema)?;
    for flows in flows.chunks(FLOWS_AT_ONCE) {
        let column = |(name, of): &&FlowColumn| -> Column {
            let values: Vec<u64> = flows.iter().map(of).collect();
            Series::new((*name).into(), values).into()
        };
        let columns = kept.par_iter().map(column).collect();
        file.write_batch(&DataFrame::new(flows.len(), columns)?)?;
    }
    file.finish()?;
    Ok(bytes)
}

fn interfaces(joined: &JoinedTable, first: u64) -> Result<DataFrame, PolarsError> {
    let JoinedTable { table, days, .. } = joined;
    let rows = table.observers.iter().zip(&table.coverage).zip(days);
    let rows: Vec<(&String, &Coverage, u64)> = rows
        .map(|((name, coverage), day)| (name, coverage, day - first))
        .collect();
    let skipped = |c: &Coverage| c.skipped.unwrap_or((u64::MAX, 0));
    frame(
        rows.len(),
        vec![
            texts("name", &rows, |(name, ..)| (*name).clone()),
            numbers("rows", &rows, |(_, c, _)| c.rows),
            numbers("no_data", &rows, |(_, c, _)| c.no_data),
            numbers("skip_data", &rows, |(_, c, _)| c.skip_data),
            numbers("skipped_from", &rows, |(_, c, _)| skipped(c).0),
            numbers("skipped_to", &rows, |(_, c, _)| skipped(c).1),
            numbers("days_high", &rows, |(_, c, _)| split(c.days.bits()).0),
            numbers("days", &rows, |(_, c, _)| split(c.days.bits()).1),
            numbers("day", &rows, |&(.., day)| day),
        ],
    )
}

fn services(joined: &JoinedTable, first: u64) -> Result<DataFrame, PolarsError> {
    let rows = &joined.services;
    frame(
        rows.len(),
        vec![
            texts("address", rows, |(_, address, _)| address.to_string()),
            texts("service", rows, |(.., service)| service.clone()),
            numbers("day", rows, |(day, ..)| day - first),
        ],
    )
}

/// A row for each call.
fn contacts(table: &FlowTable) -> Result<DataFrame, PolarsError> {
    let series = table.contacts.iter();
    let rows: Vec<(&FlowKey, u32, u16)> = series
        .flat_map(|(key, contacts)| {
            let calls = contacts.calls().iter();
            calls.map(move |&(start, port)| (key, start, port))
        })
        .collect();
    frame(
        rows.len(),
        vec![
            numbers("interface", &rows, |(key, ..)| key.observer.index() as u64),
            numbers("family", &rows, |(key, ..)| family(key.src)),
            numbers("src_high", &rows, |(key, ..)| halves(key.src).0),
            numbers("src", &rows, |(key, ..)| halves(key.src).1),
            numbers("dst_high", &rows, |(key, ..)| halves(key.dst).0),
            numbers("dst", &rows, |(key, ..)| halves(key.dst).1),
            numbers("dst_port", &rows, |(key, ..)| key.dst_port.into()),
            numbers("protocol", &rows, |(key, ..)| key.protocol.0.into()),
            numbers("start", &rows, |&(_, start, _)| start.into()),
            numbers("src_port", &rows, |&(.., port)| port.into()),
        ],
    )
}

/// The table of each day again, from the files in the order of [`encode`] and the first day.
pub(super) fn decode(files: Vec<Vec<u8>>, first: u64) -> Result<BTreeMap<u64, FlowTable>, String> {
    let read = |bytes| {
        let frame = ParquetReader::new(Cursor::new(bytes)).finish();
        frame.map_err(|error| error.to_string())
    };
    let frames = files.into_iter().map(read);
    let mut frames: Vec<DataFrame> = frames.collect::<Result<_, _>>()?;
    let [flows, interfaces, services, contacts] = &mut frames[..] else {
        return Err("a file is missing".to_owned());
    };
    let mut joined = read_interfaces(interfaces, first)?;
    let observers = joined.days.len();
    let mut all = Vec::with_capacity(flows.height());
    for flows in flows.split_chunks() {
        all.append(&mut read_flows(&flows, observers)?);
    }
    joined.table.flows = all;
    joined.table.contacts = read_contacts(contacts, observers)?;
    joined.services = read_services(services, first)?;
    let apart = joined.apart();
    apart.ok_or_else(|| "a service of a day that is not in it".to_owned())
}

fn column<'f>(frame: &'f DataFrame, name: &str) -> Result<Cow<'f, [u64]>, String> {
    let Ok(column) = frame.column(name) else {
        return Ok(vec![0; frame.height()].into());
    };
    let values = column.u64().map_err(|error| error.to_string())?;
    Ok(match values.cont_slice() {
        Ok(slice) => Cow::Borrowed(slice),
        Err(_) => values.into_no_null_iter().collect(),
    })
}

fn text_column(frame: &DataFrame, name: &str) -> Result<Vec<String>, String> {
    let column = frame.column(name).map_err(|error| error.to_string())?;
    let values = column.str().map_err(|error| error.to_string())?;
    Ok(values.iter().flatten().map(ToOwned::to_owned).collect())
}

fn read_interfaces(frame: &DataFrame, first: u64) -> Result<JoinedTable, String> {
    let observers = text_column(frame, "name")?;
    let of = |name| column(frame, name);
    let (rows, no_data, skip_data) = (of("rows")?, of("no_data")?, of("skip_data")?);
    let (from, to) = (of("skipped_from")?, of("skipped_to")?);
    let (high, low) = (of("days_high")?, of("days")?);
    let day = of("day")?;
    let entries = 0..observers.len();
    let coverage = entries.clone().map(|n| Coverage {
        rows: rows[n],
        no_data: no_data[n],
        skip_data: skip_data[n],
        skipped: (from[n] <= to[n]).then_some((from[n], to[n])),
        days: Days::from_bits(join(high[n], low[n])),
    });
    let coverage = coverage.collect();
    Ok(JoinedTable {
        table: FlowTable {
            observers,
            coverage,
            ..FlowTable::default()
        },
        days: entries.map(|n| first.saturating_add(day[n])).collect(),
        services: Vec::new(),
    })
}

fn read_services(frame: &DataFrame, first: u64) -> Result<Vec<(u64, IpAddr, String)>, String> {
    let (addresses, names) = (
        text_column(frame, "address")?,
        text_column(frame, "service")?,
    );
    let days = column(frame, "day")?;
    let rows = addresses.iter().zip(names).zip(days.iter());
    rows.map(|((address, name), day)| {
        let address = address
            .parse::<IpAddr>()
            .map_err(|error| format!("`{address}`: {error}"))?;
        Ok((first.saturating_add(*day), address, name))
    })
    .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "it was narrow when it was written; a damaged file gives a wrong one, not a crash"
)]
fn address(v4: bool, high: u64, low: u64) -> IpAddr {
    if v4 {
        IpAddr::V4(Ipv4Addr::from_bits(low as u32))
    } else {
        IpAddr::V6(Ipv6Addr::from_bits(join(high, low)))
    }
}

/// The position of an interface, if it is in its table.
fn observer(position: u64, observers: usize) -> Result<ObserverIx, String> {
    let position = usize::try_from(position).unwrap_or(usize::MAX);
    if position < observers {
        Ok(ObserverIx::new(position))
    } else {
        Err("an interface that is not in its table".to_owned())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "values were narrow when they were written; a damaged file gives wrong ones, not a crash"
)]
fn read_contacts(frame: &DataFrame, observers: usize) -> Result<Vec<(FlowKey, Contacts)>, String> {
    let of = |name| column(frame, name);
    let (interface, family) = (of("interface")?, of("family")?);
    let (src_high, src, dst_high, dst) = (of("src_high")?, of("src")?, of("dst_high")?, of("dst")?);
    let (port, protocol) = (of("dst_port")?, of("protocol")?);
    let (start, client) = (of("start")?, of("src_port")?);
    let mut all: Vec<(FlowKey, Contacts)> = Vec::new();
    for n in 0..frame.height() {
        let v4 = family[n] == 4;
        let key = FlowKey::of_calls(
            observer(interface[n], observers)?,
            address(v4, src_high[n], src[n]),
            address(v4, dst_high[n], dst[n]),
            Service::new(Protocol(protocol[n] as u8), port[n] as u16),
        );
        if all.last().is_none_or(|(last, _)| *last != key) {
            all.push((key, Contacts::default()));
        }
        if let Some((_, contacts)) = all.last_mut() {
            contacts.note(start[n] as u32, client[n] as u16);
        }
    }
    Ok(all)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "values were narrow when they were written; a damaged file gives wrong ones, not a crash"
)]
fn read_flows(frame: &DataFrame, observers: usize) -> Result<Vec<Flow>, String> {
    let of = |name| column(frame, name);
    let (interface, family) = (of("interface")?, of("family")?);
    let (src_high, src, dst_high, dst) = (of("src_high")?, of("src")?, of("dst_high")?, of("dst")?);
    let (src_port, dst_port, protocol) = (of("src_port")?, of("dst_port")?, of("protocol")?);
    let (accepted, dropped) = (of("accepted")?, of("dropped")?);
    let (records, packets, bytes) = (of("records")?, of("packets")?, of("bytes")?);
    let (first, last) = (of("first")?, of("last")?);
    let (days_high, days, flags) = (of("days_high")?, of("days")?, of("signs")?);
    let (ports, ports_count) = (of("ports")?, of("ports_count")?);
    let flow = |n: usize| {
        let v4 = family[n] == 4;
        Ok(Flow {
            key: FlowKey {
                observer: observer(interface[n], observers)?,
                src: address(v4, src_high[n], src[n]),
                dst: address(v4, dst_high[n], dst[n]),
                src_port: src_port[n] as u16,
                dst_port: dst_port[n] as u16,
                protocol: Protocol(protocol[n] as u8),
                accepted: accepted[n] != 0,
                dropped: match dropped[n] {
                    1 => Dropped::Src,
                    2 => Dropped::Dst,
                    _ => Dropped::Neither,
                },
            },
            counters: Counters {
                records: records[n],
                packets: packets[n],
                bytes: bytes[n],
                first: first[n],
                last: last[n],
                days: Days::from_bits(join(days_high[n], days[n])),
                flags: FlowFlags::from_bits(flags[n] as u8),
                dropped: Ports::from_bits(ports[n], ports_count[n] as u8),
            },
        })
    };
    (0..frame.height()).into_par_iter().map(flow).collect()
}
