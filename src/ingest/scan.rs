//! The way most lines go: where values end is found sixty-four bytes at a time, and what a
//! column needs is read eight bytes at a time.
//!
//! Values differ in length from line to line. A loop over their bytes ends where the processor
//! did not expect it, once a value; and where one value has to be read to know where the
//! next begins, none can be read beside another. So the ends are found first, for many
//! lines, and then nothing waits for anything. What has to hold of every value is gathered in
//! one number and asked once a row.
//!
//! All of it is inlined always: left to itself the compiler makes calls of the smaller pieces, a
//! dozen for every row, and reading takes a tenth more.
//!
//! Everything that is not quite usual, IPv6, a missing value, a tab, a fault, is left to
//! [`super::row::parse_line`], which has the last word on every line; what is read here is
//! the same, which a test checks over random lines.

#![expect(clippy::inline_always, reason = "measured: benches/README.md")]

use std::net::{IpAddr, Ipv4Addr};

use pulp::{Arch, Simd, WithSimd};
use wide::u8x16;

use super::fields::{self, COLUMNS, Column};
use super::format::Format;
use super::row::{LONGEST_LINE, Row, TIMES_BELOW, Way};
use crate::net::Protocol;

/// Where values and lines end in some text that is nothing but values with one space or line end
/// behind each.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// Of values, behind that of none.
    values: Places,
    lines: Places,
}

/// Some places in a text, and room for more.
#[derive(Debug, Default)]
struct Places {
    places: Vec<u32>,
    count: usize,
}

/// Places that are written in one step, whether or not there are as many: lines of flow
/// logs rarely have more in sixty-four bytes.
const VALUES_AT_ONCE: usize = 12;
const LINES_AT_ONCE: usize = 2;

impl Places {
    /// Room for as many as there are bytes.
    fn clear(&mut self, bytes: usize) {
        let enough = bytes + 64 + VALUES_AT_ONCE;
        if self.places.len() < enough {
            self.places.resize(enough, 0);
        }
        self.count = 0;
    }

    /// Adds a place for each bit.
    #[inline(always)]
    fn note<const AT_ONCE: usize>(&mut self, mut bits: u64, base: u32) {
        let count = self.count;
        self.count += bits.count_ones() as usize;
        let places = self.places[count..]
            .first_chunk_mut::<64>()
            .expect("there is enough");
        for place in &mut places[..AT_ONCE] {
            *place = base + bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
        }
        let mut at = AT_ONCE;
        while bits != 0 {
            places[at % 64] = base + bits.trailing_zeros();
            bits &= bits - 1;
            at += 1;
        }
    }

    #[inline(always)]
    fn all(&self) -> &[u32] {
        &self.places[..self.count]
    }
}

impl Gaps {
    /// Finds those of a text of whole lines and less than 4 GiB, if it is one of that kind.
    pub(super) fn find(&mut self, text: &[u8]) -> bool {
        Arch::new().dispatch(Find { gaps: self, text })
    }

    #[inline(always)]
    fn find_all(&mut self, text: &[u8]) -> bool {
        let others = text.iter().fold(0, |others, &byte| {
            others | u8::from(byte < b' ' && byte != b'\n')
        });
        let Self { values, lines } = self;
        values.clear(text.len());
        lines.clear(text.len());
        // What begins behind the place before the first byte.
        values.places[0] = u32::MAX;
        values.count = 1;
        // The bit of the byte before, and those of bytes that end a value that is empty.
        let (mut before, mut empty) = (1, 0);
        let (blocks, rest) = text.as_chunks::<64>();
        let mut last = [u8::MAX; 64];
        last[..rest.len()].copy_from_slice(rest);
        for number in 0..=blocks.len() {
            let block = blocks.get(number).unwrap_or(&last);
            let ends = marks(block, |bytes| bytes.min(u8x16::splat(b' ')).simd_eq(bytes));
            let breaks = marks(block, |bytes| bytes.simd_eq(u8x16::splat(b'\n')));
            empty |= ends & (ends << 1 | before);
            before = ends >> 63;
            let base = u32::try_from(number * 64).expect("a text of less than 4 GiB");
            values.note::<VALUES_AT_ONCE>(ends, base);
            lines.note::<LINES_AT_ONCE>(breaks, base);
        }
        empty == 0 && others == 0
    }

    /// Where lines end.
    #[inline(always)]
    pub(super) fn lines(&self) -> &[u32] {
        self.lines.all()
    }

    /// The ends from one on, as many as there are values and one more.
    #[inline(always)]
    fn line(&self, from: usize, values: usize) -> Option<&[u32]> {
        self.values.all().get(from..=from + values)
    }

