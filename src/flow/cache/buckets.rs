//! Where a hash table of flows looks for them.

/// One cache line of hashes, and where their flows are.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Bucket {
    /// Zero where no flow is.
    pub(super) hashes: [u32; IN_A_BUCKET],
    /// Positions of their pairs, or [`SINGLE`] and the position of a single flow, or [`FREE`]; those that are free come last.
    pub(super) places: [u32; IN_A_BUCKET],
}

/// Hashes of a bucket.
pub(super) const IN_A_BUCKET: usize = 8;

/// No place.
pub(super) const FREE: u32 = u32::MAX;

/// The bit of a place among the single flows.
pub(super) const SINGLE: u32 = 1 << 31;

/// The fewest buckets of a table.
pub(super) const FEWEST: usize = 16;

const _: () = assert!(size_of::<Bucket>() == 64, "one line of the cache");

impl Bucket {
    /// Nothing is in it.
    pub(super) const EMPTY: Self = Self {
        hashes: [0; IN_A_BUCKET],
        places: [FREE; IN_A_BUCKET],
    };

    /// Bits of the flows that have a hash; if it is zero, of free room too.
    #[inline]
    pub(super) fn with(&self, hash: u32) -> u8 {
        let hashes = self.hashes.iter().enumerate();
        hashes.fold(0, |bits, (n, &known)| bits | u8::from(known == hash) << n)
    }

    /// Puts a flow there; says whether there was room.
    pub(super) fn put(&mut self, hash: u32, place: u32) -> bool {
        let free = self.places.iter().position(|&place| place == FREE);
        if let Some(free) = free {
            self.hashes[free] = hash;
            self.places[free] = place;
        }
        free.is_some()
    }
}

/// Where to look for a hash first.
pub(super) const fn start(hash: u32, mask: usize) -> usize {
    hash as usize & mask
}
