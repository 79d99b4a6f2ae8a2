//! What an engine answers to `connections`, as flows.

use std::net::IpAddr;

use super::insights::KeptPorts;
use crate::flow::{
    Counters, Coverage, Days, Dropped, Flow, FlowFlags, FlowKey, FlowTable, FlowTableBuilder,
    ObserverIx, Ports,
};
use crate::ingest::{Handshake, Intake, MalformedSample, SourceIntake};
use crate::net::{HashMap, Protocol, visible};

/// Rows of one flow, at most: no log has as many, and sums of them fit.
const MOST_RECORDS: u64 = 1 << 40;

/// No record is as late as this, the year 2106.
const TIMES_BELOW: u64 = 1 << 32;

/// Samples of malformed rows that are kept.
const SAMPLES: usize = 20;

/// A row that is not what was asked for: the column, and what it held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the column `{column}` holds `{value}`")]
pub struct Unreadable {
    /// The column.
    pub column: &'static str,
    /// Its value; hostile.
    pub value: String,
}

/// Partial results, adding up.
#[derive(Debug, Default)]
pub struct Partials {
    observers: HashMap<String, ObserverIx>,
    table: FlowTable,
    intake: Intake,
}

/// One row of an answer: values by the names of the question.
struct Cells<'a, F: Fn(&str) -> Option<&'a str>> {
    value: F,
}

impl<'a, F: Fn(&str) -> Option<&'a str>> Cells<'a, F> {
    fn text(&self, column: &str) -> &'a str {
        (self.value)(column).unwrap_or_default()
    }

    fn unreadable(&self, column: &'static str) -> Unreadable {
        Unreadable {
            column,
            value: self.text(column).to_owned(),
        }
    }

    /// Two addresses of one family. Engines don't check what records hold there, and a damaged one must not end the run.
    fn ends(&self, [src, dst]: [&str; 2]) -> Option<(IpAddr, IpAddr)> {
        let [src, dst] = [src, dst].map(|column| self.text(column).parse::<IpAddr>());
        let (src, dst) = (src.ok()?, dst.ok()?);
        (src.is_ipv4() == dst.is_ipv4()).then_some((src, dst))
    }

    /// Whether a record gives no value: `-` in a flow record, nothing where it lacks the field.
    fn is_missing(&self, column: &str) -> bool {
        matches!(self.text(column), "" | "-")
    }

    /// What recorded the rows: an interface, else a resource, else `-`.
    fn observer(&self) -> &'a str {
        let names = ["interface_id", "resource_id"];
        let known = names.into_iter().find(|name| !self.is_missing(name));
        known.map_or("-", |name| self.text(name))
    }

    /// A number that records may lack; 0 stands for that, as in a row.
    fn count(&self, column: &'static str) -> Result<u64, Unreadable> {
        if self.is_missing(column) {
            Ok(0)
        } else {
            self.number(column)
        }
    }

    /// A whole number; Logs Insights prints `12.0` for 12.
    fn number(&self, column: &'static str) -> Result<u64, Unreadable> {
        let text = self.text(column);
        let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
        whole.parse().map_err(|_error| self.unreadable(column))
    }

    /// A count of rows.
    fn records(&self, column: &'static str) -> Result<u64, Unreadable> {
        let records = self.number(column)?;
        if records > MOST_RECORDS {
            return Err(self.unreadable(column));
        }
        Ok(records)
    }

    /// A sum of what logs claim: one that is too large stands for the largest, as in the fold.
    fn sum(&self, column: &'static str) -> Result<u64, Unreadable> {
        let text = self.text(column);
        let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
        if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.unreadable(column));
        }
        Ok(whole.parse().unwrap_or(u64::MAX))
    }

    /// Two times, the earlier first; Unix seconds.
    fn span(&self, first: &'static str, last: &'static str) -> Result<(u64, u64), Unreadable> {
        let span = (self.number(first)?, self.number(last)?);
        if span.0 > span.1 || span.1 >= TIMES_BELOW {
            return Err(self.unreadable(last));
        }
        Ok(span)
    }

    fn port(&self, column: &'static str) -> Result<u16, Unreadable> {
        self.number(column)?
            .try_into()
            .map_err(|_error| self.unreadable(column))
    }

    fn flag(&self, column: &str) -> bool {
        self.text(column) == "1"
    }

    fn accepted(&self) -> Result<bool, Unreadable> {
        match self.text("action") {
            "ACCEPT" => Ok(true),
            "REJECT" => Ok(false),
            _ => Err(self.unreadable("action")),
        }
    }

    fn protocol(&self) -> Result<Protocol, Unreadable> {
        let number = self.number("protocol")?;
        number
            .try_into()
            .map(Protocol)
            .map_err(|_error| self.unreadable("protocol"))
    }
}

