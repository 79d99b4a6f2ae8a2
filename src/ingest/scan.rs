//! The way most lines go: where values end is found sixty-four bytes at a time, and what a
//! column needs is read eight bytes at a time.
//!
//! Values differ in length from line to line. A loop over their bytes ends where the processor
//! did not expect it, once a value; and where one value has to be read to know where the
//! next begins, none can be read beside another. So the ends are found first, for many
//! lines, and then nothing waits for anything.
//!
//! All of it is inlined always: left to itself the compiler makes calls of the smaller pieces, a
//! dozen for every row, and reading takes a tenth more. Compiled for BMI and AVX2 it takes no less.
//!
//! Everything that is not quite usual, IPv6, a missing value, a fault, is left to
//! [`super::row::parse_line`], which has the last word on every line; what is read here is
//! the same, which a test checks over random lines.

#![expect(clippy::inline_always, reason = "measured: benches/README.md")]

use std::net::{IpAddr, Ipv4Addr};

use wide::u8x16;

use super::fields::Column;
use super::format::Format;
use super::row::{LONGEST_LINE, Row, TIMES_BELOW, Way};
use crate::net::Protocol;

/// Where the values of some text end: at every space and control character, line ends
/// among them, and at the end of the text.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    places: Vec<u32>,
    count: usize,
}

/// Places that are written in one step, whether or not there are as many: lines of flow
/// logs rarely have more.
const AT_ONCE: usize = 12;

impl Gaps {
    /// Finds those of a text of less than 4 GiB.
    #[inline(always)]
    pub(super) fn find(&mut self, text: &[u8]) {
        let enough = text.len() + 2 + AT_ONCE;
        if self.places.len() < enough {
            self.places.resize(enough, 0);
        }
        // What begins behind the place before the first byte.
        self.places[0] = u32::MAX;
        self.count = 1;
        let (blocks, rest) = text.as_chunks::<64>();
        let mut base = 0;
        for block in blocks {
            self.note(marks(block), base);
            base += 64;
        }
        let mut last = [u8::MAX; 64];
        last[..rest.len()].copy_from_slice(rest);
        self.note(marks(&last), base);
        self.places[self.count] = u32::try_from(text.len()).expect("a text of less than 4 GiB");
        self.count += 1;
    }

    #[inline(always)]
    fn note(&mut self, mut marks: u64, base: u32) {
        let end = self.count + marks.count_ones() as usize;
        let places = self.places[self.count..]
            .first_chunk_mut::<AT_ONCE>()
            .expect("there is enough");
        for place in places {
            *place = base + marks.trailing_zeros();
            marks &= marks.wrapping_sub(1);
        }
        let mut at = self.count + AT_ONCE;
        while marks != 0 {
            self.places[at] = base + marks.trailing_zeros();
            marks &= marks - 1;
            at += 1;
        }
        self.count = end;
    }

    /// The places from one on, as many as there are values and one more.
    #[inline(always)]
    pub(super) fn line(&self, from: usize, values: usize) -> Option<&[u32]> {
        self.places[..self.count].get(from..=from + values)
    }

    /// The byte behind a place.
    #[inline(always)]
    pub(super) fn start_behind(&self, place: usize) -> usize {
        self.places[place].wrapping_add(1) as usize
    }

    /// The first place from one on behind which nothing comes before a byte of the text.
    pub(super) fn behind(&self, from: usize, byte: usize) -> usize {
        let places = self.places[from..self.count].iter();
        let before = places.take_while(|&&place| (place.wrapping_add(1) as usize) < byte);
        from + before.count()
    }
}

/// One bit for each byte that ends a value.
#[inline(always)]
fn marks(block: &[u8; 64]) -> u64 {
    let (quarters, _) = block.as_chunks::<16>();
    quarters.iter().rev().fold(0, |marks, &quarter| {
        let bytes = u8x16::new(quarter);
        let ends = bytes.min(u8x16::splat(b' ')).simd_eq(bytes);
        marks << 16 | u64::from(ends.to_bitmask())
    })
}

/// A line's text and where its values end; the first place is the one before the line.
#[derive(Clone, Copy)]
struct Values<'a, 'f> {
    format: &'f Format,
    text: &'a [u8],
    gaps: &'f [u32],
}

/// An address as it is written, up to fifteen bytes, and as bits.
#[derive(Clone, Copy)]
struct Known {
    text: u128,
    bits: u32,
}

