//! Which interfaces may talk to which, over many services at once, without asking about each pair.
//!
//! Interfaces of the same groups and VPC are a class: rules tell them apart by address alone. A class permits runs of services to and from
//! sets of interfaces, and classes with the same runs share a profile. What a profile lets out and what some classes let in by one set meet
//! in a crossing, so that everybody who may send through it need not be paired with everybody who may receive through it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use crate::inventory::{
    CompiledTarget, Direction, Gates, GroupIx, Interface, InterfaceIx, Inventory,
};
use crate::net::{AddressSet, HashMap, HashSet, Service};

/// Interfaces that every gate treats alike but for their addresses: the same
/// groups in the same VPC.
pub(super) struct Class {
    pub(super) groups: Vec<GroupIx>,
    /// Positions, in order.
    pub(super) members: Vec<u32>,
    pub(super) example: InterfaceIx,
}

/// The interfaces whose groups are known, by class; the same under any rules.
pub(super) struct Network<'a> {
    inventory: &'a Inventory,
    pub(super) classes: Vec<Class>,
    /// By interface; nothing where its groups are not known.
    class_of: Vec<Option<u32>>,
    by_address: Vec<(IpAddr, InterfaceIx)>,
    /// By group, the classes that carry it.
    with_group: Vec<Vec<u32>>,
}

impl<'a> Network<'a> {
    pub(super) fn new(inventory: &'a Inventory) -> Self {
        let classes = classes(inventory);
        let mut class_of = vec![None; inventory.interfaces().len()];
        let mut with_group = vec![Vec::new(); inventory.groups().len()];
        for (position, class) in classes.iter().enumerate() {
            for &member in &class.members {
                class_of[member as usize] = Some(small(position));
            }
            for group in &class.groups {
                with_group[group.index()].push(small(position));
            }
        }
        Self {
            inventory,
            class_of,
            by_address: by_address(inventory, |interface| interface.addresses.iter().copied()),
            with_group,
            classes,
        }
    }

    /// The classes of a group.
    pub(super) fn classes_of(&self, group: GroupIx) -> impl Iterator<Item = usize> + '_ {
        let classes = self.with_group[group.index()].iter();
        classes.map(|&class| class as usize)
    }

    /// The class of an interface whose groups are known.
    pub(super) fn class_of(&self, ix: InterfaceIx) -> Option<&Class> {
        self.class_of[ix.index()].map(|class| &self.classes[class as usize])
    }

    /// How many interfaces a class has.
    pub(super) fn size(&self, class: usize) -> usize {
        self.classes[class].members.len()
    }

    /// The interfaces of a class that are in a set.
    pub(super) fn among<'s>(
        &'s self,
        class: usize,
        set: &'s Admitted,
    ) -> impl Iterator<Item = u32> + 's {
        let (whole, part) = (&self.classes[class].members, set.part(small(class)));
        let whole = if set.count(small(class)) as usize == whole.len() {
            whole.as_slice()
        } else {
            &[]
        };
        let part = part.iter().map(|&(_, member)| member);
        whole.iter().copied().chain(part)
    }
}

/// Positions are small: there are fewer than 2^32 interfaces.
fn small(position: usize) -> u32 {
    u32::try_from(position).expect("fewer than 2^32 interfaces")
}

/// A set of interfaces that some rules admit.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    /// By class, how many of its interfaces; in order.
    pub(super) classes: Vec<(u32, u32)>,
    /// The interfaces of classes that are not in it as a whole, behind their class; in order.
    parts: Vec<(u32, u32)>,
}

impl Admitted {
    /// `members` are interfaces behind their class, in order, each once.
    fn of(network: &Network<'_>, members: &[(u32, u32)]) -> Self {
        let mut set = Self::default();
        for of_class in members.chunk_by(|a, b| a.0 == b.0) {
            let class = of_class[0].0;
            set.classes.push((class, small(of_class.len())));
            if of_class.len() < network.size(class as usize) {
                set.parts.extend_from_slice(of_class);
            }
        }
        set
    }

    /// How many of a class are in it.
    fn count(&self, class: u32) -> u32 {
        let found = self.classes.binary_search_by_key(&class, |&(c, _)| c);
        found.map_or(0, |position| self.classes[position].1)
    }

    /// The interfaces of a class that is in it in part; nothing of one that is in it as a whole.
    fn part(&self, class: u32) -> &[(u32, u32)] {
        let start = self.parts.partition_point(|&(c, _)| c < class);
        let end = self.parts.partition_point(|&(c, _)| c <= class);
        &self.parts[start..end]
    }

