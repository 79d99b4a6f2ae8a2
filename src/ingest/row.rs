//! One line → one row, without copying.
#![expect(clippy::inline_always, reason = "measured: benches/README.md")]

use std::net::{IpAddr, Ipv4Addr};

use super::fields::{COLUMNS, Column};
use super::format::{LogFormat, SKIP};
use crate::net::Protocol;

/// One direction of one 5-tuple at one interface in one aggregation interval
/// (flow-log-records.html). Text is borrowed from the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The recording interface, `eni-…`. Where the row names none, the resource that recorded it, such as a regional
    /// NAT gateway (`nat-…`); `-` where the row names neither.
    pub interface: &'a [u8],
    /// Sender of the packets: the packet's own address where the format has it,
    /// since that is what security groups judge.
    pub src: IpAddr,
    /// Receiver of the packets.
    pub dst: IpAddr,
    /// Sender's port; 0 where the protocol has none.
    pub src_port: u16,
    /// Receiver's port.
    pub dst_port: u16,
    /// Protocol.
    pub protocol: Protocol,
    /// Packets; 0 when not recorded.
    pub packets: u64,
    /// Bytes; 0 when not recorded.
    pub bytes: u64,
    /// First packet, Unix seconds.
    pub start: u64,
    /// Last packet, Unix seconds.
    pub end: u64,
    /// ACCEPT, as opposed to REJECT.
    pub accepted: bool,
    /// TCP flags, or-ed; 0 when not recorded.
    pub tcp_flags: u8,
    /// Which way the packets went at the interface.
    pub way: PacketDirection,
    /// The sender in the packet is not the one the interface shows: a pod or a
    /// secondary address behind the primary one, or a host behind a middlebox.
    pub src_rewritten: bool,
    /// The same of the receiver.
    pub dst_rewritten: bool,
    /// AWS service of the sender, `-` or empty when none.
    pub src_service: &'a [u8],
    /// AWS service of the receiver.
    pub dst_service: &'a [u8],
}

/// `flow-direction`: of the packets, not of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketDirection {
    /// Out of the interface.
    Egress,
    /// Into the interface.
    Ingress,
    /// Not recorded.
    Unknown,
}

/// What the TCP flags of a row say of its sender (flow-log-records.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// SYN without ACK: it opens connections.
    Opens,
    /// SYN with ACK: it answers them.
    Answers,
    /// No SYN.
    Neither,
}

impl Handshake {
    /// Of the flags as `tcp-flags` has them.
    #[inline(always)]
    pub const fn of(flags: u8) -> Self {
        const SYN: u8 = 0b0_0010;
        const SYN_ACK: u8 = 0b1_0010;
        match flags & SYN_ACK {
            SYN => Self::Opens,
            SYN_ACK => Self::Answers,
            _ => Self::Neither,
        }
    }
}

/// What a line turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Traffic.
    Row(Row<'a>),
    /// NODATA: the interface was idle, which proves coverage.
    NoData(Interval<'a>),
    /// SKIPDATA: AWS dropped at least one record; absence proves nothing there.
    SkipData(Interval<'a>),
}

/// An interface and an interval without traffic to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval<'a> {
    /// The interface, or the resource, as [`Row::interface`] has it.
    pub interface: &'a [u8],
    /// Start, Unix seconds.
    pub start: u64,
    /// End, Unix seconds.
    pub end: u64,
}

/// Why a line could not be read. Bad input is counted and sampled, never fatal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Fewer values than the format has fields.
    #[error("too few values for the format")]
    TooFew,
    /// More values than the format has fields.
    #[error("too many values for the format")]
    TooMany,
    /// An address that is none, or two of different families.
    #[error("not an address")]
    Address,
    /// A number where one is needed.
    #[error("not a number in range")]
    Number,
    /// Neither ACCEPT nor REJECT.
    #[error("action is neither ACCEPT nor REJECT")]
    Action,
    /// Not OK, NODATA or SKIPDATA.
    #[error("log-status is not OK, NODATA or SKIPDATA")]
    Status,
    /// The interval ends before it starts, or in a far future.
    #[error("end lies before start or after the year 2105")]
    Time,
    /// No value of a field that every row needs.
    #[error("no {}", .0.name())]
    Missing(Column),
    /// TCP or UDP without a port: port 0 would be a service that the logs don't show.
    #[error("TCP or UDP without a port: no {}", .0.name())]
    Port(Column),
    /// A value of a type that the field does not have.
    #[error("a value whose type is not the field's")]
    Kind,
    /// A field that has two values.
    #[error("two different values for one field")]
    Twice,
    /// A quote that opens or closes nothing.
    #[error("a quote that opens or closes no value")]
    Quotes,
    /// A line too long to be a record.
    #[error("longer than any record")]
    TooLong,
}

