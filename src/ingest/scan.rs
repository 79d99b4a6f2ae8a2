//! The way most lines go: one pass, each field read as what its column is.
//!
//! Everything that is not quite usual, IPv6, a missing value, a fault, is left to
//! [`super::row::parse_line`], which has the last word on every line; what is read here is
//! the same, which a test checks over random lines.

use std::net::{IpAddr, Ipv4Addr};

use super::fields::{COLUMNS, Column};
use super::format::{Format, SKIP};
use super::row::{Line, Row, Way};
use crate::net::Protocol;

/// How a column is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Skipped,
    Text,
    Number,
    Address,
}

const fn kind(column: u8) -> Kind {
    const SRC: u8 = Column::SrcAddr as u8;
    const DST: u8 = Column::DstAddr as u8;
    const PKT_SRC: u8 = Column::PktSrcAddr as u8;
    const PKT_DST: u8 = Column::PktDstAddr as u8;
    const SRC_PORT: u8 = Column::SrcPort as u8;
    const DST_PORT: u8 = Column::DstPort as u8;
    const PROTOCOL: u8 = Column::Protocol as u8;
    const PACKETS: u8 = Column::Packets as u8;
    const BYTES: u8 = Column::Bytes as u8;
    const START: u8 = Column::Start as u8;
    const END: u8 = Column::End as u8;
    const FLAGS: u8 = Column::TcpFlags as u8;
    match column {
        SKIP => Kind::Skipped,
        SRC | DST | PKT_SRC | PKT_DST => Kind::Address,
        SRC_PORT | DST_PORT | PROTOCOL | PACKETS | BYTES | START | END | FLAGS => Kind::Number,
        _ => Kind::Text,
    }
}

/// By column, and `SKIP` last.
const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Text; 256];
    let mut column = 0;
    while column < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let byte = column as u8;
        kinds[column] = kind(byte);
        column += 1;
    }
    kinds
};

/// Times from here on are no seconds; leave them to the long way.
const SECONDS_BELOW: u64 = 100_000_000_000;

/// A row of IPv4 traffic with every number there, or `None`.
#[inline]
pub(super) fn usual_row<'a>(format: &Format, line: &'a [u8]) -> Option<Line<'a>> {
    let mut numbers = [0u64; COLUMNS];
    let mut texts: [&[u8]; COLUMNS] = [b""; COLUMNS];
    let mut rest = line;
    for &column in format.plan() {
        let place = usize::from(column) % COLUMNS;
        rest = match KINDS[usize::from(column)] {
            Kind::Number => {
                let (value, rest) = number(rest)?;
                numbers[place] = value;
                rest
            }
            Kind::Address => {
                let (value, rest) = address(rest)?;
                numbers[place] = u64::from(value);
                rest
            }
            Kind::Text => {
                let (value, rest) = text(rest)?;
                texts[place] = value;
                rest
            }
            Kind::Skipped => text(rest)?.1,
        };
    }
    if !rest.is_empty() {
        return None;
    }
    let number = |column: Column| numbers[column as usize];
    let text = |column: Column| texts[column as usize];
    // A format without the column has the status of its rows in their addresses, which are here.
    if format.has(Column::LogStatus) && text(Column::LogStatus) != b"OK" {
        return None;
    }
    let (start, end) = (number(Column::Start), number(Column::End));
    if !format.has(Column::End) || end < start || end >= SECONDS_BELOW {
        return None;
    }
    let (src, src_rewritten) = end_of(format, &numbers, Column::SrcAddr, Column::PktSrcAddr);
    let (dst, dst_rewritten) = end_of(format, &numbers, Column::DstAddr, Column::PktDstAddr);
    let protocol = Protocol(u8::try_from(number(Column::Protocol)).ok()?);
    let (src_port, dst_port) = (
        u16::try_from(number(Column::SrcPort)).ok()?,
        u16::try_from(number(Column::DstPort)).ok()?,
    );
    let (src_port, dst_port) = if protocol.has_ports() {
        (src_port, dst_port)
    } else {
        (0, 0)
    };
    let flags = if protocol == Protocol::TCP {
        number(Column::TcpFlags) & 0xff
    } else {
        0
    };
    Some(Line::Row(Row {
        interface: if format.has(Column::InterfaceId) {
            text(Column::InterfaceId)
        } else {
            b"-"
        },
        src,
        dst,
        src_port,
        dst_port,
        protocol,
        packets: number(Column::Packets),
        bytes: number(Column::Bytes),
        start,
        end,
        accepted: match text(Column::Action) {
            b"ACCEPT" => true,
            b"REJECT" => false,
            _ => return None,
        },
        tcp_flags: u8::try_from(flags).ok()?,
        way: match text(Column::FlowDirection) {
            b"egress" => Way::Egress,
            b"ingress" => Way::Ingress,
            _ => Way::Unknown,
        },
        src_rewritten,
        dst_rewritten,
        src_service: service(text(Column::PktSrcService)),
        dst_service: service(text(Column::PktDstService)),
    }))
}

