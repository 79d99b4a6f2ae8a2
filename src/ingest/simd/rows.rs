//! The fast path: the values of a plain line, read eight bytes at a time.
//!
//! Values differ in length. A loop over the bytes of each costs a mispredicted branch per value, and each value has to be
//! read before the next is found. With the delimiters known, all values of a line are read independently, and their checks
//! are collected in one number that is tested once a row.
//!
//! Everything is always inlined: otherwise the compiler makes a dozen calls for every row, and reading takes a tenth longer.
//!
//! IPv6, a missing value, a tab or a fault takes the slow path, [`crate::ingest::row::parse_line`]. A test over random
//! lines compares the two.

#![expect(clippy::inline_always, reason = "measured: benches/README.md")]

use std::net::{IpAddr, Ipv4Addr};

use super::delimiters::Delimiters;
use super::values::{
    Faults, KnownAddress, Text, digits, known_address, literal, number, two_digits, word,
};
use crate::ingest::fields::{self, COLUMNS, Column};
use crate::ingest::format::LogFormat;
use crate::ingest::row::{LONGEST_LINE, PacketDirection, Row, TIMES_BELOW};
use crate::net::Protocol;

/// The positions of the columns in a line.
pub(in crate::ingest) trait ColumnPositions {
    /// How many values a line has.
    fn width(&self) -> usize;
    /// The position of a column, if lines have it.
    fn position(&self, column: Column) -> Option<usize>;
}

impl ColumnPositions for LogFormat {
    #[inline(always)]
    fn width(&self) -> usize {
        self.width()
    }

    #[inline(always)]
    fn position(&self, column: Column) -> Option<usize> {
        self.position(column)
    }
}

/// The default format, which most flow logs have. Its positions are constants.
pub(in crate::ingest) struct DefaultFormat;

impl ColumnPositions for DefaultFormat {
    #[inline(always)]
    fn width(&self) -> usize {
        fields::DEFAULT_WIDTH
    }

    #[inline(always)]
    fn position(&self, column: Column) -> Option<usize> {
        const POSITIONS: [Option<usize>; COLUMNS] = fields::default_positions();
        POSITIONS[column as usize]
    }
}

/// A line's text and where its values end; the first place is the one before the line.
#[derive(Clone, Copy)]
struct Values<'f, P, T> {
    format: &'f P,
    text: T,
    ends: &'f [u32],
}

/// The first eight digits of a time, and what they say.
#[derive(Clone, Copy, Default)]
struct Hundreds {
    text: u64,
    seconds: u64,
}

/// Values of the previous row. Most rows that AWS delivers share an address with it, and nearly the whole time.
#[derive(Clone, Copy)]
pub(in crate::ingest) struct PreviousRow {
    /// The sender and the receiver.
    ends: [KnownAddress; 2],
    /// Of the start and the end.
    times: [Hundreds; 2],
}

impl Default for PreviousRow {
    /// No text has a zero in it.
    fn default() -> Self {
        Self {
            ends: [KnownAddress::NONE; 2],
            times: [Hundreds::default(); 2],
        }
    }
}

/// The row of the line that ends at a place, whose values end from `first` on, if it is one of IPv4 traffic with
/// every number there.
#[inline(always)]
pub(in crate::ingest) fn fast_row<'a>(
    format: &impl ColumnPositions,
    text: impl Text<'a>,
    delimiters: &Delimiters,
    (first, line): (usize, u32),
    previous: &mut PreviousRow,
) -> Option<Row<'a>> {
    let ends = delimiters.line(first, format.width())?;
    let is_long = line.wrapping_sub(ends[0]) as usize > LONGEST_LINE;
    if ends[format.width()] != line || is_long {
        return None;
    }
    let values = Values { format, text, ends };
    let PreviousRow {
        ends: [sender, receiver],
        times: [started, ended],
    } = *previous;
    let (src, src_rewritten) =
        values.end(Column::SrcAddr, Column::PktSrcAddr, [sender, receiver])?;
    let (dst, dst_rewritten) =
        values.end(Column::DstAddr, Column::PktDstAddr, [receiver, sender])?;
    let mut faults = Faults::default();
    let faults = &mut faults;
    // A format without the column has the status of its rows in their addresses, which are here.
    let status = values.place(Column::LogStatus);
    faults.unless(status.is_none_or(|place| word(text, place) == Some(literal(b"OK"))));
    let (start, started) = values.time(Column::Start, started, faults);
    let (end, ended) = values.time(Column::End, ended, faults);
    faults.unless(start <= end && end < TIMES_BELOW);
    let protocol = Protocol(values.small(Column::Protocol, faults).try_into().ok()?);
    let src_port = values.small(Column::SrcPort, faults).try_into().ok()?;
    let dst_port = values.small(Column::DstPort, faults).try_into().ok()?;
    let (src_port, dst_port) = if protocol.has_ports() {
        (src_port, dst_port)
    } else {
        (0, 0)
    };
    let flags = values.number(Column::TcpFlags, faults) & 0xff;
    let flags = if protocol == Protocol::TCP { flags } else { 0 };
    let action = word(text, values.place(Column::Action)?);
    let accepted = action == Some(literal(b"ACCEPT"));
    faults.unless(accepted || action == Some(literal(b"REJECT")));
    let row = Row {
        interface: values.recorder(),
        src: IpAddr::V4(Ipv4Addr::from_bits(src.bits)),
        dst: IpAddr::V4(Ipv4Addr::from_bits(dst.bits)),
        src_port,
        dst_port,
        protocol,
        packets: values.number(Column::Packets, faults),
        bytes: values.number(Column::Bytes, faults),
        start,
        end,
        accepted,
        tcp_flags: u8::try_from(flags).ok()?,
        way: match values.text(Column::FlowDirection) {
            Some(b"egress") => PacketDirection::Egress,
            Some(b"ingress") => PacketDirection::Ingress,
            _ => PacketDirection::Unknown,
        },
        src_rewritten,
        dst_rewritten,
        src_service: values.service(Column::PktSrcService),
        dst_service: values.service(Column::PktDstService),
    };
    if !faults.are_none() {
        return None;
    }
    *previous = PreviousRow {
        ends: [src, dst],
        times: [started, ended],
    };
    Some(row)
}

