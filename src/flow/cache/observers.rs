//! Interfaces by the names that rows have for them.
#![expect(clippy::inline_always, reason = "measured: benches/README.md")]

use std::hash::BuildHasher;

use hashbrown::HashTable;

use crate::flow::table::ObserverIx;
use crate::net::HashMap;

/// What a worker knows of them.
#[derive(Debug, Default)]
pub(in crate::flow) struct ObserverNames {
    hasher: foldhash::fast::RandomState,
    /// The name of the row before: often this row's too, since a connection has rows both ways.
    last: Option<NamedObserver>,
    /// By [`ShortName`].
    short: HashTable<NamedObserver>,
    long: HashMap<Box<[u8]>, ObserverIx>,
}

/// A name of 8 to 24 bytes, `eni-` and 17 digits are 21: its first eight, the eight behind
/// them, its last eight, which may be among those, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ShortName {
    pieces: [u64; 3],
    length: u32,
}

/// A name and its interface, in half a line of the cache.
#[derive(Clone, Copy, Debug)]
struct NamedObserver {
    pieces: [u64; 3],
    length: u32,
    observer: ObserverIx,
}

const _: () = assert!(size_of::<NamedObserver>() == 32, "half a line of the cache");

impl ShortName {
    #[inline(always)]
    fn of(name: &[u8]) -> Option<Self> {
        let first = u64::from_le_bytes(*name.first_chunk()?);
        let last = u64::from_le_bytes(*name.last_chunk()?);
        let middle = match name.len() {
            ..=16 => 0,
            17..=24 => u64::from_le_bytes(*name[8..].first_chunk()?),
            _ => return None,
        };
        Some(Self {
            pieces: [first, middle, last],
            length: u32::try_from(name.len()).ok()?,
        })
    }
}

impl NamedObserver {
    /// One piece after the other: what was just stored in pieces is not to be read as a whole.
    #[inline(always)]
    const fn is(&self, name: ShortName) -> bool {
        self.pieces[0] == name.pieces[0]
            && self.pieces[1] == name.pieces[1]
            && self.pieces[2] == name.pieces[2]
            && self.length == name.length
    }
}

impl ObserverNames {
    /// The interface of a name, if it is known.
    #[inline(always)]
    pub(in crate::flow) fn get(&mut self, name: &[u8]) -> Option<ObserverIx> {
        let Some(short) = ShortName::of(name) else {
            return self.long.get(name).copied();
        };
        if let Some(last) = self.last
            && last.is(short)
        {
            return Some(last.observer);
        }
        let hash = self.hasher.hash_one(short.pieces);
        let known = *self.short.find(hash, |known| known.is(short))?;
        self.last = Some(known);
        Some(known.observer)
    }

    /// Gives a new name its interface.
    pub(in crate::flow) fn insert(&mut self, name: &[u8], observer: ObserverIx) {
        let Some(ShortName { pieces, length }) = ShortName::of(name) else {
            self.long.insert(name.into(), observer);
            return;
        };
        let named = NamedObserver {
            pieces,
            length,
            observer,
        };
        let hash = |named: &NamedObserver| self.hasher.hash_one(named.pieces);
        self.short.insert_unique(hash(&named), named, hash);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// ObserverNames of every length are told apart, also where their pieces are the same.
        #[test]
        fn names_are_told_apart(texts in prop::collection::vec("[ab]{0,30}|a{0,30}|eni-[01]{17}", 1..60)) {
            let mut names = ObserverNames::default();
            let mut known: BTreeMap<&str, ObserverIx> = BTreeMap::new();
            for (number, text) in texts.iter().enumerate() {
                prop_assert_eq!(names.get(text.as_bytes()), known.get(text.as_str()).copied(), "{}", text);
                if !known.contains_key(text.as_str()) {
                    names.insert(text.as_bytes(), ObserverIx::new(number));
                    known.insert(text, ObserverIx::new(number));
                }
                prop_assert_eq!(names.get(text.as_bytes()), known.get(text.as_str()).copied(), "{}", text);
            }
        }
    }
}