    /// Whether everything of another set is in this one.
    fn holds(&self, network: &Network<'_>, other: &Self) -> bool {
        other.classes.iter().all(|&(class, count)| {
            let own = self.count(class);
            if own as usize == network.size(class as usize) {
                return true;
            }
            let part = self.part(class);
            let has = |member: &(u32, u32)| part.binary_search(member).is_ok();
            count <= own && other.part(class).iter().all(has)
        })
    }

    /// Every interface, behind its class; in order.
    fn members<'s>(&'s self, network: &'s Network<'_>) -> impl Iterator<Item = (u32, u32)> + 's {
        let classes = self.classes.iter();
        classes.flat_map(move |&(class, _)| {
            let among = network.among(class as usize, self);
            among.map(move |member| (class, member))
        })
    }
}

/// A run of services, by their positions, and the set that a class admits for them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Run {
    services: Range<u32>,
    admitted: usize,
}

/// What may pass from some classes to others: everybody of the sources to everybody admitted of the targets.
#[derive(Debug)]
pub(super) struct Crossing {
    /// Classes, and how many of their interfaces the targets admit.
    pub(super) sources: Vec<(u32, u32)>,
    /// Classes, how many of their interfaces the sources admit, and for how many services.
    pub(super) targets: Vec<(u32, u32, u32)>,
    /// What the sources admit: a position in [`Crossings::sets`].
    pub(super) admitted: usize,
}

/// Everything that a set of gates lets pass, over some services.
pub(super) struct Crossings {
    pub(super) sets: Vec<Admitted>,
    pub(super) all: Vec<Crossing>,
    /// Of what the crossings let through, interfaces that talk to themselves, over all services.
    itself: u64,
}

impl Crossings {
    /// `services` are in order, each once.
    pub(super) fn new(network: &Network<'_>, gates: &Gates, services: &[Service]) -> Self {
        let mut sets = Sets::new(network);
        let [egress, ingress] = [Direction::Egress, Direction::Ingress]
            .map(|direction| Profiles::new(network, gates, direction, services, &mut sets));
        let sets = sets.found;
        let mut all = Vec::new();
        for (profile, classes) in egress.runs.iter().zip(&egress.classes) {
            for run in profile {
                let mut targets: HashMap<usize, Vec<(u32, u32, u32)>> = HashMap::default();
                for &(class, receivers) in &sets[run.admitted].classes {
                    for inward in ingress.of(class) {
                        let services = overlap(&run.services, &inward.services);
                        if services > 0 {
                            let targets = targets.entry(inward.admitted).or_default();
                            targets.push((class, receivers, services));
                        }
                    }
                }
                let mut targets: Vec<_> = targets.into_iter().collect();
                targets.sort_unstable_by_key(|&(inward, _)| inward);
                for (inward, targets) in targets {
                    let sources = among(classes, &sets[inward]);
                    if !sources.is_empty() {
                        all.push(Crossing {
                            sources,
                            targets,
                            admitted: run.admitted,
                        });
                    }
                }
            }
        }
        let itself = itself(network, &sets, &egress, &ingress);
        Self { sets, all, itself }
    }

    /// How many pairs of two interfaces may talk, summed over the services.
    pub(super) fn pairs(&self) -> u64 {
        let through = |crossing: &Crossing| {
            let senders: u64 = crossing.sources.iter().map(|&(_, n)| u64::from(n)).sum();
            let receivers = crossing.targets.iter();
            let receivers = receivers.map(|&(_, n, services)| u64::from(n) * u64::from(services));
            senders * receivers.sum::<u64>()
        };
        self.all.iter().map(through).sum::<u64>() - self.itself
    }
}

fn overlap(a: &Range<u32>, b: &Range<u32>) -> u32 {
    a.end.min(b.end).saturating_sub(a.start.max(b.start))
}

/// Some classes, with how many of their interfaces are in a set; without those that have none there.
fn among(classes: &[u32], set: &Admitted) -> Vec<(u32, u32)> {
    if classes.len() < set.classes.len() {
        let counted = classes.iter().map(|&class| (class, set.count(class)));
        return counted.filter(|&(_, count)| count > 0).collect();
    }
    let wanted = |(class, _): &&(u32, u32)| classes.binary_search(class).is_ok();
    set.classes.iter().filter(wanted).copied().collect()
}