    /// The end, from one on, that is that of a line.
    pub(super) fn behind(&self, from: usize, line: u32) -> usize {
        let ends = self.values.all()[from..].iter();
        from + ends.take_while(|&&end| end != line).count()
    }
}

/// [`Gaps::find`], for whatever processor there is: newer ones count and find bits in one step.
struct Find<'g, 't> {
    gaps: &'g mut Gaps,
    text: &'t [u8],
}

impl WithSimd for Find<'_, '_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> bool {
        self.gaps.find_all(self.text)
    }
}

/// One bit for each byte of which something holds.
#[inline(always)]
fn marks(block: &[u8; 64], holds: impl Fn(u8x16) -> u8x16) -> u64 {
    let (quarters, _) = block.as_chunks::<16>();
    let quarters = quarters.iter().rev();
    quarters.fold(0, |all, &quarter| {
        all << 16 | u64::from(holds(u8x16::new(quarter)).to_bitmask())
    })
}

/// Where in a line the columns are.
pub(super) trait Positions {
    /// How many values a line has.
    fn width(&self) -> usize;
    /// The position of a column, if lines have it.
    fn position(&self, column: Column) -> Option<usize>;
}

impl Positions for Format {
    #[inline(always)]
    fn width(&self) -> usize {
        self.width()
    }

    #[inline(always)]
    fn position(&self, column: Column) -> Option<usize> {
        self.position(column)
    }
}

/// The default format, which most flow logs have: where its columns are is known when this program
/// is compiled, and reading a row takes a third less.
pub(super) struct DefaultFormat;

impl Positions for DefaultFormat {
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

/// Text of which some bytes at a place are wanted, the first the lowest; behind its end there are zeros.
pub(super) trait Text<'a>: Copy {
    fn load<const N: usize>(self, at: usize) -> [u8; N];

    /// The text from its beginning.
    fn all(self) -> &'a [u8];
}

impl<'a> Text<'a> for &'a [u8] {
    #[inline(always)]
    fn load<const N: usize>(self, at: usize) -> [u8; N] {
        let rest = self.get(at..).unwrap_or_default();
        match rest.first_chunk() {
            Some(bytes) => *bytes,
            None => load_last(rest),
        }
    }

    #[inline(always)]
    fn all(self) -> &'a [u8] {
        self
    }
}

/// A short line, and what can be read behind any of its bytes without asking whether it is there: asking takes
/// a sixth of the time of a row.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    text: &'a [u8],
    start: usize,
    bytes: &'a [u8; SHORT + LOADED],
}

/// Lines of the default format are shorter.
const SHORT: usize = 256;

/// The most bytes that are read at once.
const LOADED: usize = 16;

impl<'a> Line<'a> {
    /// The line that begins and ends at some places, if it is short and enough text is behind it.
    #[inline(always)]
    pub(super) fn of(text: &'a [u8], start: usize, end: u32) -> Option<Self> {
        let bytes = text.get(start..)?.first_chunk()?;
        (end as usize - start < SHORT).then_some(Self { text, start, bytes })
    }
}

impl<'a> Text<'a> for Line<'a> {
    #[inline(always)]
    fn load<const N: usize>(self, at: usize) -> [u8; N] {
        const { assert!(N <= LOADED) }
        let place = at.wrapping_sub(self.start) % SHORT;
        *self.bytes[place..]
            .first_chunk()
            .expect("that much is behind")
    }

    #[inline(always)]
    fn all(self) -> &'a [u8] {
        self.text
    }
}

/// A line's text and where its values end; the first place is the one before the line.
#[derive(Clone, Copy)]
struct Values<'f, P, T> {
    format: &'f P,
    text: T,
    ends: &'f [u32],
}

/// An address as it is written, up to fifteen bytes, and as bits.
#[derive(Clone, Copy)]
struct Known {
    text: u128,
    bits: u32,
}

/// The first eight digits of a time, and what they say.
#[derive(Clone, Copy, Default)]
struct Hundreds {
    text: u64,
    seconds: u64,
}

/// What the row before says: of the rows that AWS delivers, most have one of its addresses, and the time
/// is as good as the same.
#[derive(Clone, Copy)]
pub(super) struct Before {
    /// The sender and the receiver.
    ends: [Known; 2],
    /// Of the start and the end.
    times: [Hundreds; 2],
}

impl Default for Before {
    /// No text has sixteen bytes, or a zero in it.
    fn default() -> Self {
        let none = Known {
            text: u128::MAX,
            bits: 0,
        };
        Self {
            ends: [none; 2],
            times: [Hundreds::default(); 2],
        }
    }
}

