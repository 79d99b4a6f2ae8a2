//! Where values and lines end, found sixty-four bytes at a time.
#![expect(clippy::inline_always, reason = "measured: benches/README.md")]

#[cfg(target_arch = "x86_64")]
use pulp::{NullaryFnOnce, x86::V3};
use wide::u8x16;

/// Where values and lines end in some text that is nothing but values with one space or line end
/// behind each.
#[derive(Debug, Default)]
pub(in crate::ingest) struct Delimiters {
    /// Of values, behind that of none.
    values: Offsets,
    lines: Offsets,
}

/// Some offsets in a text, and room for more.
#[derive(Debug, Default)]
struct Offsets {
    offsets: Vec<u32>,
    count: usize,
}

/// Offsets that are written in one step, whether or not there are as many: lines of flow
/// logs rarely have more in sixty-four bytes.
const VALUES_AT_ONCE: usize = 12;
const LINES_AT_ONCE: usize = 2;

impl Offsets {
    /// Room for as many as there are bytes.
    fn clear(&mut self, bytes: usize) {
        let enough = bytes + 64 + VALUES_AT_ONCE;
        if self.offsets.len() < enough {
            self.offsets.resize(enough, 0);
        }
        self.count = 0;
    }

    #[inline(always)]
    fn all(&self) -> &[u32] {
        &self.offsets[..self.count]
    }
}

impl Delimiters {
    /// Finds those of a text of whole lines and less than 4 GiB, if it is one of that kind.
    pub(in crate::ingest) fn find(&mut self, text: &[u8]) -> bool {
        #[cfg(target_arch = "x86_64")]
        if let Some(newer) = V3::try_new() {
            return newer.vectorize(Find {
                delimiters: self,
                text,
                bytes: newer,
            });
        }
        self.find_all(text, Portable)
    }

    #[inline(always)]
    fn find_all(&mut self, text: &[u8], bytes: impl Bytes) -> bool {
        assert!(u32::try_from(text.len()).is_ok(), "less than 4 GiB");
        let Self { values, lines } = self;
        values.clear(text.len());
        lines.clear(text.len());
        // What begins behind the place before the first byte.
        values.offsets[0] = u32::MAX;
        let mut found = Scan {
            values: 1,
            lines: 0,
            before: 1,
            wrong: 0,
        };
        let (blocks, rest) = text.as_chunks::<64>();
        let mut base = 0;
        for block in blocks {
            found.block(
                block,
                base,
                bytes,
                (&mut values.offsets, &mut lines.offsets),
            );
            base += 64;
        }
        let mut last = [u8::MAX; 64];
        last[..rest.len()].copy_from_slice(rest);
        found.block(
            &last,
            base,
            bytes,
            (&mut values.offsets, &mut lines.offsets),
        );
        (values.count, lines.count) = (found.values, found.lines);
        found.wrong == 0
    }

    /// Where lines end.
    #[inline(always)]
    pub(in crate::ingest) fn lines(&self) -> &[u32] {
        self.lines.all()
    }

    /// The ends from one on, as many as there are values and one more.
    #[inline(always)]
    pub(in crate::ingest) fn line(&self, from: usize, values: usize) -> Option<&[u32]> {
        self.values.all().get(from..=from + values)
    }

    /// The end, from one on, that is that of a line.
    pub(in crate::ingest) fn behind(&self, from: usize, line: u32) -> usize {
        let ends = self.values.all()[from..].iter();
        from + ends.take_while(|&&end| end != line).count()
    }
}

/// What was found so far.
struct Scan {
    values: usize,
    lines: usize,
    /// Whether the byte before ends something.
    before: u64,
    /// Bits of bytes that end a value that is empty, or that are no part of such a text.
    wrong: u64,
}

impl Scan {
    #[inline(always)]
    fn block(
        &mut self,
        block: &[u8; 64],
        base: u32,
        bytes: impl Bytes,
        (values, lines): (&mut [u32], &mut [u32]),
    ) {
        let ends = bytes.at_most(block, b' ');
        let breaks = bytes.equal(block, b'\n');
        let controls = bytes.at_most(block, b' ' - 1);
        self.wrong |= controls & !breaks | ends & (ends << 1 | self.before);
        self.before = ends >> 63;
        note::<VALUES_AT_ONCE>(ends, base, values, &mut self.values);
        note::<LINES_AT_ONCE>(breaks, base, lines, &mut self.lines);
    }
}