/// How often an interface may talk to itself, which is no pair.
fn itself(network: &Network<'_>, sets: &[Admitted], egress: &Profiles, ingress: &Profiles) -> u64 {
    let of_class = |class: usize| -> u64 {
        let own = small(class);
        let within = |run: &&Run| sets[run.admitted].count(own) > 0;
        let pairs = egress.of(own).iter().filter(within).flat_map(|out| {
            let inward = ingress.of(own).iter().filter(within);
            inward.map(move |inward| (out, inward))
        });
        pairs
            .map(|(out, inward)| {
                let services = u64::from(overlap(&out.services, &inward.services));
                if services == 0 {
                    return 0;
                }
                let inward: HashSet<u32> = network.among(class, &sets[inward.admitted]).collect();
                let out = network.among(class, &sets[out.admitted]);
                services * out.filter(|ix| inward.contains(ix)).count() as u64
            })
            .sum()
    };
    (0..network.classes.len()).map(of_class).sum()
}

/// What each class permits in one direction.
struct Profiles {
    /// By class, the position of its runs.
    of_class: Vec<usize>,
    runs: Vec<Vec<Run>>,
    /// By position, the classes that have them; in order.
    classes: Vec<Vec<u32>>,
}

impl Profiles {
    fn new(
        network: &Network<'_>,
        gates: &Gates,
        direction: Direction,
        services: &[Service],
        sets: &mut Sets<'_>,
    ) -> Self {
        let mut known: HashMap<Vec<Run>, usize> = HashMap::default();
        let mut profiles = Self {
            of_class: Vec::with_capacity(network.classes.len()),
            runs: Vec::new(),
            classes: Vec::new(),
        };
        for (position, class) in network.classes.iter().enumerate() {
            let runs = runs(class, gates, direction, services, sets);
            let profile = *known.entry(runs).or_insert_with_key(|runs| {
                profiles.runs.push(runs.clone());
                profiles.classes.push(Vec::new());
                profiles.runs.len() - 1
            });
            profiles.classes[profile].push(small(position));
            profiles.of_class.push(profile);
        }
        profiles
    }

    fn of(&self, class: u32) -> &[Run] {
        &self.runs[self.of_class[class as usize]]
    }
}

/// The services cut where a rule of the class begins or ceases to hold, with what is admitted between two cuts.
fn runs(
    class: &Class,
    gates: &Gates,
    direction: Direction,
    services: &[Service],
    sets: &mut Sets<'_>,
) -> Vec<Run> {
    let mut rules: Vec<(Range<u32>, usize)> = Vec::new();
    let mut cuts: Vec<u32> = Vec::new();
    for (first, last, target) in gates.reach(&class.groups, direction) {
        let from = services.partition_point(|service| *service < first);
        let to = services.partition_point(|service| *service <= last);
        if from < to {
            let range = small(from)..small(to);
            cuts.extend([range.start, range.end]);
            rules.push((range, sets.of_target(class, direction, target)));
        }
    }
    cuts.sort_unstable();
    cuts.dedup();
    let mut runs: Vec<Run> = Vec::new();
    for cut in cuts.windows(2) {
        let holds = rules.iter().filter(|(range, _)| range.contains(&cut[0]));
        let mut own: Vec<usize> = holds.map(|&(_, set)| set).collect();
        own.sort_unstable();
        own.dedup();
        if own.is_empty() {
            continue;
        }
        let admitted = sets.union(own);
        match runs.last_mut() {
            Some(last) if last.admitted == admitted && last.services.end == cut[0] => {
                last.services.end = cut[1];
            }
            _ => runs.push(Run {
                services: cut[0]..cut[1],
                admitted,
            }),
        }
    }
    runs
}

/// Sets of interfaces, each made once.
struct Sets<'a> {
    network: &'a Network<'a>,
    found: Vec<Admitted>,
    of_target: HashMap<Key, usize>,
    unions: HashMap<Vec<usize>, usize>,
}

/// What a rule's target comes to, seen from a class: paths depend on the class's place in the network alone.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Group(GroupIx, Direction, Place),
    Addresses(AddressSet, Place),
    Nobody,
}

/// A VPC, and a subnet where routes of subnets matter; by an interface of it.
type Place = (String, String);

impl<'a> Sets<'a> {
    fn new(network: &'a Network<'a>) -> Self {
        Self {
            network,
            found: Vec::new(),
            of_target: HashMap::default(),
            unions: HashMap::default(),
        }
    }

    fn add(&mut self, mut members: Vec<(u32, u32)>) -> usize {
        members.sort_unstable();
        members.dedup();
        self.found.push(Admitted::of(self.network, &members));
        self.found.len() - 1
    }