/// The row of the line that ends at a place, whose values end from `first` on, if it is one of IPv4 traffic with
/// every number there.
#[inline(always)]
pub(super) fn usual_row<'a>(
    format: &impl Positions,
    text: impl Text<'a>,
    gaps: &Gaps,
    (first, line): (usize, u32),
    before: &mut Before,
) -> Option<Row<'a>> {
    let ends = gaps.line(first, format.width())?;
    let is_long = line.wrapping_sub(ends[0]) as usize > LONGEST_LINE;
    if ends[format.width()] != line || is_long {
        return None;
    }
    let values = Values { format, text, ends };
    let Before {
        ends: [sender, receiver],
        times: [started, ended],
    } = *before;
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
        interface: values.text(Column::InterfaceId).unwrap_or(b"-"),
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
            Some(b"egress") => Way::Egress,
            Some(b"ingress") => Way::Ingress,
            _ => Way::Unknown,
        },
        src_rewritten,
        dst_rewritten,
        src_service: values.service(Column::PktSrcService),
        dst_service: values.service(Column::PktDstService),
    };
    if !faults.are_none() {
        return None;
    }
    *before = Before {
        ends: [src, dst],
        times: [started, ended],
    };
    Some(row)
}

/// What is wrong with the values of a row.
#[derive(Default)]
struct Faults(u64);

impl Faults {
    #[inline(always)]
    fn unless(&mut self, holds: bool) {
        self.0 |= u64::from(!holds) << 63;
    }

    /// Whatever has the high bit of a byte set is one.
    #[inline(always)]
    const fn are_none(&self) -> bool {
        self.0 & bytes(0x80) == 0
    }
}

impl<'a, P: Positions, T: Text<'a>> Values<'_, P, T> {
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
        let two = u16::from_le_bytes(self.text.load(start + 8)) ^ u16::from_le_bytes(*b"00");
        faults.0 |= u64::from(two.wrapping_add(0x7676) | two);
        let rest = (two & 0xff) * 10 + (two >> 8);
        (hundreds.seconds + u64::from(rest), hundreds)
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

/// A short text as [`word`] reads it.
const fn literal<const N: usize>(text: &[u8; N]) -> u64 {
    let (mut word, mut at) = (0, N);
    while at > 0 {
        at -= 1;
        word = word << 8 | text[at] as u64;
    }
    word
}

/// A value of one to eight bytes, the first the lowest.
#[inline(always)]
fn word<'a>(text: impl Text<'a>, (start, end): (usize, usize)) -> Option<u64> {
    let length = end - start;
    let behind = 64_usize.wrapping_sub(8 * length) & 63;
    (length <= 8).then(|| u64::from_le_bytes(text.load(start)) << behind >> behind)
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

/// The number that the first one to eight of some bytes are in decimal digits: moved to the end
/// behind zeros, then pairs, fours, and eight in one step each.
#[inline(always)]
fn digits(word: [u8; 8], length: usize, faults: &mut Faults) -> u64 {
    const PAIRS: u64 = 10 << 8 | 1;
    const FOURS: u64 = 100 << 16 | 1;
    const EIGHT: u64 = 10_000 << 32 | 1;
    let behind = 64_usize.wrapping_sub(8 * length) & 63;
    let digits = (u64::from_le_bytes(word) ^ bytes(b'0')) << behind;
    // Above 9 the high bit is set, or gets set.
    faults.0 |= digits.wrapping_add(bytes(0x76)) | digits;
    let pairs = digits.wrapping_mul(PAIRS) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(FOURS) >> 16 & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(EIGHT) >> 32
}

/// A number of at most 15 digits.
#[inline(always)]
fn number<'a>(text: impl Text<'a>, (start, end): (usize, usize), faults: &mut Faults) -> u64 {
    const POWERS: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];
    let length = end - start;
    if length <= 8 {
        return digits(text.load(start), length, faults);
    }
    let more = length - 8;
    let Some(power) = POWERS.get(more) else {
        faults.unless(false);
        return 0;
    };
    let most = digits(text.load(start), 8, faults);
    // A damaged number need not fit; it is a fault all the same.
    most.wrapping_mul(*power)
        .wrapping_add(digits(text.load(start + 8), more, faults))
}

/// [`address`], unless it is known.
#[inline(always)]
fn known_address<'a>(
    text: impl Text<'a>,
    start: usize,
    end: usize,
    known: [Known; 2],
) -> Option<Known> {
    let length = end - start;
    if length > 15 {
        return None;
    }
    let value = u128::from_le_bytes(text.load(start)) & FIRST[length];
    let bits = match known.iter().find(|known| known.text == value) {
        Some(known) => known.bits,
        None => address(text, start, end)?,
    };
    Some(Known { text: value, bits })
}