impl<'a, F: Fn(&str) -> Option<&'a str>> Cells<'a, F> {
    /// A flow of the answer in SQL, recorded by whatever interface.
    fn flow(
        &self,
        (src, dst): (IpAddr, IpAddr),
        records: u64,
        (first, last): (u64, u64),
    ) -> Result<Flow, Unreadable> {
        // Of the rows of a flow, those that touch the same days are one row here.
        let (first_day, last_day) = self.span("first_day", "last_day")?;
        let dropped = match self.text("dropped") {
            "neither" => Dropped::Neither,
            "src" => Dropped::Src,
            "dst" => Dropped::Dst,
            _ => return Err(self.unreadable("dropped")),
        };
        let mut ports = Ports::default();
        if dropped != Dropped::Neither {
            for port in self.text("ports").split_whitespace() {
                ports.add(port.parse().map_err(|_error| self.unreadable("ports"))?);
            }
            if ports.known().is_empty() {
                return Err(self.unreadable("ports"));
            }
        }
        let key = FlowKey {
            observer: ObserverIx::new(0),
            src,
            dst,
            src_port: self.port("src_port")?,
            dst_port: self.port("dst_port")?,
            protocol: self.protocol()?,
            accepted: self.accepted()?,
            dropped,
        };
        match dropped {
            Dropped::Src if key.src_port != 0 => return Err(self.unreadable("src_port")),
            Dropped::Dst if key.dst_port != 0 => return Err(self.unreadable("dst_port")),
            _ => {}
        }
        let counters = Counters {
            records,
            packets: self.sum("packets")?,
            bytes: self.sum("bytes")?,
            first,
            last,
            days: Days::of(first_day, last_day),
            flags: FlowFlags::of_parts([
                self.flag("syn"),
                self.flag("syn_ack"),
                self.flag("egress"),
                self.flag("ingress"),
                self.flag("src_rewritten"),
                self.flag("dst_rewritten"),
            ]),
            dropped: ports,
        };
        Ok(Flow { key, counters })
    }
}

impl Partials {
    /// The columns of the answer in SQL.
    pub const COLUMNS: [&'static str; 26] = [
        "status",
        "interface_id",
        "src",
        "dst",
        "src_port",
        "dst_port",
        "protocol",
        "action",
        "dropped",
        "first_day",
        "last_day",
        "records",
        "duplicates",
        "packets",
        "bytes",
        "first_seen",
        "last_seen",
        "syn",
        "syn_ack",
        "egress",
        "ingress",
        "src_rewritten",
        "dst_rewritten",
        "src_service",
        "dst_service",
        "ports",
    ];