fn service(value: &[u8]) -> &[u8] {
    if value == b"-" { b"" } else { value }
}

/// An end's address in the packet, as far as the format tells, and whether the
/// interface shows another one.
fn end_of(
    format: &Format,
    numbers: &[u64; COLUMNS],
    shown: Column,
    packet: Column,
) -> (IpAddr, bool) {
    let address = |column: Column| {
        let bits = u32::try_from(numbers[column as usize]).unwrap_or_default();
        IpAddr::V4(Ipv4Addr::from_bits(bits))
    };
    match (format.has(shown), format.has(packet)) {
        (true, true) => (address(packet), address(shown) != address(packet)),
        (false, _) => (address(packet), false),
        (true, false) => (address(shown), false),
    }
}

/// What comes behind a value: one space and something, or the end.
fn behind(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [] => Some(rest),
        [b' ', more @ ..] if !matches!(more, [] | [b' ' | b'\t', ..]) => Some(more),
        _ => None,
    }
}

/// Digits that fit for sure.
fn number(line: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    let mut length = 0;
    for &byte in line {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value * 10 + u64::from(digit);
        length += 1;
        if length == 19 {
            return None;
        }
    }
    if length == 0 {
        return None;
    }
    Some((value, behind(&line[length..])?))
}

/// Four octets without leading zeros.
fn address(line: &[u8]) -> Option<(u32, &[u8])> {
    let (mut bits, mut octet, mut digits, mut dots, mut length) = (0u32, 0u32, 0, 0, 0);
    for &byte in line {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            if digits > 0 && octet == 0 {
                return None;
            }
            octet = octet * 10 + u32::from(digit);
            digits += 1;
            if digits > 3 {
                return None;
            }
        } else if byte == b'.' && digits > 0 && octet <= 255 && dots < 3 {
            bits = bits << 8 | octet;
            (octet, digits) = (0, 0);
            dots += 1;
        } else {
            break;
        }
        length += 1;
    }
    if dots != 3 || digits == 0 || octet > 255 {
        return None;
    }
    Some((bits << 8 | octet, behind(&line[length..])?))
}

fn text(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = line
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\t'))
        .unwrap_or(line.len());
    if length == 0 {
        return None;
    }
    Some((&line[..length], behind(&line[length..])?))
}

#[cfg(test)]
mod tests {
    use super::super::row::parse_slowly;
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => any::<[u8; 4]>().prop_map(|a| Ipv4Addr::from(a).to_string()),
            4 => any::<u16>().prop_map(|n| n.to_string()),
            1 => any::<u64>().prop_map(|n| n.to_string()),
            2 => prop::sample::select(vec!["ACCEPT", "REJECT", "OK", "NODATA", "-", "eni-1", "egress", "6", "17", "1", "::1", "007", "10.0.0.256", "1.2.3", "S3"]).prop_map(ToOwned::to_owned),
        ]
    }

    proptest! {
        /// Whatever the short way reads, the long way reads the same.
        #[test]
        fn both_ways_read_the_same(
            order in Just(super::super::FIELDS.iter().filter(|f| f.column.is_some()).map(|f| f.name).collect::<Vec<_>>()).prop_shuffle(),
            drop in 0usize..6,
            values in prop::collection::vec(value(), 10..30),
            usual in any::<bool>(),
            gap in prop::sample::select(vec![" ", " ", " ", "  ", "\t"]),
        ) {
            let names = &order[..order.len() - drop];
            let Ok(format) = Format::from_header(&names.join(" ")) else { return Ok(()) };
            let words: Vec<String> = names.iter().zip(values.iter().cycle()).map(|(name, value)| {
                let usual_value = match *name {
                    "action" => "ACCEPT",
                    "log-status" => "OK",
                    "protocol" => "6",
                    "start" => "1600000000",
                    "end" => "1600000058",
                    name if name.contains("addr") => "10.20.30.40",
                    name if name.contains("port") => "443",
                    "tcp-flags" | "packets" | "bytes" => "18",
                    _ => value,
                };
                if usual { usual_value.to_owned() } else { value.clone() }
            }).collect();
            let line = words.join(gap);
            if let Some(found) = usual_row(&format, line.as_bytes()) {
                prop_assert_eq!(parse_slowly(&format, line.as_bytes()), Ok(found), "{}", line);
            } else {
                prop_assert!(!usual || gap != " " || !format.has(Column::End), "{}", line);
            }
        }
    }
}