impl<'a, P: ColumnPositions, T: Text<'a>> Values<'_, P, T> {
    /// Where the value of a column begins and ends, if the format has it.
    #[inline(always)]
    fn place(&self, column: Column) -> Option<(usize, usize)> {
        let position = self.format.position(column)?;
        let (before, end) = (self.ends[position], self.ends[position + 1]);
        Some((before.wrapping_add(1) as usize, end as usize))
    }

    #[inline(always)]
    fn text(&self, column: Column) -> Option<&'a [u8]> {
        let (start, end) = self.place(column)?;
        self.text.all().get(start..end)
    }

    /// The interface, or the resource where the line names no interface.
    #[inline(always)]
    fn recorder(&self) -> &'a [u8] {
        match self.text(Column::InterfaceId) {
            None | Some(b"-") => self.text(Column::ResourceId).unwrap_or(b"-"),
            Some(interface) => interface,
        }
    }

    #[inline(always)]
    fn service(&self, column: Column) -> &'a [u8] {
        match self.text(column) {
            None | Some(b"-") => b"",
            Some(name) => name,
        }
    }

    /// A number of at most 15 digits; zero if the format lacks the column.
    #[inline(always)]
    fn number(&self, column: Column, faults: &mut Faults) -> u64 {
        let Some(place) = self.place(column) else {
            return 0;
        };
        number(self.text, place, faults)
    }

    /// The same of at most eight digits; its absence is a fault.
    #[inline(always)]
    fn small(&self, column: Column, faults: &mut Faults) -> u64 {
        let Some((start, end)) = self.place(column) else {
            faults.unless(false);
            return 0;
        };
        faults.unless(end - start <= 8);
        digits(self.text.load(start), end - start, faults)
    }

    /// The same of Unix seconds, which have ten digits until the year 2286; and the first eight of them, which
    /// are known if they are those of the row before.
    #[inline(always)]
    fn time(&self, column: Column, before: Hundreds, faults: &mut Faults) -> (u64, Hundreds) {
        let Some((start, end)) = self.place(column) else {
            faults.unless(false);
            return (0, before);
        };
        if end - start != 10 {
            return (number(self.text, (start, end), faults), before);
        }
        let first: [u8; 8] = self.text.load(start);
        let text = u64::from_le_bytes(first);
        let hundreds = if text == before.text {
            before
        } else {
            let seconds = digits(first, 8, faults) * 100;
            Hundreds { text, seconds }
        };
        let rest = two_digits(self.text.load(start + 8), faults);
        (hundreds.seconds + rest, hundreds)
    }

    /// An end's address in the packet, as far as the format tells, and whether the
    /// interface shows another one.
    #[inline(always)]
    fn end(
        &self,
        shown: Column,
        packet: Column,
        before: [KnownAddress; 2],
    ) -> Option<(KnownAddress, bool)> {
        let address = |(start, end)| known_address(self.text, start, end, before);
        // An address that the interface shows and that is none makes the line unusual too.
        let shown = match self.place(shown) {
            Some(place) => Some(address(place)?),
            None => None,
        };
        match (shown, self.place(packet)) {
            (shown, Some(place)) => {
                let packet = address(place)?;
                Some((packet, shown.is_some_and(|shown| shown.bits != packet.bits)))
            }
            (shown, None) => Some((shown?, false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::{LOADED, SHORT, ShortLine};
    use super::*;
    use crate::ingest::row::{self, parse_line};
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
        /// The slow path reads whatever the fast path reads, and the same, whatever the previous row was.
        #[test]
        fn both_ways_read_the_same(
            order in Just(crate::ingest::FIELDS.iter().filter(|f| f.column.is_some()).map(|f| f.name).collect::<Vec<_>>()).prop_shuffle(),
            drop in 0usize..6,
            is_default in any::<bool>(),
            lines in prop::collection::vec((prop::collection::vec(value(), 10..30), 0..3u8, any::<u8>()), 1..5),
            gap in prop::sample::select(vec![" ", " ", " ", " ", " ", " ", "  ", "\t"]),
            behind in prop::sample::select(vec!["\n", "\n", "\n", "\r\n", "\n\n", "\n2 more\n", "\n2 1 eni-1 1.2.3.4 5.6.7.8\n"]),
        ) {
            let names = if is_default {
                fields::DEFAULT.split(' ').collect()
            } else {
                order[..order.len() - drop].to_vec()
            };
            let Ok(format) = LogFormat::from_header(&names.join(" ")) else { return Ok(()) };
            let usual = |name: &str, value: &str, number: u8| match name {
                "action" => "ACCEPT".to_owned(),
                "log-status" => "OK".to_owned(),
                "protocol" => "6".to_owned(),
                "start" => format!("16000000{:02}", number % 100),
                "end" => format!("160000{:04}", 100 + u16::from(number)),
                name if name.contains("addr") => format!("10.20.30.{}", number % 3),
                name if name.contains("port") => "443".to_owned(),
                "tcp-flags" | "packets" | "bytes" => "18".to_owned(),
                _ => value.to_owned(),
            };
            let mut text = String::new();
            for (values, kind, number) in &lines {
                let words = names.iter().zip(values.iter().cycle());
                // One value of an unusual line may be usual, or all but one.
                let words = words.enumerate().map(|(at, (name, value))| {
                    let is_usual = match kind {
                        0 => true,
                        1 => at != usize::from(*number) % names.len(),
                        _ => at == usize::from(*number) % names.len(),
                    };
                    if is_usual { usual(name, value, *number) } else { value.clone() }
                });
                text += &(words.collect::<Vec<_>>().join(gap) + behind);
            }
            let text = text.as_bytes();
            let mut delimiters = Delimiters::default();
            let plain = delimiters.find(text);
            let is_plain = text.split(|&b| b == b'\n').rev().skip(1).all(|line| {
                line.split(|&b| b == b' ').all(|value| !value.is_empty() && value.iter().all(|&b| b > b' '))
            });
            prop_assert_eq!(plain, is_plain);
            if !plain {
                return Ok(());
            }
            let lengths = text.split_inclusive(|&b| b == b'\n').map(<[u8]>::len);
            let ends: Vec<u32> = lengths.scan(0, |end, length| { *end += length; Some(u32::try_from(*end - 1).unwrap()) }).collect();
            prop_assert_eq!(delimiters.lines(), &ends);
            let padded = [text, &[b'7'; SHORT + LOADED]].concat();
            let (mut start, mut gap, mut before) = (0, 0, PreviousRow::default());
            for &end in &ends {
                let line = &text[start..end as usize];
                let mut others = [before; 3];
                let row = fast_row(&format, text, &delimiters, (gap, end), &mut before);
                // The same of the line alone, and of a format whose columns are known.
                let alone = ShortLine::of(&padded, start, end);
                prop_assert_eq!(alone.is_some(), line.len() < SHORT);
                if let Some(alone) = alone {
                    prop_assert_eq!(fast_row(&format, alone, &delimiters, (gap, end), &mut others[0]), row);
                    if is_default {
                        prop_assert_eq!(fast_row(&DefaultFormat, alone, &delimiters, (gap, end), &mut others[1]), row);
                    }
                }
                if is_default {
                    prop_assert_eq!(fast_row(&DefaultFormat, text, &delimiters, (gap, end), &mut others[2]), row);
                }
                let read = parse_line(&format, line);
                if let Some(row) = row {
                    prop_assert_eq!(read, Ok(row::Line::Row(row)), "{}", String::from_utf8_lossy(line));
                } else if let Ok(row::Line::Row(_)) = read {
                    // A row that is left to the slow path has something unusual about it.
                    let all_usual = lines.iter().all(|(_, kind, _)| *kind == 0);
                    prop_assert!(!all_usual || !format.has(Column::End), "{}", String::from_utf8_lossy(line));
                }
                gap = delimiters.behind(gap, end);
                start = end as usize + 1;
            }
        }
    }
}
