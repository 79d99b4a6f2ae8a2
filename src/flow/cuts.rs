//! Times at which an address passed from one interface to another, or an interface got other groups.
//!
//! A flow is what rows have in common over the whole window. Rows from before such a time and after it have to do with different
//! interfaces or groups, so they are folded apart.

use std::net::IpAddr;

use crate::net::HashMap;

/// The times, by what they are about; Unix seconds, in order.
#[derive(Debug, Default)]
pub struct Cuts {
    addresses: HashMap<IpAddr, Vec<u64>>,
    interfaces: HashMap<Box<[u8]>, Vec<u64>>,
}

impl Cuts {
    /// Nothing, where there is no such time.
    pub fn new<'a>(
        addresses: impl IntoIterator<Item = (IpAddr, u64)>,
        interfaces: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> Option<Self> {
        let mut cuts = Self::default();
        for (address, time) in addresses {
            cuts.addresses.entry(address).or_default().push(time);
        }
        for (interface, time) in interfaces {
            let times = cuts.interfaces.entry(interface.as_bytes().into());
            times.or_default().push(time);
        }
        for times in cuts
            .addresses
            .values_mut()
            .chain(cuts.interfaces.values_mut())
        {
            times.sort_unstable();
            times.dedup();
        }
        (!cuts.addresses.is_empty() || !cuts.interfaces.is_empty()).then_some(cuts)
    }

    /// The last such time up to the start of a row, of its interface and its addresses; 0 if there is none.
    pub(super) fn before(&self, interface: &[u8], src: IpAddr, dst: IpAddr, start: u64) -> u64 {
        let last = |times: Option<&Vec<u64>>| {
            let times = times?;
            let position = times.partition_point(|&time| time <= start);
            times.get(position.checked_sub(1)?).copied()
        };
        let of = [
            last(self.interfaces.get(interface)),
            last(self.addresses.get(&src)),
            last(self.addresses.get(&dst)),
        ];
        of.into_iter().flatten().max().unwrap_or_default()
    }
}
