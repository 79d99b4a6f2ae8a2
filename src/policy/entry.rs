//! What a policy says about one thing that a group may open, or admit.

use std::collections::BTreeSet;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::documents::{Direction, Rating};
use crate::inventory::{Rule, RulePorts, RuleProtocol, Target};

/// Days before the last one that are remembered one by one.
pub(super) const REMEMBERED: i64 = 92;

/// What a person has said about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryState {
    /// Nothing yet.
    Proposed,
    /// Yes: the rule should stand.
    Accepted,
    /// No, for good.
    Declined,
    /// Not now.
    Deferred,
}

impl EntryState {
    /// Every state, in order.
    pub const ALL: &'static [Self] = &[
        Self::Proposed,
        Self::Accepted,
        Self::Declined,
        Self::Deferred,
    ];

    /// The word in the files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Deferred => "deferred",
        }
    }

    /// The state of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|state| state.as_str() == word)
    }

    /// Whether a person has said yes or no.
    pub const fn is_decided(self) -> bool {
        matches!(self, Self::Accepted | Self::Declined)
    }
}

/// The one target of an entry: where connections go, or, of an ingress entry, where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyTarget {
    /// `sg-…`
    Group(String),
    /// Prefixes of either family, in order; none holds another.
    Prefixes(Vec<IpNet>),
    /// `pl-…`
    PrefixList(String),
    /// A service of AWS by name, such as S3.
    Service(String),
}

/// Where a run showed that an entry is used. A later one replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryEvidence {
    /// The end of the run's observation window.
    pub until: Timestamp,
    /// The name of the run's directory.
    pub run: String,
    /// Ids of some of its rules, in order.
    pub rules: Vec<String>,
    /// Ids of some of its connections, in order.
    pub connections: Vec<String>,
    /// Ids of some connections that the run quarantined and that its rules permit all the same, in order.
    pub quarantined: Vec<String>,
}

/// One entry: `[[allow]]` for egress, `[[admit]]` for ingress that has no egress half in the policy.
#[derive(Clone, Debug)]
pub struct PolicyEntry {
    /// Its name for ever: unique in the policy, and a name that Terraform takes.
    pub key: String,
    /// Egress or ingress.
    pub direction: Direction,
    /// The one target.
    pub target: PolicyTarget,
    /// The target's name, for people; hostile.
    pub target_name: Option<String>,
    /// Of an egress entry to a group: whether the ingress rule of the target's group belongs to it.
    pub mutual: bool,
    /// The protocol.
    pub protocol: RuleProtocol,
    /// Ports as the file lists them, or the one ICMP type, or `Any`; never empty.
    pub ports: Vec<RulePorts>,
    /// What a person has said.
    pub state: EntryState,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Where it was discussed.
    pub ticket: Option<String>,
    /// The last day on which an accepted entry holds.
    pub expires: Option<Date>,
    /// The first day on which a connection needed it.
    pub first_seen: Option<Date>,
    /// Days on which connections certainly needed it, of the 92 days up to the last of them.
    pub days: BTreeSet<Date>,
    /// The most connections that one run had for it.
    pub connections: u64,
    /// How sure the surest run was.
    pub confidence: Option<Rating>,
    /// Where it was seen last.
    pub evidence: Option<EntryEvidence>,
    /// The accepted entry that it adds to.
    pub extends: Option<String>,
    /// What changed since a person decided.
    pub changed: Option<String>,
    /// Where it begins in its file, from 1; 0 for one that is in no file yet.
    pub line: usize,
}

impl PolicyEntry {
    /// The last day on which a connection certainly needed it.
    pub fn last_seen(&self) -> Option<Date> {
        self.days.last().copied()
    }

    /// The rules on the entry's own group. None for a service of AWS.
    pub fn rules(&self) -> Vec<Rule> {
        let targets: Vec<Target> = match &self.target {
            PolicyTarget::Group(id) => vec![Target::Group(id.clone())],
            PolicyTarget::Prefixes(nets) => nets.iter().copied().map(Target::Cidr).collect(),
            PolicyTarget::PrefixList(id) => vec![Target::PrefixList(id.clone())],
            PolicyTarget::Service(_) => Vec::new(),
        };
        let ports = self.ports.iter();
        ports
            .flat_map(|&ports| targets.iter().map(move |target| (ports, target)))
            .map(|(ports, target)| self.rule(self.direction, ports, target.clone()))
            .collect()
    }

    /// The ingress rules that a mutual entry of the group `own` means for the group that it names.
    pub fn other_half(&self, own: &str) -> Vec<Rule> {
        match &self.target {
            PolicyTarget::Group(_) if self.mutual => {
                let ports = self.ports.iter();
                ports
                    .map(|&ports| {
                        self.rule(Direction::Ingress, ports, Target::Group(own.to_owned()))
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn rule(&self, direction: Direction, ports: RulePorts, target: Target) -> Rule {
        Rule {
            direction,
            protocol: self.protocol,
            ports,
            target,
            rule_id: None,
            description: String::new(),
            tag_keys: Vec::new(),
        }
    }

    /// Whether the entry permits all that a rule does, on both sides if the rule is half of a mutual pair. A declined one decides about
    /// its own side, and with it about the pair.
    pub(super) fn covers(&self, rule: &Rule, mutual: bool) -> bool {
        (self.mutual || !mutual || self.state == EntryState::Declined)
            && self.rules().iter().any(|own| own.covers(rule))
    }

    /// Whether the latest run that needed it quarantined a connection that it permits.
    pub fn permits_quarantined(&self) -> bool {
        let evidence = self.evidence.as_ref();
        evidence.is_some_and(|evidence| !evidence.quarantined.is_empty())
    }

    /// Whether the accepted entry holds on a day.
    pub fn holds_on(&self, day: Date) -> bool {
        self.state == EntryState::Accepted && self.expires.is_none_or(|last| day <= last)
    }

    /// Remembers days, and forgets those that are too old.
    pub(super) fn add_days(&mut self, first: Option<Date>, days: impl IntoIterator<Item = Date>) {
        self.days.extend(days);
        self.first_seen = [self.first_seen, first, self.days.first().copied()]
            .into_iter()
            .flatten()
            .min();
        if let Some(last) = self.last_seen() {
            self.days
                .retain(|&day| days_between(day, last) < REMEMBERED);
        }
    }
}

/// Prefixes in order, without those that others hold.
pub(super) fn outermost(mut nets: Vec<IpNet>) -> Vec<IpNet> {
    nets.sort_unstable();
    nets.dedup();
    let all = nets.clone();
    nets.retain(|net| !all.iter().any(|other| other != net && other.contains(net)));
    nets
}

/// Whole days from one day to another.
pub(super) fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}
