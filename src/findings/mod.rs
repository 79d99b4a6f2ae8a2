//! Stage 5: what is open and what is suspicious.
//!
//! A kind of finding is data plus, where data does not say it, a function: one
//! file, one entry in [`KINDS`], one card in `docs/findings.md`, one test and one
//! fixture, all of one name. Detections produce; [`detect`] alone orders them and
//! decides what is quarantined. No finding without evidence of who opened the
//! connection: a server's reply to a client that happens to use port 6667 is not IRC.

mod baseline;
mod benchmarks;
mod destination;
mod egress_evidence;
mod finding;
mod lists;
mod opened;
mod owners;
mod policy;
mod public_resolvers;
mod scan;

mod beaconing;
mod blocklisted_address;
mod callback_port;
mod crypto_mining;
mod database_out;
mod default_group_in_use;
mod dns_over_https;
mod dns_over_tls;
mod expired_approval;
mod ftp;
mod guessed_direction;
mod host_sweep;
mod irc;
mod large_upload;
mod mail_submission;
mod new_destination;
mod one_sided;
mod open_egress;
mod open_egress_port;
mod open_through_another_group;
mod port_scan;
mod proxy_out;
pub(crate) mod quota_pressure;
mod rdp_out;
mod rpc;
mod short_window;
mod skipped_records;
mod smb;
mod smtp;
mod ssh_out;
mod stale_reference;
mod telnet;
mod third_party_dns;
mod tor;
pub(crate) mod unpinned_internet;
mod unresolved_interface;
mod unused_egress_rule;
mod unused_group;
mod unusual_protocol;
mod vnc_out;
mod wide_egress;
mod winrm_out;

pub use crate::documents::{Family, Outcome, Rating, Severity};
pub use baseline::Baseline;
pub use benchmarks::benchmarks;
pub use finding::{Context, Finding, Found, Kind, Signal, Threshold};
pub use lists::Blocklist;
pub use opened::OpenedConnections;
pub use owners::Owners;
pub use policy::{Approval, Policy, Tuning};
pub use public_resolvers::Resolvers;
pub use short_window::SHORT_WINDOW_DAYS;

use rayon::prelude::*;

use crate::resolve::{Connection, Quarantine, Verdict};

/// Every kind, in the order of the contract: posture, quarantined destinations,
/// reported destinations, behaviour, evidence.
pub const KINDS: &[&Kind] = &[
    &open_egress::KIND,
    &open_egress_port::KIND,
    &wide_egress::KIND,
    &unused_egress_rule::KIND,
    &unused_group::KIND,
    &stale_reference::KIND,
    &default_group_in_use::KIND,
    &open_through_another_group::KIND,
    &quota_pressure::KIND,
    &unpinned_internet::KIND,
    &irc::KIND,
    &third_party_dns::KIND,
    &dns_over_tls::KIND,
    &dns_over_https::KIND,
    &tor::KIND,
    &smtp::KIND,
    &crypto_mining::KIND,
    &smb::KIND,
    &rpc::KIND,
    &telnet::KIND,
    &rdp_out::KIND,
    &winrm_out::KIND,
    &vnc_out::KIND,
    &blocklisted_address::KIND,
    &callback_port::KIND,
    &ssh_out::KIND,
    &ftp::KIND,
    &mail_submission::KIND,
    &database_out::KIND,
    &proxy_out::KIND,
    &unusual_protocol::KIND,
    &port_scan::KIND,
    &host_sweep::KIND,
    &beaconing::KIND,
    &large_upload::KIND,
    &new_destination::KIND,
    &skipped_records::KIND,
    &short_window::KIND,
    &unresolved_interface::KIND,
    &one_sided::KIND,
    &guessed_direction::KIND,
    &expired_approval::KIND,
];

/// Finds everything there is to find; the worst first, then by kind and id.
pub fn detect(context: &Context<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = KINDS
        .par_iter()
        .filter(|kind| context.policy.reports(kind))
        .flat_map_iter(|kind| {
            let found = match kind.signal {
                Signal::Destination(test) => destination::find(context, kind, test),
                Signal::Function(find) => find(context),
                Signal::Rules => Vec::new(),
            };
            found
                .into_iter()
                .map(|found| Finding::new(kind, found, context))
        })
        .collect();
    sort(&mut findings);
    findings
}

/// Threats first, then the worst first, then by kind and id.
pub fn sort(findings: &mut [Finding]) {
    let order = |f: &Finding| (!f.is_threat(), f.severity, f.kind.id);
    findings.sort_by(|a, b| (order(a), &a.id).cmp(&(order(b), &b.id)));
}

/// Takes the connections that suspicious destinations rest on out of the rules,
/// and says so in the findings: what was refused anyway is not quarantined.
pub fn quarantine(policy: &Policy, connections: &mut [Connection], findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|f| policy.quarantines(f.kind)) {
        for &position in &finding.evidence {
            let verdict = &mut connections[position].verdict;
            if *verdict == Verdict::Accepted {
                *verdict = Verdict::Quarantined(Quarantine::Finding(finding.kind.id));
            }
            finding.quarantined |= matches!(*verdict, Verdict::Quarantined(_));
        }
    }
}
