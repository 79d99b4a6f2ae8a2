//! Which interface each end of a flow is.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::OnceLock;

use crate::flow::{DAY, Days, Flow, FlowTable, ObserverIx};
use crate::inventory::{BalancerIx, InterfaceIx, Inventory};
use crate::net::{HashMap, HashSet, is_public};

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
    /// Behind a Network Load Balancer that preserves client addresses: no gate of its own judges the packet's way to the target, and
    /// the target's judges it as the balancer's.
    Balanced(BalancerIx),
    /// Anywhere else.
    Outside,
}

impl End {
    /// The interface, if the inventory has it.
    pub const fn interface(self) -> Option<InterfaceIx> {
        match self.place {
            Place::Local(ix) => Some(ix),
            Place::Unlisted(_) | Place::Balanced(_) | Place::Outside => None,
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
    table: &'a FlowTable,
    /// By the first entry of an interface, the addresses that its rows name; made when a path is in doubt.
    recorded_with: OnceLock<HashSet<(usize, IpAddr)>>,
    observers: Vec<Option<Periods>>,
    /// The own address of observers that the inventory lacks.
    unlisted: Vec<Option<IpAddr>>,
    /// By address, the observers that the inventory lacks and whose own it is.
    unlisted_at: HashMap<IpAddr, Vec<Recorder>>,
    /// By interface of the inventory that recorded anything: the days on which it did.
    recorded_on: HashMap<InterfaceIx, Days>,
    /// When interfaces of the inventory recorded, of those whose address an unlisted one has too.
    listed_at: HashMap<InterfaceIx, When>,
}

/// The entries of an interface of the inventory, one for each time in which it carried the same groups. They stand side by side.
#[derive(Clone, Copy, Debug)]
struct Periods {
    first: usize,
    last: usize,
}

impl Periods {
    fn of(inventory: &Inventory, id: &str) -> Option<Self> {
        let mut all = inventory.periods_of(id);
        let first = all.next()?.index();
        let last = all.next_back().map_or(first, InterfaceIx::index);
        Some(Self { first, last })
    }

    /// The entry for a time.
    fn at(self, inventory: &Inventory, time: u64) -> InterfaceIx {
        let mut later = (self.first + 1..=self.last).rev().map(InterfaceIx::new);
        later
            .find(|&ix| inventory.interface(ix).lifetime.start <= time)
            .unwrap_or(InterfaceIx::new(self.first))
    }

    fn all(self) -> impl Iterator<Item = InterfaceIx> {
        (self.first..=self.last).map(InterfaceIx::new)
    }
}

/// From when to when, Unix seconds.
pub(super) type When = (u64, u64);

/// An interface that recorded rows, and when it did.
#[derive(Clone, Copy, Debug)]
struct Recorder {
    observer: ObserverIx,
    span: When,
}

/// The longest aggregation interval, in seconds (flow-log-records.html).
const INTERVAL: u64 = 600;

/// A time without the interval of its last record, which may go on past the end of its interface.
pub(super) fn settled(first: u64, last: u64) -> When {
    (first, last.saturating_sub(INTERVAL).max(first))
}

/// Whether two spans have a time in common, give or take an aggregation interval, for which the records of one packet may lie apart
/// (flow-log-records.html).
pub(super) const fn overlap(a: When, b: When) -> bool {
    a.0 <= b.1.saturating_add(INTERVAL) && b.0 <= a.1.saturating_add(INTERVAL)
}

impl<'a> Placer<'a> {
    pub(super) fn new(table: &'a FlowTable, inventory: &'a Inventory) -> Self {
        let observers: Vec<_> = table
            .observers
            .iter()
            .map(|name| Periods::of(inventory, name))
            .collect();
        // Times matter only where an interface is missing.
        let is_missing = lacks_interfaces(table, inventory);
        let spans: Vec<Option<When>> = (0..observers.len())
            .map(|position| is_missing.then(|| span(table, ObserverIx::new(position)))?)
            .collect();
        let listed = || observers.iter().zip(&spans);
        let recorded: HashMap<InterfaceIx, When> = listed()
            .filter_map(|(listed, span)| Some(((*listed)?, (*span)?)))
            .flat_map(|(listed, span)| listed.all().map(move |ix| (ix, span)))
            .filter(|&(ix, (first, last))| inventory.interface(ix).may_be_of(first, last))
            .collect();
        let unlisted: Vec<Option<IpAddr>> = listed()
            .enumerate()
            .map(|(position, (listed, span))| {
                let is_another = |address: IpAddr| is_another(inventory, &recorded, address, *span);
                match listed {
                    Some(_) => None,
                    None => own_address(table, ObserverIx::new(position), is_another),
                }
            })
            .collect();
        let mut unlisted_at: HashMap<IpAddr, Vec<Recorder>> = HashMap::default();
        let mut listed_at = HashMap::default();
        for (position, own) in unlisted.iter().enumerate() {
            let (Some(address), Some(span)) = (*own, spans[position]) else {
                continue;
            };
            let observer = ObserverIx::new(position);
            let all = unlisted_at.entry(address).or_default();
            all.push(Recorder { observer, span });
            for holder in inventory.holders(address) {
                if let Some(&span) = recorded.get(holder) {
                    listed_at.insert(*holder, span);
                }
            }
        }
        let recorded_on = observers
            .iter()
            .zip(&table.coverage)
            .filter_map(|(listed, coverage)| Some(((*listed)?, coverage.days)))
            .flat_map(|(listed, days)| listed.all().map(move |ix| (ix, days)))
            .collect();
        Self {
            inventory,
            table,
            recorded_with: OnceLock::new(),
            recorded_on,
            observers,
            unlisted,
            unlisted_at,
            listed_at,
        }
    }

    /// The interfaces that the inventory lacks and whose own address is known, with when they recorded.
    pub(super) fn unlisted(&self) -> impl Iterator<Item = (ObserverIx, IpAddr, Range<u64>)> + '_ {
        let all = self.unlisted_at.iter();
        all.flat_map(|(&address, recorders)| {
            let one = move |r: &Recorder| (r.observer, address, r.span.0..r.span.1 + 1);
            recorders.iter().map(one)
        })
    }

    /// How many interfaces the inventory has.
    pub(super) fn interfaces(&self) -> usize {
        self.inventory.interfaces().len()
    }

    pub(super) fn place(&self, flow: &Flow) -> Placed {
        let key = &flow.key;
        let when = settled(flow.counters.first, flow.counters.last);
        let listed = self.observers[key.observer.index()];
        let listed = listed.map(|periods| periods.at(self.inventory, when.1));
        let vantage = match listed {
            Some(ix) => self.listed_vantage(flow, ix),
            None => self.unlisted_vantage(flow),
        };
        let recorder = listed.map_or(Place::Unlisted(key.observer), Place::Local);
        let vpc = listed.map(|ix| self.inventory.interface(ix).vpc.as_ref());
        let far = |address, own| self.far_end(address, (vpc, own), when);
        let own = |address| End {
            place: recorder,
            address,
        };
        let (src, dst) = match vantage {
            Vantage::Source => (own(key.src), far(key.dst, Some(key.src))),
            Vantage::Destination => (far(key.src, Some(key.dst)), own(key.dst)),
            Vantage::Between => (far(key.src, None), far(key.dst, None)),
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
        if !self.table.observers[key.observer.index()].starts_with("eni-") {
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

    /// Whose an address was that an interface had to do with. An address passes from one interface to the next: of those that may have
    /// had it, the one that recorded rows at that time did. Where that doesn't tell, it is nobody's. Seen from a VPC, an interface of
    /// another one answers only if a path leads there, or if it recorded the same.
    fn far_end(
        &self,
        address: IpAddr,
        (vpc, own): (Option<&str>, Option<IpAddr>),
        when: When,
    ) -> End {
        let inventory = self.inventory;
        let near = inventory.interface_at(address, vpc, when);
        let listed = near.or_else(|| match own {
            Some(own) => {
                let distant = inventory.distant_interface_at(address, vpc?, when)?;
                self.recorded(distant, own).then_some(distant)
            }
            None => inventory.interface_at(address, None, when),
        });
        let listed = listed.filter(|ix| self.recorded_then(*ix, when));
        let place = match self.unlisted_at.get(&address) {
            None => listed.map_or(Place::Outside, Place::Local),
            Some(unlisted) => self.one_of(listed, unlisted, when),
        };
        End { place, address }
    }

    /// Whether an interface recorded rows that name an address which no interface near it has.
    fn recorded(&self, ix: InterfaceIx, address: IpAddr) -> bool {
        let vpc = &self.inventory.interface(ix).vpc;
        let any_time = (0, u64::MAX);
        if (self.inventory.interface_at(address, Some(vpc), any_time)).is_some() {
            return false;
        }
        let recorded_with = self.recorded_with.get_or_init(|| {
            let flows = self.table.flows.iter().filter_map(|flow| {
                let listed = self.observers[flow.key.observer.index()]?;
                Some((listed.first, flow.key))
            });
            flows
                .flat_map(|(first, key)| [(first, key.src), (first, key.dst)])
                .collect()
        });
        let mut entries = self.inventory.periods_of(&self.inventory.interface(ix).id);
        let first = entries.next().expect("it is one of them");
        recorded_with.contains(&(first.index(), address))
    }

    /// Whether an interface recorded anything on the days of a time, if it ever did: one that is logged and was silent was not there.
    fn recorded_then(&self, ix: InterfaceIx, (first, last): When) -> bool {
        /// More days than a set of days tells apart say nothing.
        const MANY: u64 = 100;
        let days = first / DAY..=last / DAY;
        self.recorded_on.get(&ix).is_none_or(|recorded| {
            last / DAY - first / DAY > MANY || days.clone().any(|day| recorded.has(day))
        })
    }

    fn one_of(&self, listed: Option<InterfaceIx>, unlisted: &[Recorder], when: When) -> Place {
        let mut then = unlisted.iter().filter(|r| overlap(r.span, when));
        let then = (then.next(), then.next());
        let listed_then = listed.map(|ix| self.listed_at.get(&ix).map(|&span| overlap(span, when)));
        match (listed, listed_then, then) {
            // The listed one recorded rows then, and no other did; or it is the only one that may have.
            (Some(ix), Some(Some(true) | None), (None, _)) => Place::Local(ix),
            (_, Some(Some(false)) | None, (Some(only), None)) => Place::Unlisted(only.observer),
            (None, _, (None, _)) if unlisted.len() == 1 => Place::Unlisted(unlisted[0].observer),
            _ => Place::Outside,
        }
    }
}

/// Whether an interface recorded rows that the inventory lacks.
pub(super) fn lacks_interfaces(table: &FlowTable, inventory: &Inventory) -> bool {
    let mut names = table
        .observers
        .iter()
        .filter(|name| name.starts_with("eni-"));
    names.any(|name| inventory.interface_by_id(name).is_none())
}

/// When an observer recorded rows of traffic.
fn span(table: &FlowTable, observer: ObserverIx) -> Option<When> {
    let flows = table.flows_of(observer).iter();
    flows
        .map(|flow| (flow.counters.first, flow.counters.last))
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// Whether an address that an unlisted interface had to do with was another's: a public one, or that of an interface of the inventory
/// which recorded rows at the same time.
fn is_another(
    inventory: &Inventory,
    recorded: &HashMap<InterfaceIx, When>,
    address: IpAddr,
    span: Option<When>,
) -> bool {
    let at_the_time = |ix: &InterfaceIx| {
        let both = recorded.get(ix).copied().zip(span);
        both.is_some_and(|(a, b)| overlap(a, b))
    };
    address.is_ipv4() && is_public(address) || inventory.holders(address).iter().any(at_the_time)
}

/// The own address of an observer that the inventory lacks: the one that every
/// row of it shares. Of a single pair of addresses it is the one that isn't another's.
fn own_address(
    table: &FlowTable,
    observer: ObserverIx,
    is_another: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    // What has another name is a regional NAT gateway, which is many places at once.
    if !table.observers[observer.index()].starts_with("eni-") {
        return None;
    }
    let mut flows = table.flows_of(observer).iter();
    let first = flows.next()?;
    let mut candidates = vec![first.key.src, first.key.dst];
    for flow in flows {
        candidates.retain(|address| [flow.key.src, flow.key.dst].contains(address));
    }
    if candidates.len() > 1 {
        candidates.retain(|&address| !is_another(address));
    }
    match candidates[..] {
        [only] => Some(only),
        _ => None,
    }
}