/// The sender and the receiver of the row before: of the rows that AWS delivers, most have one of
/// its addresses.
pub(super) struct Before([Known; 2]);

impl Default for Before {
    /// No text has sixteen bytes.
    fn default() -> Self {
        let none = Known {
            text: u128::MAX,
            bits: 0,
        };
        Self([none; 2])
    }
}

/// The row whose values end at `gaps`, of which the first is the place before the line, if it
/// is one of IPv4 traffic with every number there; and how many places the line takes.
#[inline(always)]
pub(super) fn usual_row<'a>(
    format: &Format,
    text: &'a [u8],
    gaps: &[u32],
    before: &mut Before,
) -> Option<(Row<'a>, usize)> {
    let (&line, ends) = gaps.split_first()?;
    let (&last, others) = ends.split_last()?;
    // One space between values, and nothing else.
    let mut strange = false;
    let mut start = line.wrapping_add(1);
    for &end in others {
        strange |= end == start || text.get(end as usize) != Some(&b' ');
        start = end + 1;
    }
    strange |= last == start || (last - start) as usize > LONGEST_LINE;
    let places = match text.get(last as usize..)? {
        [] | [b'\n', ..] => ends.len(),
        [b'\r', b'\n', ..] => ends.len() + 1,
        _ => return None,
    };
    if strange {
        return None;
    }
    let values = Values { format, text, gaps };
    // A format without the column has the status of its rows in their addresses, which are here.
    if values
        .text(Column::LogStatus)
        .is_some_and(|status| status != b"OK")
    {
        return None;
    }
    let (start, end) = (values.number(Column::Start)?, values.number(Column::End)?);
    if end < start || end >= TIMES_BELOW {
        return None;
    }
    let Before([sender, receiver]) = *before;
    let (src, src_rewritten) =
        values.end(Column::SrcAddr, Column::PktSrcAddr, [sender, receiver])?;
    let (dst, dst_rewritten) =
        values.end(Column::DstAddr, Column::PktDstAddr, [receiver, sender])?;
    *before = Before([src, dst]);
    let protocol = Protocol(u8::try_from(values.number(Column::Protocol)?).ok()?);
    let port = |column| u16::try_from(values.number(column)?).ok();
    let (src_port, dst_port) = (port(Column::SrcPort)?, port(Column::DstPort)?);
    let (src_port, dst_port) = if protocol.has_ports() {
        (src_port, dst_port)
    } else {
        (0, 0)
    };
    let flags = values.number_or_zero(Column::TcpFlags)?;
    let flags = if protocol == Protocol::TCP {
        flags & 0xff
    } else {
        0
    };
    let row = Row {
        interface: values.text(Column::InterfaceId).unwrap_or(b"-"),
        src: IpAddr::V4(Ipv4Addr::from_bits(src.bits)),
        dst: IpAddr::V4(Ipv4Addr::from_bits(dst.bits)),
        src_port,
        dst_port,
        protocol,
        packets: values.number_or_zero(Column::Packets)?,
        bytes: values.number_or_zero(Column::Bytes)?,
        start,
        end,
        accepted: match values.text(Column::Action)? {
            b"ACCEPT" => true,
            b"REJECT" => false,
            _ => return None,
        },
        tcp_flags: u8::try_from(flags).ok()?,
        way: match values.text(Column::FlowDirection) {
            Some(b"egress") => Way::Egress,
            Some(b"ingress") => Way::Ingress,
            _ => Way::Unknown,
        },
        src_rewritten,
        dst_rewritten,
        src_service: values.service(Column::PktSrcService),
        dst_service: values.service(Column::PktDstService),
    };
    Some((row, places))
}