pub(super) const NONE: &[u8] = b"-";

/// Reads one line. Runs of spaces and tabs are one separator: one of AWS's own
/// examples has a double space.
#[inline]
pub fn parse_line<'a>(format: &LogFormat, line: &'a [u8]) -> Result<Line<'a>, BadLine> {
    let mut values = Values {
        format,
        values: [NONE; COLUMNS],
    };
    values.split(line)?;
    read_cells(&values)
}

/// No record comes near this.
pub(super) const LONGEST_LINE: usize = 1 << 20;

/// No packet of a log is as late as this, the year 2106: what claims to be is no record.
pub(super) const TIMES_BELOW: u64 = 1 << 32;

/// One record's values by column, wherever they come from.
pub(super) trait Cells<'a> {
    /// A value as text; `-` where there is none.
    fn text(&self, column: Column) -> Result<&'a [u8], BadLine>;

    /// A value as an address.
    #[inline]
    fn address(&self, column: Column) -> Result<IpAddr, BadLine> {
        address(self.text(column)?)
    }

    /// A value as a number; `None` where there is none.
    fn number(&self, column: Column) -> Result<Option<u64>, BadLine>;

    /// Whether records of this kind have the column at all.
    fn has(&self, column: Column) -> bool;
}

/// Reads one record.
#[inline]
pub(super) fn read_cells<'a>(cells: &impl Cells<'a>) -> Result<Line<'a>, BadLine> {
    let start = needed(cells, Column::Start)?;
    let start = seconds(start);
    let end = cells.number(Column::End)?.map_or(start, seconds);
    if end < start || end >= TIMES_BELOW {
        return Err(BadLine::Time);
    }
    let interface = match cells.text(Column::InterfaceId)? {
        NONE => cells.text(Column::ResourceId)?,
        interface => interface,
    };
    let interval = Interval {
        interface,
        start,
        end,
    };
    let has_status = cells.has(Column::LogStatus);
    let status = if has_status {
        cells.text(Column::LogStatus)?
    } else {
        other_status(cells)
    };
    match status {
        b"NODATA" => Ok(Line::NoData(interval)),
        b"SKIPDATA" => Ok(Line::SkipData(interval)),
        b"OK" => read_row(cells, interval).map(Line::Row),
        // Without the field, an idle interval shows by having no addresses.
        NONE if !has_status && is_idle(cells) => Ok(Line::NoData(interval)),
        NONE if !has_status => read_row(cells, interval).map(Line::Row),
        _ => Err(BadLine::Status),
    }
}

/// What a column called `status` says, if that is a log-status; it may be about anything else.
fn other_status<'a>(cells: &impl Cells<'a>) -> &'a [u8] {
    match cells.text(Column::OtherStatus) {
        Ok(status @ (b"OK" | b"NODATA" | b"SKIPDATA")) => status,
        _ => NONE,
    }
}

/// A number that every row needs.
#[inline(always)]
fn needed<'a>(cells: &impl Cells<'a>, column: Column) -> Result<u64, BadLine> {
    cells.number(column)?.ok_or(BadLine::Missing(column))
}

fn is_idle<'a>(cells: &impl Cells<'a>) -> bool {
    use Column::{DstAddr, PktDstAddr, PktSrcAddr, SrcAddr};
    [SrcAddr, DstAddr, PktSrcAddr, PktDstAddr]
        .iter()
        .all(|&column| cells.text(column) == Ok(NONE))
}

