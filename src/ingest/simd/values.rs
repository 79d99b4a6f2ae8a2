//! Values of a text, read eight and sixteen bytes at a time.
#![expect(clippy::inline_always, reason = "measured: benches/README.md")]

use wide::u8x16;

/// Text of which some bytes at a place are wanted, the first the lowest; behind its end there are zeros.
pub(in crate::ingest) trait Text<'a>: Copy {
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

/// A short line, and what can be read behind any of its bytes without asking whether it is there: asking is an
/// eighth of a row's instructions.
#[derive(Clone, Copy)]
pub(in crate::ingest) struct ShortLine<'a> {
    text: &'a [u8],
    start: usize,
    bytes: &'a [u8; SHORT + LOADED],
}

/// Lines of the default format are shorter.
pub(in crate::ingest) const SHORT: usize = 256;

/// The most bytes that are read at once.
pub(in crate::ingest) const LOADED: usize = 16;

impl<'a> ShortLine<'a> {
    /// The line that begins and ends at some places, if it is short and enough text is behind it.
    #[inline(always)]
    pub(in crate::ingest) fn of(text: &'a [u8], start: usize, end: u32) -> Option<Self> {
        let bytes = text.get(start..)?.first_chunk()?;
        (end as usize - start < SHORT).then_some(Self { text, start, bytes })
    }
}

impl<'a> Text<'a> for ShortLine<'a> {
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

/// What is wrong with the values of a row.
#[derive(Default)]
pub(in crate::ingest) struct Faults(u64);

impl Faults {
    #[inline(always)]
    pub(in crate::ingest) fn unless(&mut self, holds: bool) {
        self.0 |= u64::from(!holds) << 63;
    }

    /// Whatever has the high bit of a byte set is one.
    #[inline(always)]
    pub(in crate::ingest) const fn are_none(&self) -> bool {
        self.0 & bytes(0x80) == 0
    }
}

/// An address as it is written, up to fifteen bytes, and as bits.
#[derive(Clone, Copy)]
pub(in crate::ingest) struct KnownAddress {
    text: u128,
    pub(in crate::ingest) bits: u32,
}

impl KnownAddress {
    /// No address: no text has sixteen bytes.
    pub(in crate::ingest) const NONE: Self = Self {
        text: u128::MAX,
        bits: 0,
    };
}

/// A byte in every byte of a word.
const fn bytes(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// A short text as [`word`] reads it.
pub(in crate::ingest) const fn literal<const N: usize>(text: &[u8; N]) -> u64 {
    let (mut word, mut at) = (0, N);
    while at > 0 {
        at -= 1;
        word = word << 8 | text[at] as u64;
    }
    word
}

/// A value of one to eight bytes, the first the lowest.
#[inline(always)]
pub(in crate::ingest) fn word<'a>(
    text: impl Text<'a>,
    (start, end): (usize, usize),
) -> Option<u64> {
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
pub(in crate::ingest) fn digits(word: [u8; 8], length: usize, faults: &mut Faults) -> u64 {
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

/// The same of two digits.
#[inline(always)]
pub(in crate::ingest) fn two_digits(text: [u8; 2], faults: &mut Faults) -> u64 {
    let digits = u16::from_le_bytes(text) ^ u16::from_le_bytes(*b"00");
    faults.0 |= u64::from(digits.wrapping_add(0x7676) | digits);
    u64::from((digits & 0xff) * 10 + (digits >> 8))
}

/// A number of at most 15 digits.
#[inline(always)]
pub(in crate::ingest) fn number<'a>(
    text: impl Text<'a>,
    (start, end): (usize, usize),
    faults: &mut Faults,
) -> u64 {
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
pub(in crate::ingest) fn known_address<'a>(
    text: impl Text<'a>,
    start: usize,
    end: usize,
    known: [KnownAddress; 2],
) -> Option<KnownAddress> {
    let length = end - start;
    if length > 15 {
        return None;
    }
    let value = u128::from_le_bytes(text.load(start)) & FIRST[length];
    let bits = match known.iter().find(|known| known.text == value) {
        Some(known) => known.bits,
        None => address(text, start, end)?,
    };
    Some(KnownAddress { text: value, bits })
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
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

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
            let none = [KnownAddress::NONE; 2];
            let before = known_address(before.as_bytes(), 0, before.len(), none).unwrap_or(none[0]);
            let same = known_address(written.as_bytes(), 0, text.len(), none).unwrap_or(none[0]);
            for known in [none, [before, same], [same, before]] {
                let known = known_address(written.as_bytes(), 0, text.len(), known);
                prop_assert_eq!(known.map(|known| known.bits), read, "{}", text);
            }
        }
    }
}