impl<'a> Values<'a, '_> {
    /// Where the value of a column begins and ends, if the format has it.
    #[inline(always)]
    fn place(&self, column: Column) -> Option<(usize, usize)> {
        let position = self.format.position(column)?;
        let (before, end) = (self.gaps.get(position)?, self.gaps.get(position + 1)?);
        Some((before.wrapping_add(1) as usize, *end as usize))
    }

    #[inline(always)]
    fn text(&self, column: Column) -> Option<&'a [u8]> {
        let (start, end) = self.place(column)?;
        self.text.get(start..end)
    }

    #[inline(always)]
    fn service(&self, column: Column) -> &'a [u8] {
        match self.text(column) {
            None | Some(b"-") => b"",
            Some(name) => name,
        }
    }

    #[inline(always)]
    fn number(&self, column: Column) -> Option<u64> {
        let (start, end) = self.place(column)?;
        number(self.text, start, end)
    }

    /// Zero if the format lacks the column.
    #[inline(always)]
    fn number_or_zero(&self, column: Column) -> Option<u64> {
        match self.place(column) {
            Some((start, end)) => number(self.text, start, end),
            None => Some(0),
        }
    }

    /// An end's address in the packet, as far as the format tells, and whether the
    /// interface shows another one.
    #[inline(always)]
    fn end(&self, shown: Column, packet: Column, before: [Known; 2]) -> Option<(Known, bool)> {
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

/// A byte in every byte of a word.
const fn bytes(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// So many bytes, the first the lowest; behind the end of the text there are zeros.
#[inline(always)]
fn load<const N: usize>(text: &[u8], at: usize) -> [u8; N] {
    let rest = text.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(bytes) => *bytes,
        None => load_last(rest),
    }
}

#[cold]
fn load_last<const N: usize>(rest: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..rest.len()].copy_from_slice(rest);
    bytes
}

/// The four bytes before a place; before the text there are zeros.
#[inline(always)]
fn load_before(text: &[u8], end: usize) -> [u8; 4] {
    let before = text.get(..end).unwrap_or_default();
    match before.last_chunk() {
        Some(bytes) => *bytes,
        None => load_first(before),
    }
}

#[cold]
fn load_first(before: &[u8]) -> [u8; 4] {
    let mut bytes = [0; 4];
    bytes[4 - before.len()..].copy_from_slice(before);
    bytes
}

/// The number that a word's first one to eight bytes are in decimal digits: moved to its end
/// behind zeros, then pairs, fours, and eight in one step each.
#[inline(always)]
fn digits(word: u64, length: usize) -> Option<u64> {
    const PAIRS: u64 = 10 << 8 | 1;
    const FOURS: u64 = 100 << 16 | 1;
    const EIGHT: u64 = 10_000 << 32 | 1;
    let digits = (word ^ bytes(b'0')) << (64 - 8 * length);
    // Above 9 the high bit is set, or gets set.
    if (digits.wrapping_add(bytes(0x76)) | digits) & bytes(0x80) != 0 {
        return None;
    }
    let pairs = digits.wrapping_mul(PAIRS) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(FOURS) >> 16 & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(EIGHT) >> 32)
}

/// A number of at most 15 digits.
///
/// Inlined everywhere: seven times a row, and calls took a third of it.
#[inline(always)]
fn number(text: &[u8], start: usize, end: usize) -> Option<u64> {
    const POWERS: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];
    let first = u64::from_le_bytes(load(text, start));
    let length = end - start;
    if length <= 8 {
        return digits(first, length);
    }
    let more = length - 8;
    let power = POWERS.get(more)?;
    let second = u64::from_le_bytes(load(text, start + 8));
    Some(digits(first, 8)? * power + digits(second, more)?)
}

/// [`address`], unless it is known.
#[inline(always)]
fn known_address(text: &[u8], start: usize, end: usize, known: [Known; 2]) -> Option<Known> {
    let length = end - start;
    if length > 15 {
        return None;
    }
    let value = u128::from_le_bytes(load(text, start)) & !(u128::MAX << (8 * length));
    let bits = match known.iter().find(|known| known.text == value) {
        Some(known) => known.bits,
        None => address(text, start, end)?,
    };
    Some(Known { text: value, bits })
}

