//! Stage 5: what is open and what is suspicious.
//!
//! A kind of finding is data plus, where data does not say it, a function: one
//! file, one entry in [`KINDS`], one card in `docs/findings.md`, one test and one
//! fixture, all of one name. Detections produce; [`detect`] alone orders them and
//! decides what is quarantined. No finding without evidence of who opened the
//! connection: a server's reply to a client that happens to use port 6667 is not IRC.

mod baseline;
mod benchmarks;
mod context;
mod destination;
mod egress_evidence;
mod finding;
mod fold;
mod kind;
mod lists;
mod opened;
mod owners;
mod policy;
mod public_resolvers;
mod scan;
mod signal;

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
pub(crate) mod open_egress_port;
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
pub use context::Context;
pub use finding::{Finding, FoldedFindings, Found, counted};
pub use fold::{APART, fold};
pub use kind::{Kind, Threshold};
pub use lists::Blocklist;
pub use opened::OpenedConnections;
pub use owners::Owners;
pub use policy::{Approval, Complete, Policy, Tuning};
pub use public_resolvers::Resolvers;
pub use short_window::SHORT_WINDOW_DAYS;
use signal::Signal;

use rayon::prelude::*;

use crate::resolve::{Connection, Quarantine, Verdict};

/// [`KINDS`], and how each is found, from the names of their files.
macro_rules! kinds {
    ($($kind:ident)+) => {
        /// Every kind, in the order of the contract: posture, quarantined destinations, reported destinations, behaviour, evidence.
        pub const KINDS: &[&Kind] = &[$(&$kind::KIND),+];

        /// How each kind of [`KINDS`] is found.
        const SIGNALS: &[Signal] = &[$($kind::SIGNAL),+];
    };
}

kinds! {
    open_egress
    open_egress_port
    wide_egress
    unused_egress_rule
    unused_group
    stale_reference
    default_group_in_use
    open_through_another_group
    quota_pressure
    unpinned_internet
    irc
    third_party_dns
    dns_over_tls
    dns_over_https
    tor
    smtp
    crypto_mining
    smb
    rpc
    telnet
    rdp_out
    winrm_out
    vnc_out
    blocklisted_address
    callback_port
    ssh_out
    ftp
    mail_submission
    database_out
    proxy_out
    unusual_protocol
    port_scan
    host_sweep
    beaconing
    large_upload
    new_destination
    skipped_records
    short_window
    unresolved_interface
    one_sided
    guessed_direction
    expired_approval
}

/// Finds everything there is to find; the worst first, then by kind and id.
pub fn detect(context: &Context<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = KINDS
        .par_iter()
        .zip(SIGNALS)
        .filter(|(kind, _)| context.policy.reports(kind))
        .flat_map_iter(|(kind, signal)| {
            let found = match *signal {
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