    /// A row of the answer in SQL. One that is not readable changes nothing.
    pub fn add<'a>(&mut self, value: impl Fn(&str) -> Option<&'a str>) -> Result<(), Unreadable> {
        let cells = Cells { value };
        let records = cells.records("records")?;
        let duplicates = cells.records("duplicates")?;
        let status = cells.text("status");
        let ends = cells.ends(["src", "dst"]);
        if status == "bad" || (status == "OK" && ends.is_none()) {
            self.intake.malformed += records + duplicates;
            return Ok(());
        }
        let (first, last) = cells.span("first_seen", "last_seen")?;
        let flow = match (status, ends) {
            ("OK", Some(ends)) => Some(cells.flow(ends, records, (first, last))?),
            ("NODATA" | "SKIPDATA", _) => None,
            _ => return Err(cells.unreadable("status")),
        };
        self.intake.duplicates += duplicates;
        self.seen(first, last);
        let observer = self.observer(cells.observer());
        let Some(Flow { key, counters }) = flow else {
            self.idle(observer, status, records, (first, last));
            return Ok(());
        };
        for (address, service) in [(key.src, "src_service"), (key.dst, "dst_service")] {
            self.table
                .note_service(address, cells.text(service).as_bytes());
        }
        self.put(FlowKey { observer, ..key }, counters);
        Ok(())
    }

    /// Counts a row that can't be read.
    pub fn reject(&mut self, source: &str, line: u64, reason: &str) {
        self.intake.malformed += 1;
        if self.intake.samples.len() < SAMPLES {
            self.intake.samples.push(MalformedSample {
                source: source.to_owned(),
                line,
                reason: visible(reason, 200),
            });
        }
    }

    /// A row of the answer of Logs Insights to one of the three questions.
    pub fn add_kept<'a>(
        &mut self,
        kept: KeptPorts,
        value: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<(), Unreadable> {
        let cells = Cells { value };
        let ends = cells.ends(["srcaddr", "dstaddr"]);
        // Rows without a port are malformed, as in a file: port 0 would be a service that the logs don't show.
        let protocol = cells.protocol();
        let needs_ports = kept != KeptPorts::None && protocol.as_ref().is_ok_and(|p| p.has_ports());
        let lacks = |column, needed| needed && cells.is_missing(column);
        let lacks_port = needs_ports
            && (lacks("srcport", kept != KeptPorts::Dst)
                || lacks("dstport", kept != KeptPorts::Src));
        let is_whole =
            !lacks_port && ends.is_some() && protocol.is_ok() && cells.accepted().is_ok();
        if kept != KeptPorts::None && !is_whole {
            self.intake.malformed += cells.number("records")?;
            return Ok(());
        }
        let (first, last) = (cells.number("first_seen")?, cells.number("last_seen")?);
        self.seen(first, last);
        let observer = self.observer(cells.observer());
        let Some((src, dst)) = ends.filter(|_| kept != KeptPorts::None) else {
            let done = self.idle(
                observer,
                cells.text("log_status"),
                cells.number("records")?,
                (first, last),
            );
            return done.ok_or_else(|| cells.unreadable("log_status"));
        };
        let mut ports = Ports::default();
        let dropped = match kept {
            KeptPorts::Both | KeptPorts::None => Dropped::Neither,
            KeptPorts::Dst => Dropped::Src,
            KeptPorts::Src => Dropped::Dst,
        };
        if dropped != Dropped::Neither {
            let (least, most) = (cells.port("least_port")?, cells.port("most_port")?);
            ports.add(least);
            ports.add(most);
            if cells.number("distinct_ports")? > 2 {
                ports.have_more();
            }
        }
        let port = |column, there: bool| {
            if there && needs_ports {
                cells.port(column)
            } else {
                Ok(0)
            }
        };
        // `-` stands for a combination that is none.
        let flags = cells.count("tcp_flags")? & 0xff;
        let handshake = Handshake::of(u8::try_from(flags).unwrap_or_default());
        let key = FlowKey {
            observer,
            src,
            dst,
            src_port: port("srcport", kept != KeptPorts::Dst)?,
            dst_port: port("dstport", kept != KeptPorts::Src)?,
            protocol: protocol?,
            accepted: cells.accepted()?,
            dropped,
        };
        let tcp = key.protocol == Protocol::TCP;
        let counters = Counters {
            records: cells.number("records")?,
            packets: cells.count("packets")?,
            bytes: cells.count("bytes")?,
            first,
            last,
            days: Days::of(first, last),
            flags: FlowFlags::of_parts([
                tcp && handshake == Handshake::Opens,
                tcp && handshake == Handshake::Answers,
                cells.text("flow_direction") == "egress",
                cells.text("flow_direction") == "ingress",
                false,
                false,
            ]),
            dropped: ports,
        };
        self.put(key, counters);
        Ok(())
    }

    /// Intervals without traffic, or in which AWS dropped records; nothing, if they are of another status.
    fn idle(
        &mut self,
        observer: ObserverIx,
        status: &str,
        records: u64,
        (first, last): (u64, u64),
    ) -> Option<()> {
        let coverage = &mut self.table.coverage[observer.index()];
        match status {
            "NODATA" => {
                coverage.no_data += records;
                coverage.days.join(Days::of(first, last));
                self.intake.no_data += records;
            }
            "SKIPDATA" => {
                let skipped = coverage.skipped.unwrap_or((first, last));
                coverage.skipped = Some((skipped.0.min(first), skipped.1.max(last)));
                coverage.skip_data += records;
                self.intake.skip_data += records;
            }
            _ => return None,
        }
        Some(())
    }

    fn put(&mut self, key: FlowKey, counters: Counters) {
        self.intake.rows += counters.records;
        self.table.flows.push(Flow { key, counters });
    }

    fn seen(&mut self, first: u64, last: u64) {
        let window = self.intake.window.unwrap_or((first, last));
        self.intake.window = Some((window.0.min(first), window.1.max(last)));
    }

    fn observer(&mut self, name: &str) -> ObserverIx {
        if let Some(&known) = self.observers.get(name) {
            return known;
        }
        let ix = ObserverIx::new(self.table.observers.len());
        self.table.observers.push(name.to_owned());
        self.table.coverage.push(Coverage::default());
        self.observers.insert(name.to_owned(), ix);
        ix
    }

    /// No flows, and the account of a source that can't be one of flow records, as a file is that lacks a needed field.
    pub fn refused(source: &str, format: &str, reason: &str) -> (FlowTable, Intake) {
        let (table, mut intake) = Self::default().finish(source, format, 0);
        let sample = MalformedSample {
            source: source.to_owned(),
            line: 0,
            reason: reason.to_owned(),
        };
        intake.malformed = 1;
        intake.samples = vec![sample.clone()];
        for source in &mut intake.sources {
            source.malformed = 1;
            source.samples = vec![sample.clone()];
        }
        (table, intake)
    }

    /// The flows, and the account of them: one source, of which `bytes` were scanned.
    pub fn finish(self, source: &str, format: &str, bytes: u64) -> (FlowTable, Intake) {
        let Self {
            table, mut intake, ..
        } = self;
        intake.bytes = bytes;
        intake.sources = vec![SourceIntake {
            name: source.to_owned(),
            format: format.to_owned(),
            records: intake.records_read() + intake.duplicates,
            malformed: intake.malformed,
            bytes,
            window: intake.window,
            samples: intake.samples.clone(),
        }];
        let builder = FlowTableBuilder::default();
        builder.absorb(&table);
        (builder.finish(), intake)
    }
}