/// An end's address in the packet, as far as the format tells, and whether
/// the interface shows another one.
#[inline(always)]
fn end<'a>(
    cells: &impl Cells<'a>,
    shown: Column,
    packet: Column,
) -> Result<(IpAddr, bool), BadLine> {
    let in_packet = cells.text(packet)?;
    if in_packet == NONE {
        let address = cells.address(shown);
        return match address {
            Ok(address) => Ok((address, false)),
            Err(_) if cells.text(shown) == Ok(NONE) => Err(BadLine::Missing(shown)),
            Err(reason) => Err(reason),
        };
    }
    let shown = cells.text(shown)?;
    let rewritten = shown != NONE && shown != in_packet;
    Ok((cells.address(packet)?, rewritten))
}

#[inline(always)]
fn read_row<'a>(cells: &impl Cells<'a>, interval: Interval<'a>) -> Result<Row<'a>, BadLine> {
    let (src, src_rewritten) = end(cells, Column::SrcAddr, Column::PktSrcAddr)?;
    let (dst, dst_rewritten) = end(cells, Column::DstAddr, Column::PktDstAddr)?;
    if src.is_ipv4() != dst.is_ipv4() {
        return Err(BadLine::Address);
    }
    let protocol = needed(cells, Column::Protocol)?;
    let protocol = Protocol(protocol.try_into().map_err(out_of_range)?);
    let port = |column| {
        let port = cells.number(column)?.ok_or(BadLine::Port(column))?;
        u16::try_from(port).map_err(out_of_range)
    };
    let (src_port, dst_port) = if protocol.has_ports() {
        (port(Column::SrcPort)?, port(Column::DstPort)?)
    } else {
        (0, 0)
    };
    // Only TCP has flags; nothing is documented past eight bits. AWS writes `-` for a combination that is none, so the
    // sender's part is unknown, as without the field.
    let flags = if protocol == Protocol::TCP {
        cells.number(Column::TcpFlags)?.unwrap_or(0) & 0xff
    } else {
        0
    };
    Ok(Row {
        interface: interval.interface,
        src,
        dst,
        src_port,
        dst_port,
        protocol,
        // No row of traffic has no packets, so 0 stands for a count that the row does not give.
        packets: cells.number(Column::Packets)?.unwrap_or(0),
        bytes: cells.number(Column::Bytes)?.unwrap_or(0),
        start: interval.start,
        end: interval.end,
        accepted: match cells.text(Column::Action)? {
            b"ACCEPT" => true,
            b"REJECT" => false,
            NONE => return Err(BadLine::Missing(Column::Action)),
            _ => return Err(BadLine::Action),
        },
        tcp_flags: u8::try_from(flags).map_err(out_of_range)?,
        way: match cells.text(Column::FlowDirection)? {
            b"egress" => PacketDirection::Egress,
            b"ingress" => PacketDirection::Ingress,
            _ => PacketDirection::Unknown,
        },
        src_rewritten,
        dst_rewritten,
        src_service: service(cells.text(Column::PktSrcService)?),
        dst_service: service(cells.text(Column::PktDstService)?),
    })
}

/// The values of one line by column; `-` where the format lacks a column.
struct Values<'a, 'f> {
    format: &'f LogFormat,
    values: [&'a [u8]; COLUMNS],
}

impl<'a> Values<'a, '_> {
    #[inline]
    fn split(&mut self, line: &'a [u8]) -> Result<(), BadLine> {
        let Self { format, values } = self;
        let (mut count, mut start) = (0, 0);
        let plan = format.plan();
        let mut put = |value: &'a [u8]| {
            if value.is_empty() {
                return Ok(());
            }
            let Some(&column) = plan.get(count) else {
                return Err(BadLine::TooMany);
            };
            if column != SKIP {
                values[usize::from(column)] = value;
            }
            count += 1;
            Ok(())
        };
        let (words, tail) = line.as_chunks::<8>();
        for (number, word) in words.iter().enumerate() {
            let mut gaps = gaps(u64::from_le_bytes(*word));
            while gaps != 0 {
                let end = number * 8 + gaps.trailing_zeros() as usize / 8;
                put(&line[start..end])?;
                start = end + 1;
                gaps &= gaps - 1;
            }
        }
        for (offset, byte) in tail.iter().enumerate() {
            if matches!(byte, b' ' | b'\t') {
                let end = words.len() * 8 + offset;
                put(&line[start..end])?;
                start = end + 1;
            }
        }
        put(&line[start..])?;
        if count < format.width() {
            return Err(BadLine::TooFew);
        }
        Ok(())
    }
}

