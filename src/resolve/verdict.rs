//! What is said about a connection: by its records, by today's rules, and by what is known of its ends.

use super::ends::End;
use super::evidence::{CurrentRules, is_unlisted};
use crate::documents::{Confidence, RecordCounts, VerdictTerm};
use crate::flow::EPHEMERAL_FROM;
use crate::inventory::{Admission, Inventory, Unknown};
use crate::net::Service;

/// What logs, today's rules and findings say about a connection. `resolve` decides all but [`Quarantine::Finding`], which
/// [`crate::findings::quarantine`] adds, and [`Quarantine::Declined`], which a run against a policy adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted in the logs, permitted today, and not suspicious: rules have to permit it.
    Accepted,
    /// A security group or network ACL rejected it, or today's rules would: it gets no rule.
    Rejected,
    /// Accepted in the logs, and kept out of the rules.
    Quarantined(Quarantine),
    /// No group of the inventory judges it.
    Unattributed(Unattributed),
}

impl Verdict {
    /// The word in documents.
    pub const fn term(self) -> VerdictTerm {
        match self {
            Self::Accepted => VerdictTerm::Accepted,
            Self::Rejected => VerdictTerm::Rejected,
            Self::Quarantined(_) => VerdictTerm::Quarantined,
            Self::Unattributed(_) => VerdictTerm::Unattributed,
        }
    }

    /// Why it is quarantined or unattributed, as documents spell it.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Accepted | Self::Rejected => None,
            Self::Quarantined(why) => Some(why.as_str()),
            Self::Unattributed(why) => Some(why.as_str()),
        }
    }
}

/// Why an accepted connection gets no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quarantine {
    /// A finding of this kind says so.
    Finding(&'static str),
    /// Its direction is a guess, and a rule would open a client's port.
    GuessedPort,
    /// Today's rules deny it: they have changed since the logs were written, and a rule would open again what was closed.
    NotPermittedToday,
    /// An entry of the policy that a person declined covers it. It need not be suspicious.
    Declined,
}

/// Why no group judges a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unattributed {
    /// Neither end is an interface of the inventory.
    NoLocalEnd,
    /// Its initiator is an interface that the inventory lacks: which groups judge it is unknown.
    UnknownInterface,
    /// One end changed its groups while it went on, and what it carried in the end would not permit it.
    GroupsChanged,
    /// One end is an interface that forwards what others sent, such as that of a NAT gateway. It is a leg of another connection; see
    /// [`super::Connection::leg_of`].
    Forwarded,
}

impl Quarantine {
    /// As documents spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finding(kind) => kind,
            Self::GuessedPort => "guessed-direction",
            Self::NotPermittedToday => "not-permitted-today",
            Self::Declined => "declined",
        }
    }
}

impl Unattributed {
    /// As documents spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoLocalEnd => "no-local-end",
            Self::UnknownInterface => "unknown-interface",
            Self::GroupsChanged => "groups-changed",
            Self::Forwarded => "forwarded",
        }
    }
}

impl RecordCounts {
    /// Some gate turned it away and never let it through.
    const fn was_refused(&self) -> bool {
        let out = self.egress_rejected > 0 && self.egress_accepted == 0;
        let inward = self.ingress_rejected > 0 && self.ingress_accepted == 0;
        let nothing_passed =
            self.egress_accepted + self.ingress_accepted + self.forwarded_accepted + self.replies
                == 0;
        (out || inward) && self.replies == 0 || nothing_passed
    }

    /// The responder's gate is known to have let it in: a row there says so, or
    /// an answer does.
    const fn reached_responder(&self) -> bool {
        self.ingress_accepted > 0 || self.replies > 0
    }
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) initiator: End,
    pub(super) responder: End,
    pub(super) service: Service,
    pub(super) confidence: Confidence,
    /// Packets of the other direction passed, which count as another connection: nothing tells the initiator.
    pub(super) is_answered: bool,
    pub(super) seen: RecordCounts,
    /// Its first record and its last, Unix seconds.
    pub(super) when: (u64, u64),
}

/// The verdict on a connection, but for what findings say.
pub(super) fn judge(facts: &Facts, rules: &CurrentRules<'_>) -> Verdict {
    let Facts {
        initiator,
        responder,
        service,
        confidence,
        is_answered,
        seen,
        when,
    } = facts;
    if seen.was_refused() {
        return Verdict::Rejected;
    }
    let forwards = |end: &End| {
        end.interface()
            .is_some_and(|ix| rules.inventory.interface(ix).kind.forwards())
    };
    if forwards(initiator) || forwards(responder) {
        return Verdict::Unattributed(Unattributed::Forwarded);
    }
    if is_unknown_initiator(rules.inventory, initiator, responder) {
        return Verdict::Unattributed(Unattributed::UnknownInterface);
    }
    if initiator.interface().is_none() && responder.interface().is_none() {
        return Verdict::Unattributed(Unattributed::NoLocalEnd);
    }
    if is_unfiltered(rules.inventory, *initiator, *responder, *service) {
        return Verdict::Accepted;
    }
    // A service known by its port below the ephemeral range may be guessed; a
    // rule on a port that a client may have picked may not.
    if *confidence == Confidence::Guessed && service.port >= EPHEMERAL_FROM {
        return Verdict::Quarantined(Quarantine::GuessedPort);
    }
    let opening = rules.judge(*initiator, *responder, *service);
    let is_denied = [opening.egress, opening.ingress].contains(&Admission::Denied);
    if is_denied && !rules.held_then([*initiator, *responder], *when) {
        return Verdict::Unattributed(Unattributed::GroupsChanged);
    }
    // Guessed groups permit; that they don't says nothing.
    if opening.egress == Admission::Unknown(Unknown::Interface) {
        return Verdict::Unattributed(Unattributed::UnknownInterface);
    }
    match (opening.egress, opening.ingress) {
        (Admission::Denied, _) => Verdict::Quarantined(Quarantine::NotPermittedToday),
        (_, Admission::Denied) if seen.reached_responder() || *is_answered => {
            Verdict::Quarantined(Quarantine::NotPermittedToday)
        }
        // Let out, not seen to arrive, and today's rules would not let it in.
        (_, Admission::Denied) => Verdict::Rejected,
        _ => Verdict::Accepted,
    }
}

/// Whether an initiator's egress rules are unknown because its groups are.
fn is_unknown_initiator(inventory: &Inventory, initiator: &End, responder: &End) -> bool {
    match initiator.interface() {
        Some(ix) => !inventory.interface(ix).groups_known,
        None => is_unlisted(inventory, *initiator, *responder),
    }
}

/// Whether security groups never judge what an interface sends to an address.
pub(super) fn is_unfiltered(
    inventory: &Inventory,
    initiator: End,
    responder: End,
    service: Service,
) -> bool {
    initiator
        .interface()
        .is_some_and(|ix| inventory.never_filtered(responder.address, ix, service.port))
}
