//! What there is to say about the rules themselves.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::ladder::QuotaPressure;
use super::rule::{Reason, RevokedBecause, RuleSet};
use crate::findings::{
    Context, Finding, Found, open_egress_port, quota_pressure, unpinned_internet,
};
use crate::inventory::{Direction, GroupIx, Inventory};
use crate::net::{plural, thousands, visible};

/// Findings about a rule set: ports that had to stay open, and groups that would have more
/// rules than AWS takes.
pub fn notices(context: &Context<'_>, rules: &RuleSet) -> Vec<Finding> {
    let inventory = context.inventory;
    let unpinned = rules.rules.iter().filter(|r| r.reason == Reason::Unpinned).map(|r| {
        let responders = r.evidence.iter().map(|&c| context.connections[c].responder.address);
        let responders: BTreeSet<IpAddr> = responders.collect();
        let found = Found {
            subject: r.id.clone(),
            detail: format!(
                "Group {} connected on {} to {} internet addresses, too many to list. The rule stays open to {}.",
                name(inventory, r.group),
                r.rule.port_pair().map_or_else(String::new, |(port, _)| format!("{}/{port}", r.rule.protocol)),
                thousands(responders.len() as u64),
                r.rule.target,
            ),
            group: Some(r.group),
            evidence: r.evidence.clone(),
            ..Found::default()
        };
        Finding::new(&unpinned_internet::KIND, found, context)
    });
    let pressure = rules.pressure.iter().map(|pressure| {
        let found = Found {
            subject: pressure.direction.as_str().to_owned(),
            detail: in_words(pressure, inventory, rules),
            group: Some(pressure.group),
            when: Some((
                context.intake.window.unwrap_or_default().0,
                context.intake.window.unwrap_or_default().1,
                0,
            )),
            ..Found::default()
        };
        Finding::new(&quota_pressure::KIND, found, context)
    });
    unpinned.chain(pressure).collect()
}

/// Says of ports that are open to everybody and that the change closes what to do: their rules go as open egress does.
pub fn mark_narrowed(findings: &mut [Finding], rules: &RuleSet) {
    let gone = rules.revocations.iter();
    let gone: BTreeSet<(GroupIx, String)> = gone
        .filter(|gone| gone.because == RevokedBecause::OpenPort)
        .map(|gone| (gone.group, open_egress_port::subject(&gone.rule)))
        .collect();
    let of_port = |finding: &&mut Finding| finding.kind.id == open_egress_port::KIND.id;
    for finding in findings.iter_mut().filter(of_port) {
        let subject = finding.found.subject.clone();
        if finding
            .found
            .group
            .is_some_and(|group| gone.contains(&(group, subject)))
        {
            finding.found.remediation = Some(REVOKE_NARROWED);
        }
    }
}

/// What to do about a rule for some ports to everybody that the change revokes.
const REVOKE_NARROWED: &str = "Add the suggested rules, then revoke this one.";

/// What was done about a group that would have more rules than AWS takes.
fn in_words(pressure: &QuotaPressure, inventory: &Inventory, rules: &RuleSet) -> String {
    let QuotaPressure {
        direction,
        at_level,
        rung,
        fewest,
        quotas,
        ..
    } = pressure;
    let before = format!(
        "Group {} would have {} {} rules; AWS takes {}.",
        name(inventory, pressure.group),
        thousands(at_level.rules),
        direction.as_str(),
        quotas.rules_per_group,
    );
    if !pressure.is_left_out() {
        return format!(
            "{before} They are written {}, which makes {} and opens {} instead of {}.",
            rung.as_str(),
            thousands(fewest.rules),
            addresses(fewest.addresses),
            addresses(at_level.addresses),
        );
    }
    let stays = match direction {
        Direction::Egress => "its interfaces keep their open egress",
        Direction::Ingress => "its ingress rules of today go on serving",
    };
    let mut own = rules.rules.iter().filter(|r| r.group == pressure.group);
    let of_policy = own.any(|r| r.reason == Reason::Policy && r.rule.direction == *direction);
    let options = pressure.options(inventory);
    let options: Vec<String> = options
        .iter()
        .map(|option| {
            let possible = if option.possible {
                ""
            } else {
                " (more than AWS takes)"
            };
            format!("{}{possible}", option.what)
        })
        .collect();
    format!(
        "{before} At least {} are needed, so none{} is written, and {stays}. Decide: {}.",
        thousands(fewest.rules),
        if of_policy {
            " beside the policy's"
        } else {
            ""
        },
        options.join("; or ")
    )
}

fn addresses(count: u128) -> String {
    u64::try_from(count).map_or_else(
        |_error| format!("{count} addresses"),
        |count| plural(count, "address"),
    )
}

fn name(inventory: &Inventory, group: GroupIx) -> String {
    let group = inventory.group(group);
    format!("{} ({})", visible(&group.name, 80), group.id)
}