/// Adds a place for each bit.
#[inline(always)]
fn note<const AT_ONCE: usize>(mut bits: u64, base: u32, offsets: &mut [u32], count: &mut usize) {
    let room = offsets[*count..]
        .first_chunk_mut::<64>()
        .expect("there is enough");
    *count += bits.count_ones() as usize;
    for place in &mut room[..AT_ONCE] {
        *place = base + bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
    }
    let mut at = AT_ONCE;
    while bits != 0 {
        room[at % 64] = base + bits.trailing_zeros();
        bits &= bits - 1;
        at += 1;
    }
}

/// One bit for each byte of which something holds.
trait Bytes: Copy {
    fn at_most(self, block: &[u8; 64], most: u8) -> u64;
    fn equal(self, block: &[u8; 64], byte: u8) -> u64;
}

/// What every processor can do.
#[derive(Clone, Copy)]
struct Portable;

impl Portable {
    #[inline(always)]
    fn bits(block: &[u8; 64], holds: impl Fn(u8x16) -> u8x16) -> u64 {
        let (quarters, _) = block.as_chunks::<16>();
        let quarters = quarters.iter().rev();
        quarters.fold(0, |all, &quarter| {
            all << 16 | u64::from(holds(u8x16::new(quarter)).to_bitmask())
        })
    }
}

impl Bytes for Portable {
    #[inline(always)]
    fn at_most(self, block: &[u8; 64], most: u8) -> u64 {
        Self::bits(block, |bytes| bytes.min(u8x16::splat(most)).simd_eq(bytes))
    }

    #[inline(always)]
    fn equal(self, block: &[u8; 64], byte: u8) -> u64 {
        Self::bits(block, |bytes| bytes.simd_eq(u8x16::splat(byte)))
    }
}

/// Thirty-two bytes at once.
#[cfg(target_arch = "x86_64")]
impl Bytes for V3 {
    #[inline(always)]
    fn at_most(self, block: &[u8; 64], most: u8) -> u64 {
        let most = self.splat_u8x32(most);
        halves(self, block, |bytes| {
            self.cmp_eq_u8x32(self.min_u8x32(bytes, most), bytes)
        })
    }

    #[inline(always)]
    fn equal(self, block: &[u8; 64], byte: u8) -> u64 {
        let byte = self.splat_u8x32(byte);
        halves(self, block, |bytes| self.cmp_eq_u8x32(bytes, byte))
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn halves(newer: V3, block: &[u8; 64], holds: impl Fn(pulp::u8x32) -> pulp::m8x32) -> u64 {
    let halves: [pulp::u8x32; 2] = pulp::cast(*block);
    let [low, high] = halves.map(|half| {
        let bits = newer.avx2._mm256_movemask_epi8(pulp::cast(holds(half)));
        u64::from(bits.cast_unsigned())
    });
    high << 32 | low
}

/// [`Delimiters::find_all`], compiled for processors that also count and find bits in one step.
#[cfg(target_arch = "x86_64")]
struct Find<'g, 't> {
    delimiters: &'g mut Delimiters,
    text: &'t [u8],
    bytes: V3,
}

#[cfg(target_arch = "x86_64")]
impl NullaryFnOnce for Find<'_, '_> {
    type Output = bool;

    #[inline(always)]
    fn call(self) -> bool {
        self.delimiters.find_all(self.text, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What every processor can do finds the same as what this one can, and as a look at each byte.
        #[test]
        fn every_processor_finds_the_same(
            text in prop::collection::vec(prop_oneof![
                8 => b'!'..=u8::MAX,
                2 => Just(b' '),
                1 => Just(b'\n'),
            ], 0..400),
            others in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        ) {
            let mut text = text;
            for (at, byte) in others {
                if !text.is_empty() {
                    let at = at.index(text.len());
                    text[at] = byte;
                }
            }
            let (mut newer, mut every) = (Delimiters::default(), Delimiters::default());
            let is_plain = newer.find(&text);
            prop_assert_eq!(every.find_all(&text, Portable), is_plain);
            prop_assert_eq!(newer.values.all(), every.values.all());
            prop_assert_eq!(newer.lines(), every.lines());
            let ends = |last: u8| {
                let all = text.iter().zip(0u32..);
                all.filter(move |&(&byte, _)| byte <= last).map(|(_, at)| at)
            };
            prop_assert_eq!(newer.values.all()[1..].to_vec(), ends(b' ').collect::<Vec<_>>());
            let breaks = ends(b'\n').filter(|&at| text[at as usize] == b'\n');
            prop_assert_eq!(newer.lines().to_vec(), breaks.collect::<Vec<_>>());
            let mut before = true;
            let plain = text.iter().all(|&byte| {
                let ends = matches!(byte, b' ' | b'\n');
                let fits = if ends { !before } else { byte > b' ' };
                before = ends;
                fits
            });
            prop_assert_eq!(is_plain, plain);
        }
    }
}