    fn of_target(&mut self, class: &Class, direction: Direction, target: &CompiledTarget) -> usize {
        let inventory = self.network.inventory;
        let at = inventory.interface(class.example);
        let place = || {
            let subnet = if inventory.inspects() {
                &*at.subnet
            } else {
                ""
            };
            (at.vpc.to_string(), subnet.to_owned())
        };
        let key = match target {
            CompiledTarget::Group(group, _) => Key::Group(*group, direction, place()),
            CompiledTarget::Addresses(addresses) => Key::Addresses(addresses.clone(), place()),
            CompiledTarget::AbsentGroup(_)
            | CompiledTarget::AbsentList
            | CompiledTarget::Nobody => Key::Nobody,
        };
        if let Some(&known) = self.of_target.get(&key) {
            return known;
        }
        let members = self.admitted(class, direction, target);
        let set = self.add(members);
        self.of_target.insert(key, set);
        set
    }

    /// The interfaces of the network that a target holds under any of their addresses, and to which there is a path.
    fn admitted(
        &self,
        class: &Class,
        direction: Direction,
        target: &CompiledTarget,
    ) -> Vec<(u32, u32)> {
        let network = self.network;
        let inventory = network.inventory;
        let at = inventory.interface(class.example);
        match target {
            CompiledTarget::Addresses(addresses) => {
                let holders = addresses.among(&network.by_address).map(|&(_, ix)| ix);
                let counts =
                    |ix: &InterfaceIx| inventory.path_between(at, inventory.interface(*ix));
                let member = |ix: InterfaceIx| {
                    let class = network.class_of[ix.index()]?;
                    Some((class, small(ix.index())))
                };
                holders.filter(counts).filter_map(member).collect()
            }
            CompiledTarget::Group(group, _) => {
                let members = network.classes_of(*group).flat_map(|class| {
                    let members = network.classes[class].members.iter();
                    members.map(move |&member| (small(class), member))
                });
                let counts = |(_, ix): &(u32, u32)| {
                    let peer = &inventory.interfaces()[*ix as usize];
                    !peer.addresses.is_empty() && inventory.reference_works(at, direction, peer)
                };
                members.filter(counts).collect()
            }
            CompiledTarget::AbsentGroup(_)
            | CompiledTarget::AbsentList
            | CompiledTarget::Nobody => Vec::new(),
        }
    }

    /// The union of some sets, in order. Mostly the largest holds the others: a rule to a whole network beside some to groups.
    fn union(&mut self, own: Vec<usize>) -> usize {
        if let [only] = own[..] {
            return only;
        }
        if let Some(&known) = self.unions.get(&own) {
            return known;
        }
        let size = |&set: &usize| self.found[set].classes.len();
        let largest = own.iter().copied().max_by_key(size).unwrap_or_default();
        let held = |set: &usize| self.found[largest].holds(self.network, &self.found[*set]);
        let set = if own.iter().all(held) {
            largest
        } else {
            let sets = own.iter().map(|&set| &self.found[set]);
            let members = sets.flat_map(|set| set.members(self.network)).collect();
            self.add(members)
        };
        self.unions.insert(own, set);
        set
    }
}

fn classes(inventory: &Inventory) -> Vec<Class> {
    let mut by_key: BTreeMap<(&str, &[GroupIx]), Class> = BTreeMap::new();
    for ix in inventory.interface_indexes() {
        let interface = inventory.interface(ix);
        if interface.groups.is_empty()
            || interface.groups.iter().any(|&g| !inventory.group(g).known)
        {
            continue;
        }
        by_key
            .entry((&interface.vpc, &interface.groups))
            .or_insert_with(|| Class {
                groups: interface.groups.clone(),
                members: Vec::new(),
                example: ix,
            })
            .members
            .push(small(ix.index()));
    }
    by_key.into_values().collect()
}

/// Interfaces by some of their addresses, in order.
pub(super) fn by_address<'a, A: Iterator<Item = IpAddr>>(
    inventory: &'a Inventory,
    addresses: impl Fn(&'a Interface) -> A,
) -> Vec<(IpAddr, InterfaceIx)> {
    let all = inventory
        .interface_indexes()
        .flat_map(|ix| addresses(inventory.interface(ix)).map(move |address| (address, ix)));
    let mut by_address: Vec<(IpAddr, InterfaceIx)> = all.collect();
    by_address.sort_unstable();
    by_address
}

pub(super) fn path(inventory: &Inventory, a: InterfaceIx, b: InterfaceIx) -> bool {
    inventory.path_between(inventory.interface(a), inventory.interface(b))
}
