//! One line → one row, without copying.

use std::net::{IpAddr, Ipv4Addr};

use super::fields::{COLUMNS, Column};
use super::format::{Format, SKIP};
use crate::net::Protocol;

/// One direction of one 5-tuple at one interface in one aggregation interval
/// (flow-log-records.html). Text is borrowed from the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The recording interface; `-` for a regional NAT gateway, and when the
    /// format does not carry it.
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
    /// Packets.
    pub packets: u64,
    /// Bytes.
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
    pub way: Way,
    /// The sender in the packet is not the one the interface shows: a pod or a
    /// secondary address behind the primary one, or somebody behind a middlebox.
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
pub enum Way {
    /// Out of the interface.
    Egress,
    /// Into the interface.
    Ingress,
    /// Not recorded.
    Unknown,
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
    /// The interface.
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
    /// The interval ends before it starts.
    #[error("end lies before start")]
    Time,
    /// A line too long to be a record.
    #[error("longer than any record")]
    TooLong,
}

const NONE: &[u8] = b"-";

/// Reads one line. Runs of spaces and tabs are one separator: one of AWS's own
/// examples has a double space.
pub fn parse_line<'a>(format: &Format, line: &'a [u8]) -> Result<Line<'a>, BadLine> {
    let values = Values::split(format, line)?;
    let start = time(values.get(Column::Start))?;
    let end = match values.get(Column::End) {
        NONE => start,
        end => time(end)?,
    };
    if end < start {
        return Err(BadLine::Time);
    }
    let interface = values.get(Column::InterfaceId);
    let interval = Interval {
        interface,
        start,
        end,
    };
    match values.get(Column::LogStatus) {
        b"NODATA" => Ok(Line::NoData(interval)),
        b"SKIPDATA" => Ok(Line::SkipData(interval)),
        b"OK" => values.row(interval).map(Line::Row),
        // Without the field, an idle interval shows by having no addresses.
        NONE if !format.has(Column::LogStatus) && values.is_idle() => Ok(Line::NoData(interval)),
        NONE if !format.has(Column::LogStatus) => values.row(interval).map(Line::Row),
        _ => Err(BadLine::Status),
    }
}

/// The values of one line by column; `-` where the format lacks a column.
struct Values<'a>([&'a [u8]; COLUMNS]);

impl<'a> Values<'a> {
    fn split(format: &Format, line: &'a [u8]) -> Result<Self, BadLine> {
        let mut values: [&[u8]; COLUMNS] = [NONE; COLUMNS];
        let mut count = 0;
        let plan = format.plan();
        for value in line
            .split(|b| matches!(b, b' ' | b'\t'))
            .filter(|v| !v.is_empty())
        {
            let Some(&column) = plan.get(count) else {
                return Err(BadLine::TooMany);
            };
            if column != SKIP {
                values[column as usize] = value;
            }
            count += 1;
        }
        if count < format.width() {
            return Err(BadLine::TooFew);
        }
        Ok(Self(values))
    }

    fn get(&self, column: Column) -> &'a [u8] {
        self.0[column as usize]
    }

    fn is_idle(&self) -> bool {
        use Column::{DstAddr, PktDstAddr, PktSrcAddr, SrcAddr};
        [SrcAddr, DstAddr, PktSrcAddr, PktDstAddr]
            .iter()
            .all(|&column| self.get(column) == NONE)
    }

    /// An end's address in the packet, as far as the format tells, and whether
    /// the interface shows another one.
    fn end(&self, shown: Column, packet: Column) -> Result<(IpAddr, bool), BadLine> {
        let (shown, packet) = (self.get(shown), self.get(packet));
        let rewritten = shown != NONE && packet != NONE && shown != packet;
        let true_end = if packet == NONE { shown } else { packet };
        Ok((address(true_end)?, rewritten))
    }

    fn row(&self, interval: Interval<'a>) -> Result<Row<'a>, BadLine> {
        let (src, src_rewritten) = self.end(Column::SrcAddr, Column::PktSrcAddr)?;
        let (dst, dst_rewritten) = self.end(Column::DstAddr, Column::PktDstAddr)?;
        if src.is_ipv4() != dst.is_ipv4() {
            return Err(BadLine::Address);
        }
        let protocol = number(self.get(Column::Protocol))?;
        let protocol = Protocol(protocol.try_into().map_err(out_of_range)?);
        let (src_port, dst_port) = if protocol.has_ports() {
            let (src, dst) = (self.get(Column::SrcPort), self.get(Column::DstPort));
            (port(src)?, port(dst)?)
        } else {
            (0, 0)
        };
        Ok(Row {
            interface: interval.interface,
            src,
            dst,
            src_port,
            dst_port,
            protocol,
            packets: optional_number(self.get(Column::Packets))?,
            bytes: optional_number(self.get(Column::Bytes))?,
            start: interval.start,
            end: interval.end,
            accepted: match self.get(Column::Action) {
                b"ACCEPT" => true,
                b"REJECT" => false,
                _ => return Err(BadLine::Action),
            },
            tcp_flags: self.tcp_flags(protocol)?,
            way: match self.get(Column::FlowDirection) {
                b"egress" => Way::Egress,
                b"ingress" => Way::Ingress,
                _ => Way::Unknown,
            },
            src_rewritten,
            dst_rewritten,
            src_service: service(self.get(Column::PktSrcService)),
            dst_service: service(self.get(Column::PktDstService)),
        })
    }

    /// Only TCP has flags; nothing is documented past eight bits.
    fn tcp_flags(&self, protocol: Protocol) -> Result<u8, BadLine> {
        if protocol != Protocol::TCP {
            return Ok(0);
        }
        let flags = optional_number(self.get(Column::TcpFlags))?;
        u8::try_from(flags & 0xff).map_err(out_of_range)
    }
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

fn optional_number(digits: &[u8]) -> Result<u64, BadLine> {
    if digits == NONE {
        Ok(0)
    } else {
        number(digits)
    }
}

fn port(digits: &[u8]) -> Result<u16, BadLine> {
    optional_number(digits)?.try_into().map_err(out_of_range)
}

/// Times are Unix seconds; old logs sometimes carry milliseconds
/// (flowlogs-reader divides what exceeds 31 bits).
fn time(digits: &[u8]) -> Result<u64, BadLine> {
    /// The year 5138 in seconds, 1973 in milliseconds.
    const MILLISECONDS_FROM: u64 = 100_000_000_000;
    let value = number(digits)?;
    Ok(if value >= MILLISECONDS_FROM {
        value / 1000
    } else {
        value
    })
}

fn address(text: &[u8]) -> Result<IpAddr, BadLine> {
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