/// Four octets without leading zeros, as bits. What has to hold of the whole is asked of all
/// its bytes at once, a bit for each; of an octet only its size is left.
#[inline(always)]
fn address(text: &[u8], start: usize, end: usize) -> Option<u32> {
    const LARGEST: u32 = 0x0002_0505;
    let length = end - start;
    if length > 15 {
        return None;
    }
    let digits = u8x16::new(load(text, start)) ^ u8x16::splat(b'0');
    let whole = (1 << length) - 1;
    let dots = digits.simd_eq(u8x16::splat(b'.' ^ b'0')).to_bitmask() & whole;
    let decimal = digits.min(u8x16::splat(9)).simd_eq(digits).to_bitmask() & whole;
    let zeros = digits.simd_eq(u8x16::splat(0)).to_bitmask();
    let begins = dots << 1 | 1;
    let ends = dots | 1 << length;
    let empty = begins & ends;
    let long = decimal & decimal >> 1 & decimal >> 2 & decimal >> 3;
    let leading_zero = begins & zeros & decimal >> 1;
    let others = (decimal | dots) ^ whole;
    if empty | long | leading_zero | others != 0 {
        return None;
    }
    let (mut bits, mut fits) = (0, true);
    let (mut from, mut left) = (0, ends);
    for _ in 0..4 {
        let to = left.trailing_zeros();
        left &= left.wrapping_sub(1);
        // Up to three digits, the ones highest, behind what comes before them. Read from the text
        // again: the processor waits when what was just stored is read in other pieces.
        let word = u32::from_le_bytes(load_before(text, start + to as usize)) ^ 0x3030_3030;
        let beside = 32_u32.wrapping_sub(to.wrapping_sub(from).wrapping_mul(8)) & 31;
        let octet = word >> beside << beside;
        fits &= octet.swap_bytes() <= LARGEST;
        let value = (octet >> 8).wrapping_mul(100 << 16 | 10 << 8 | 1) >> 16;
        bits = bits << 8 | value & 0xff;
        from = to + 1;
    }
    // Four octets, and nothing behind them.
    (fits && left == 0 && from as usize == length + 1).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::super::row::{Line, parse_line};
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
        /// What is not four octets without leading zeros is no address, whatever it is.
        #[test]
        fn addresses_are_read_as_the_library_reads_them(
            octets in prop::collection::vec(prop_oneof![3 => 0u32..300, 1 => any::<u32>()], 0..7),
            separator in prop::sample::select(vec![".", ".", ".", "..", "", ":", "/"]),
            front in prop::sample::select(vec!["", "", "0", ".", "-"]),
            behind in prop::sample::select(vec!["", "", ".", "x"]),
            next in prop::sample::select(vec!["", " ", " 1.2.3.4", "\n"]),
            before in "[12]{1,2}\\.[01]\\.[01]\\.[0-9]{1,3}",
        ) {
            let octets: Vec<String> = octets.iter().map(ToString::to_string).collect();
            let text = format!("{front}{}{behind}", octets.join(separator));
            let written = text.clone() + next;
            let read = address(written.as_bytes(), 0, text.len());
            prop_assert_eq!(read, text.parse().ok().map(Ipv4Addr::to_bits), "{}", text);
            // Whatever was in the row before.
            let none = Before::default().0;
            let before = known_address(before.as_bytes(), 0, before.len(), none).unwrap_or(none[0]);
            let same = known_address(written.as_bytes(), 0, text.len(), none).unwrap_or(none[0]);
            for known in [none, [before, same], [same, before]] {
                let known = known_address(written.as_bytes(), 0, text.len(), known);
                prop_assert_eq!(known.map(|known| known.bits), read, "{}", text);
            }
        }

        /// Whatever the short way reads, the long way reads the same.
        #[test]
        fn both_ways_read_the_same(
            order in Just(super::super::FIELDS.iter().filter(|f| f.column.is_some()).map(|f| f.name).collect::<Vec<_>>()).prop_shuffle(),
            drop in 0usize..6,
            values in prop::collection::vec(value(), 10..30),
            usual in any::<bool>(),
            gap in prop::sample::select(vec![" ", " ", " ", "  ", "\t"]),
            behind in prop::sample::select(vec!["", "\n", "\r\n", "\n2 more", "\n2 1 eni-1 1.2.3.4 5.6.7.8"]),
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
            let text = line.clone() + behind;
            let mut gaps = Gaps::default();
            gaps.find(text.as_bytes());
            let line_gaps = gaps.line(0, format.width());
            let mut before = Before::default();
            if let Some((row, places)) = line_gaps.and_then(|gaps| usual_row(&format, text.as_bytes(), gaps, &mut before)) {
                prop_assert_eq!(parse_line(&format, line.as_bytes()), Ok(Line::Row(row)), "{}", line);
                let again = line_gaps.and_then(|gaps| usual_row(&format, text.as_bytes(), gaps, &mut before));
                prop_assert_eq!(again, Some((row, places)), "{}", line);
                let next = line.len() + behind.find('\n').map_or(0, |end| end);
                prop_assert_eq!(gaps.places[places], u32::try_from(next).unwrap_or_default());
            } else {
                prop_assert!(!usual || gap != " " || !format.has(Column::End), "{}", line);
            }
        }
    }
}
