//! When a client called: a compact series of times, for outgoing connections only.

/// How many calls are told apart.
const KEPT: usize = 32;

/// The earliest calls of one client to one service: when, and from which port. A client takes a new port for every
/// connection (RFC 6056), so a call is a port that was not seen before, and rows of later intervals of a connection are none.
/// Series can be joined in any order: a call that is among the earliest of all is among the earliest wherever its first row is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contacts(Vec<(u32, u16)>);

impl Contacts {
    /// Below this many there is no rhythm to be seen; a finished table leaves them out.
    pub const ENOUGH: usize = 6;

    /// Adds a row's start, in Unix seconds, and its client's port.
    pub fn note(&mut self, start: u32, port: u16) {
        let call = (start, port);
        if self.0.len() == KEPT && self.0.last().is_some_and(|last| *last <= call) {
            return;
        }
        if let Some(known) = self.0.iter().position(|&(_, known)| known == port) {
            if self.0[known] <= call {
                return;
            }
            self.0.remove(known);
        }
        let place = self.0.partition_point(|known| *known < call);
        self.0.insert(place, call);
        self.0.truncate(KEPT);
    }

    /// Adds another series of the same client and service.
    pub fn join(&mut self, other: &Self) {
        for &(start, port) in &other.0 {
            self.note(start, port);
        }
    }

    /// Times and ports, the earliest first.
    pub fn calls(&self) -> &[(u32, u16)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn series(rows: &[(u32, u16)]) -> Contacts {
        let mut contacts = Contacts::default();
        for &(start, port) in rows {
            contacts.note(start, port);
        }
        contacts
    }

    proptest! {
        /// However rows are shared out over workers and days, the series is the one of them all.
        #[test]
        fn joining_is_the_same_in_any_order(
            rows in prop::collection::vec((0u32..200, 0u16..60), 0..200),
            cut in 0usize..200,
        ) {
            let cut = cut.min(rows.len());
            let mut joined = series(&rows[cut..]);
            joined.join(&series(&rows[..cut]));
            prop_assert_eq!(&joined, &series(&rows));
            let mut first: std::collections::BTreeMap<u16, u32> = std::collections::BTreeMap::new();
            for &(start, port) in &rows {
                let known = first.entry(port).or_insert(start);
                *known = start.min(*known);
            }
            let mut all: Vec<(u32, u16)> = first.into_iter().map(|(port, start)| (start, port)).collect();
            all.sort_unstable();
            all.truncate(KEPT);
            prop_assert_eq!(joined.calls(), &all[..]);
        }
    }
}