/// So many of the lowest bytes of sixteen.
const FIRST: [u128; 16] = {
    let (mut masks, mut length) = ([0; 16], 1);
    while length < 16 {
        masks[length] = masks[length - 1] << 8 | 0xff;
        length += 1;
    }
    masks
};

/// Four octets without leading zeros, as bits. What has to hold of the whole is asked of all
/// its bytes at once, a bit for each; of an octet only its size is left.
#[inline(always)]
fn address<'a>(text: impl Text<'a>, start: usize, end: usize) -> Option<u32> {
    const LARGEST: u32 = 0x0002_0505;
    let length = end - start;
    if length > 15 {
        return None;
    }
    let digits = u8x16::new(text.load(start)) ^ u8x16::splat(b'0');
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
        let word = u32::from_le_bytes(load_before(text.all(), start + to as usize)) ^ 0x3030_3030;
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
    use super::super::row::{self, parse_line};
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
            let none = Before::default().ends;
            let before = known_address(before.as_bytes(), 0, before.len(), none).unwrap_or(none[0]);
            let same = known_address(written.as_bytes(), 0, text.len(), none).unwrap_or(none[0]);
            for known in [none, [before, same], [same, before]] {
                let known = known_address(written.as_bytes(), 0, text.len(), known);
                prop_assert_eq!(known.map(|known| known.bits), read, "{}", text);
            }
        }

        /// Whatever the short way reads, the long way reads the same, whatever stood in the row before.
        #[test]
        fn both_ways_read_the_same(
            order in Just(super::super::FIELDS.iter().filter(|f| f.column.is_some()).map(|f| f.name).collect::<Vec<_>>()).prop_shuffle(),
            drop in 0usize..6,
            is_default in any::<bool>(),
            lines in prop::collection::vec((prop::collection::vec(value(), 10..30), 0..3u8, any::<u8>()), 1..5),
            gap in prop::sample::select(vec![" ", " ", " ", " ", " ", " ", "  ", "\t"]),
            behind in prop::sample::select(vec!["\n", "\n", "\n", "\r\n", "\n\n", "\n2 more\n", "\n2 1 eni-1 1.2.3.4 5.6.7.8\n"]),
        ) {
            let names = match is_default {
                true => fields::DEFAULT.split(' ').collect(),
                false => order[..order.len() - drop].to_vec(),
            };
            let Ok(format) = Format::from_header(&names.join(" ")) else { return Ok(()) };
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
            let mut gaps = Gaps::default();
            let plain = gaps.find(text);
            let is_plain = text.split(|&b| b == b'\n').rev().skip(1).all(|line| {
                line.split(|&b| b == b' ').all(|value| !value.is_empty() && value.iter().all(|&b| b > b' '))
            });
            prop_assert_eq!(plain, is_plain);
            if !plain {
                return Ok(());
            }
            let lengths = text.split_inclusive(|&b| b == b'\n').map(<[u8]>::len);
            let ends: Vec<u32> = lengths.scan(0, |end, length| { *end += length; Some(u32::try_from(*end - 1).unwrap()) }).collect();
            prop_assert_eq!(gaps.lines(), &ends);
            let padded = [text, &[b'7'; SHORT + LOADED]].concat();
            let (mut start, mut gap, mut before) = (0, 0, Before::default());
            for &end in &ends {
                let line = &text[start..end as usize];
                let mut others = [before; 3];
                let row = usual_row(&format, text, &gaps, (gap, end), &mut before);
                // The same of the line alone, and of a format whose columns are known.
                let alone = Line::of(&padded, start, end);
                prop_assert_eq!(alone.is_some(), line.len() < SHORT);
                if let Some(alone) = alone {
                    prop_assert_eq!(usual_row(&format, alone, &gaps, (gap, end), &mut others[0]), row);
                    if is_default {
                        prop_assert_eq!(usual_row(&DefaultFormat, alone, &gaps, (gap, end), &mut others[1]), row);
                    }
                }
                if is_default {
                    prop_assert_eq!(usual_row(&DefaultFormat, text, &gaps, (gap, end), &mut others[2]), row);
                }
                let read = parse_line(&format, line);
                if let Some(row) = row {
                    prop_assert_eq!(read, Ok(row::Line::Row(row)), "{}", String::from_utf8_lossy(line));
                } else if let Ok(row::Line::Row(_)) = read {
                    // What is left to the long way although it is a row has something unusual about it.
                    let all_usual = lines.iter().all(|(_, kind, _)| *kind == 0);
                    prop_assert!(!all_usual || !format.has(Column::End), "{}", String::from_utf8_lossy(line));
                }
                gap = gaps.behind(gap, end);
                start = end as usize + 1;
            }
        }
    }
}
