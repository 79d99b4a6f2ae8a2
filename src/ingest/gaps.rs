//! Where values and lines end, found sixty-four bytes at a time.
#![expect(clippy::inline_always, reason = "measured: benches/README.md")]

use pulp::{Arch, Simd, WithSimd};
use wide::u8x16;

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
    pub(super) fn line(&self, from: usize, values: usize) -> Option<&[u32]> {
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