impl<'a> Cells<'a> for Values<'a, '_> {
    #[inline]
    fn text(&self, column: Column) -> Result<&'a [u8], BadLine> {
        Ok(self.values[column as usize])
    }

    fn number(&self, column: Column) -> Result<Option<u64>, BadLine> {
        number_or_none(self.values[column as usize])
    }

    fn has(&self, column: Column) -> bool {
        self.format.has(column)
    }
}

/// The high bit of every byte of a word that is a space or a tab.
const fn gaps(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const LOW: u64 = ONES * 0x7f;
    /// The high bit of every byte that is zero, of no other.
    const fn zero_bytes(word: u64) -> u64 {
        !(((word & LOW) + LOW) | word | LOW)
    }
    zero_bytes(word ^ (ONES * b' ' as u64)) | zero_bytes(word ^ (ONES * b'\t' as u64))
}

/// A number, or `-`.
pub(super) fn number_or_none(digits: &[u8]) -> Result<Option<u64>, BadLine> {
    if digits == NONE {
        Ok(None)
    } else {
        number(digits).map(Some)
    }
}

/// A floating-point number that is a whole one and exact.
pub(super) fn whole(number: f64) -> Option<u64> {
    /// From here on, not every whole number is a floating-point one.
    const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;
    let is_exact = (0.0..EXACT_BELOW).contains(&number) && number.fract() == 0.0;
    // The standard library has no exact conversion; digits are one.
    is_exact.then(|| format!("{number:.0}").parse().ok())?
}

fn out_of_range(_: std::num::TryFromIntError) -> BadLine {
    BadLine::Number
}

fn service(value: &[u8]) -> &[u8] {
    if value == NONE { b"" } else { value }
}

fn number(digits: &[u8]) -> Result<u64, BadLine> {
    if digits.is_empty() || digits.len() > 20 {
        return Err(BadLine::Number);
    }
    let mut value = 0u64;
    if digits.len() < 20 {
        // Nineteen digits always fit.
        for &digit in digits {
            let digit = digit.wrapping_sub(b'0');
            if digit > 9 {
                return Err(BadLine::Number);
            }
            value = value * 10 + u64::from(digit);
        }
        return Ok(value);
    }
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return Err(BadLine::Number);
        }
        value = value
            .checked_mul(10)
            .and_then(|v| v.checked_add(u64::from(digit)))
            .ok_or(BadLine::Number)?;
    }
    Ok(value)
}

/// Times are Unix seconds; old logs sometimes carry milliseconds
/// (flowlogs-reader divides what exceeds 31 bits).
const fn seconds(value: u64) -> u64 {
    /// The year 5138 in seconds, 1973 in milliseconds.
    const MILLISECONDS_FROM: u64 = 100_000_000_000;
    if value >= MILLISECONDS_FROM {
        value / 1000
    } else {
        value
    }
}

pub(super) fn address(text: &[u8]) -> Result<IpAddr, BadLine> {
    if let Some(v4) = ipv4(text) {
        return Ok(IpAddr::V4(v4));
    }
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(BadLine::Address)
}

/// Dotted decimal without leading zeros, which some readers take for octal.
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let (mut octet, mut value, mut digits) = (0, 0u16, 0);
    for &byte in text {
        match byte {
            b'0'..=b'9' => {
                if digits > 0 && value == 0 {
                    return None;
                }
                value = value * 10 + u16::from(byte - b'0');
                digits += 1;
                if value > 255 {
                    return None;
                }
            }
            b'.' if digits > 0 && octet < 3 => {
                octets[octet] = u8::try_from(value).ok()?;
                octet += 1;
                (value, digits) = (0, 0);
            }
            _ => return None,
        }
    }
    if octet != 3 || digits == 0 {
        return None;
    }
    octets[3] = u8::try_from(value).ok()?;
    Some(octets.into())
}
