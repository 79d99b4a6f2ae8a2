//! Which interface each end of a flow is.

use std::net::IpAddr;

use crate::flow::{Flow, FlowTable, ObserverIx};
use crate::inventory::{InterfaceIx, Inventory};
use crate::net::HashMap;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct End {
    /// Where it is.
    pub place: Place,
    /// Its address in the packets.
    pub address: IpAddr,
}

/// Where an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// An interface of the inventory.
    Local(InterfaceIx),
    /// An interface that recorded rows and that the inventory lacks: deleted
    /// since, or of another account.
    Unlisted(ObserverIx),
    /// Anywhere else.
    Outside,
}

impl End {
    /// The interface, if the inventory has it.
    pub const fn interface(self) -> Option<InterfaceIx> {
        match self.place {
            Place::Local(ix) => Some(ix),
            Place::Unlisted(_) | Place::Outside => None,
        }
    }
}

/// Where along a flow's path its rows were recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Vantage {
    /// At the sender's interface: its egress gate.
    Source,
    /// At the receiver's interface: its ingress gate.
    Destination,
    /// At an interface that only forwards, or one that cannot be placed.
    Between,
}

/// The ends of one flow and where it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// The sender.
    pub src: End,
    /// The receiver.
    pub dst: End,
    /// Where.
    pub vantage: Vantage,
}

/// Places flows: interface-id is trusted for the recording side, the address
/// index for the other.
pub(super) struct Placer<'a> {
    inventory: &'a Inventory,
    observers: Vec<Option<InterfaceIx>>,
    /// Whether an observer is an interface at all. A regional NAT gateway and a row without a name for its place are not:
    /// what they show is on its way between interfaces.
    are_interfaces: Vec<bool>,
    /// The own address of observers that the inventory lacks.
    unlisted: Vec<Option<IpAddr>>,
    unlisted_at: HashMap<IpAddr, ObserverIx>,
}

impl<'a> Placer<'a> {
    pub(super) fn new(table: &FlowTable, inventory: &'a Inventory) -> Self {
        let observers: Vec<_> = table
            .observers
            .iter()
            .map(|name| inventory.interface_by_id(name))
            .collect();
        let unlisted: Vec<Option<IpAddr>> = observers
            .iter()
            .enumerate()
            .map(|(position, listed)| match listed {
                Some(_) => None,
                None => own_address(table, ObserverIx::new(position)),
            })
            .collect();
        let mut unlisted_at = HashMap::default();
        for (position, own) in unlisted.iter().enumerate() {
            if let Some(address) = own {
                let first = unlisted_at.entry(*address);
                first.or_insert(ObserverIx::new(position));
            }
        }
        Self {
            inventory,
            observers,
            are_interfaces: table
                .observers
                .iter()
                .map(|name| is_interface(name))
                .collect(),
            unlisted,
            unlisted_at,
        }
    }

    /// How many interfaces the inventory has.
    pub(super) fn interfaces(&self) -> usize {
        self.inventory.interfaces().len()
    }

    pub(super) fn place(&self, flow: &Flow) -> Placed {
        let key = &flow.key;
        let listed = self.observers[key.observer.index()];
        let vantage = match listed {
            Some(ix) => self.listed_vantage(flow, ix),
            None => self.unlisted_vantage(flow),
        };
        let recorder = listed.map_or(Place::Unlisted(key.observer), Place::Local);
        let vpc = listed.map(|ix| self.inventory.interface(ix).vpc.as_ref());
        let when = (flow.counters.first, flow.counters.last);
        let far = |address| self.far_end(address, vpc, when);
        let own = |address| End {
            place: recorder,
            address,
        };
        let (src, dst) = match vantage {
            Vantage::Source => (own(key.src), far(key.dst)),
            Vantage::Destination => (far(key.src), own(key.dst)),
            Vantage::Between => (far(key.src), far(key.dst)),
        };
        Placed { src, dst, vantage }
    }

    fn listed_vantage(&self, flow: &Flow, ix: InterfaceIx) -> Vantage {
        let interface = self.inventory.interface(ix);
        let (key, counters) = (&flow.key, &flow.counters);
        if interface.kind.forwards() {
            return Vantage::Between;
        }
        match (interface.holds(key.src), interface.holds(key.dst)) {
            (true, false) => Vantage::Source,
            (false, true) => Vantage::Destination,
            (true, true) => {
                if counters.flags.ingress() && !counters.flags.egress() {
                    Vantage::Destination
                } else {
                    Vantage::Source
                }
            }
            // Behind the primary address, and nobody else's: a pod or a secondary
            // address that the interface had at the time. Somebody else's address
            // there means that this interface routes for others.
            (false, false) => match (
                counters.flags.src_rewritten(),
                counters.flags.dst_rewritten(),
            ) {
                (true, false) if !self.is_held(key.src, (counters.first, counters.last)) => {
                    Vantage::Source
                }
                (false, true) if !self.is_held(key.dst, (counters.first, counters.last)) => {
                    Vantage::Destination
                }
                _ => Vantage::Between,
            },
        }
    }

    fn unlisted_vantage(&self, flow: &Flow) -> Vantage {
        let (key, counters) = (&flow.key, &flow.counters);
        if !self.are_interfaces[key.observer.index()] {
            return Vantage::Between;
        }
        match (counters.flags.egress(), counters.flags.ingress()) {
            (true, false) => return Vantage::Source,
            (false, true) => return Vantage::Destination,
            _ => {}
        }
        match self.unlisted[key.observer.index()] {
            Some(own) if own == key.src => Vantage::Source,
            Some(own) if own == key.dst => Vantage::Destination,
            _ => Vantage::Between,
        }
    }

    fn is_held(&self, address: IpAddr, when: (u64, u64)) -> bool {
        self.inventory.interface_at(address, None, when).is_some()
    }

    fn far_end(&self, address: IpAddr, vpc: Option<&str>, when: (u64, u64)) -> End {
        let place = self
            .inventory
            .interface_at(address, vpc, when)
            .map(Place::Local)
            .or_else(|| self.unlisted_at.get(&address).copied().map(Place::Unlisted))
            .unwrap_or(Place::Outside);
        End { place, address }
    }
}

/// Whether the name of an observer is that of an interface.
fn is_interface(observer: &str) -> bool {
    observer.starts_with("eni-")
}

/// The own address of an observer that the inventory lacks: the one that every
/// row of it shares. With a single pair of addresses both would do, so neither does.
fn own_address(table: &FlowTable, observer: ObserverIx) -> Option<IpAddr> {
    // A regional NAT gateway is many places at once.
    if !is_interface(&table.observers[observer.index()]) {
        return None;
    }
    let mut flows = table.flows_of(observer).iter();
    let first = flows.next()?;
    let mut candidates = vec![first.key.src, first.key.dst];
    for flow in flows {
        candidates.retain(|address| [flow.key.src, flow.key.dst].contains(address));
    }
    match candidates[..] {
        [only] => Some(only),
        _ => None,
    }
}
