//! Connections that lack the same rule, as one difference.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::difference::{Difference, target_in_words};
use crate::documents::{Direction, DriftKind, DriftLevel};
use crate::inventory::{Inventory, Rule, RulePorts, RuleProtocol, Target};
use crate::net::{ConnectionId, Service, is_public, plural, prefix_of, thousands};
use crate::policy::PlacedEntry;
use crate::resolve::{Connection, End, visible_groups};

/// Connections that a difference names.
const EXAMPLES: usize = 3;

/// Addresses that a sentence names.
const ADDRESSES: usize = 3;

/// What the connections of one difference have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Common<'a> {
    kind: DriftKind,
    level: DriftLevel,
    group: &'a str,
    key: Option<&'a str>,
    direction: Direction,
    service: Service,
    peer: Peers<'a>,
}

/// The other ends: of one group, or addresses of the public internet or of other networks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Peers<'a> {
    Group(&'a str),
    Internal,
    Internet,
}

/// The connections themselves.
struct Connections<'a> {
    name: &'a str,
    entry: Option<PlacedEntry<'a>>,
    has_file: bool,
    count: u64,
    examples: Vec<ConnectionId>,
    addresses: BTreeSet<IpAddr>,
    to_do: String,
    /// What is said after the connections.
    says: String,
}

/// A connection that lacks a rule.
pub(super) struct Lacking<'a> {
    pub(super) kind: DriftKind,
    pub(super) level: DriftLevel,
    /// The id and the name of the group that would have the rule, and whether the policy has a file for it.
    pub(super) group: (&'a str, &'a str, bool),
    /// The entry that is about it, if there is one.
    pub(super) entry: Option<PlacedEntry<'a>>,
    /// The end that the rule would judge, and the other.
    pub(super) ends: (End, End),
    pub(super) direction: Direction,
    pub(super) connection: &'a Connection,
    /// What is said after the connections.
    pub(super) says: String,
    pub(super) to_do: String,
}

/// Connections by what they have in common.
pub(super) struct AlikeConnections<'a> {
    inventory: &'a Inventory,
    by_common: BTreeMap<Common<'a>, Connections<'a>>,
}

impl<'a> AlikeConnections<'a> {
    pub(super) const fn new(inventory: &'a Inventory) -> Self {
        Self {
            inventory,
            by_common: BTreeMap::new(),
        }
    }

    /// Adds a connection. They come in the order of their ids.
    pub(super) fn add(&mut self, lacking: Lacking<'a>) {
        let Lacking {
            kind,
            level,
            group: (group, name, has_file),
            entry,
            ends: (at, peer),
            direction,
            connection,
            says,
            to_do,
        } = lacking;
        let groups = visible_groups(self.inventory, at, direction, peer);
        let common = Common {
            kind,
            level,
            group,
            key: entry.map(|(_, entry)| entry.key.as_str()),
            direction,
            service: connection.service,
            peer: match groups.first() {
                Some(&ix) => Peers::Group(self.inventory.group(ix).id.as_str()),
                None if is_public(peer.address) => Peers::Internet,
                None => Peers::Internal,
            },
        };
        let all = self.by_common.entry(common).or_insert_with(|| Connections {
            name,
            entry,
            has_file,
            count: 0,
            examples: Vec::new(),
            addresses: BTreeSet::new(),
            to_do,
            says,
        });
        all.count += 1;
        all.addresses.insert(peer.address);
        if all.examples.len() < EXAMPLES {
            all.examples.push(connection.id);
        }
    }

    /// The differences, in order. `kind` says what the connections are: `accepted`, `quarantined`.
    pub(super) fn finish(self, kind: &str) -> impl Iterator<Item = Difference> {
        let Self {
            inventory,
            by_common,
        } = self;
        by_common.into_iter().map(move |(common, connections)| {
            let rule = common.rule(&connections);
            let peers = match (&rule, &common.peer) {
                (Some(rule), _) => target_in_words(inventory, &rule.target),
                (None, peers) => addresses_in_words(peers, &connections.addresses),
            };
            let says = match connections.count {
                1 => connections.says.replace(" them", " it"),
                _ => connections.says,
            };
            let what = format!(
                "{} of {} {} {}: {}",
                plural(connections.count, &format!("{kind} connection")),
                common.service,
                common.direction.preposition(),
                peers,
                says
            );
            let mut difference =
                Difference::new(common.kind, common.level, what, connections.to_do)
                    .of(common.group, connections.name)
                    .in_file(connections.has_file);
            if let Some(entry) = connections.entry {
                difference = difference.by(entry);
            }
            difference.about = format!(
                "{} {} {}",
                common.direction.as_str(),
                common.service,
                common.peer.as_str()
            );
            difference.rule = rule;
            difference.connections = connections.count;
            difference.examples = connections.examples;
            difference
        })
    }
}

impl Peers<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Group(id) => id,
            Self::Internal => "internal",
            Self::Internet => "internet",
        }
    }
}

impl Common<'_> {
    /// The one rule that would permit the connections; none where it takes several.
    fn rule(&self, connections: &Connections<'_>) -> Option<Rule> {
        let target = match self.peer {
            Peers::Group(id) => Target::Group(id.to_owned()),
            Peers::Internal | Peers::Internet => {
                let mut addresses = connections.addresses.iter();
                let only = addresses.next()?;
                if addresses.next().is_some() {
                    return None;
                }
                Target::Cidr(prefix_of(*only, u8::MAX))
            }
        };
        Some(Rule {
            direction: self.direction,
            protocol: RuleProtocol::One(self.service.protocol),
            ports: RulePorts::of(self.service),
            target,
            rule_id: None,
            description: String::new(),
            tags: Vec::new(),
        })
    }
}

/// `12 addresses of the internet such as 192.0.2.1, 192.0.2.7, 192.0.2.9`.
fn addresses_in_words(peers: &Peers<'_>, addresses: &BTreeSet<IpAddr>) -> String {
    let place = match peers {
        Peers::Internet => "of the internet",
        Peers::Group(_) | Peers::Internal => "of internal networks",
    };
    let some = addresses.iter().take(ADDRESSES).map(ToString::to_string);
    let some: Vec<String> = some.collect();
    format!(
        "{} addresses {place} such as {}",
        thousands(addresses.len() as u64),
        some.join(", ")
    )
}
