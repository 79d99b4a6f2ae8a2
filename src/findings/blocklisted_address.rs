//! `blocklisted-address`: a destination on one of the user's lists.

use super::context::Context;
use super::destination::{found, outgoing};
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal, crypto_mining, tor};
use crate::net::visible;

pub(super) const KIND: Kind = Kind {
    id: "blocklisted-address",
    family: Family::Destination,
    severity: Severity::High,
    confidence: Rating::High,
    quarantine: true,
    title: "Connection to an address on a blocklist",
    remediation: "Isolate the host, find the program that opened the connection, and look for other hosts with the same destination. If the list is wrong, approve the destination with a reason.",
    sources: &[
        "GuardDuty: MaliciousIPCaller.Custom, C&CActivity.B, DropPoint, BlackholeTraffic",
        "STIX 2.1 and MISP core format: how lists are published",
    ],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per connection and list; the lists are the user's (`--blocklist`). Those with the name of a kind are that kind's.
fn find(context: &Context<'_>) -> Vec<Found> {
    let mut all = Vec::new();
    let of_a_kind = [tor::KIND.id, crypto_mining::KIND.id];
    let lists = context.policy.blocklists.iter();
    for list in lists.filter(|list| !of_a_kind.contains(&list.name.as_str())) {
        let listed = outgoing(context, |c| list.addresses.contains(c.responder.address));
        for (position, connection) in listed {
            let mut found = found(context, &KIND, position, connection);
            let name = visible(&list.name, 80);
            found.detail = format!("{} The list is {name}.", found.detail);
            found.subject = name;
            all.push(found);
        }
    }
    all
}
