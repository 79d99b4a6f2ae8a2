//! `closegate explain`: every piece of evidence behind one line of a run, from its `audit.json`.

use anyhow::anyhow;

use super::explain_entry;
use crate::cli::args::ExplainArgs;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, Next};
use crate::cli::past_run::{
    self, connection_in_words, outcome_in_words, rule_in_words, verdict_in_words,
};
use crate::documents::{
    AfterState, AuditDocument, ConnectionRow, CurrentRow, EndRow, FindingRow, ProbesRow, RuleRow,
};
use crate::net::{ConnectionId, HashMap, plural, visible};

pub(in crate::cli) fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let ExplainArgs { run, id, policy } = args;
    let audit = past_run::load(run)?;
    if let Some(policy) = policy
        && let Some(text) = explain_entry::entry(&audit, policy, id)?
    {
        print(text)?;
        return Ok(Exit::Done);
    }
    let run = Run::new(&audit);
    let mut text = match id.split('-').next() {
        Some("r") => run.any_rule(id),
        Some("f") => run
            .finding_by_id(id)
            .map(|finding| run.finding(finding))
            .or_else(|| run.folded_finding(id)),
        Some("p") => run.probes_by_id(id).map(probes),
        Some("c") => id
            .parse()
            .ok()
            .and_then(|id| run.connection_by_id(id))
            .map(|connection| run.connection(connection)),
        _ => None,
    };
    if text.is_none() && id.starts_with("c-") {
        text = past_run::table_row(args.run.as_path(), id)?.map(|row| probe(&row));
    }
    let text = text.ok_or_else(|| {
        Failure::usage(anyhow!("`{id}` is not in this run; its ids begin with r- (rules), f- (findings), c- (connections) or p- (probes), see audit.json; with --policy, keys of its entries can be given too"))
    })?;
    print(text)?;
    next::propose(Next::Explained {
        run: args.run.clone(),
        evidence: run.first_evidence(id),
    });
    Ok(Exit::Done)
}

/// A run, read back.
struct Run<'a> {
    audit: &'a AuditDocument<'a>,
    /// What NAT gateways forwarded for a connection, by its id.
    legs: HashMap<ConnectionId, Vec<&'a ConnectionRow<'a>>>,
}

/// Appends one line, whatever the names in it hold.
macro_rules! say {
    ($out:expr, $($format:tt)*) => {
        $out.push_str(&(visible(&format!($($format)*), 400) + "\n"))
    };
}

impl<'a> Run<'a> {
    fn new(audit: &'a AuditDocument<'a>) -> Self {
        let mut legs: HashMap<ConnectionId, Vec<&ConnectionRow<'_>>> = HashMap::default();
        for leg in &audit.connections {
            let first = leg.leg_of.iter();
            let others = leg.leg_of_all.iter().filter(|id| leg.leg_of != Some(**id));
            for &client in first.chain(others) {
                legs.entry(client).or_default().push(leg);
            }
        }
        Self { audit, legs }
    }

    fn rule_by_id(&self, id: &str) -> Option<&'a RuleRow> {
        self.audit.rules.iter().find(|rule| rule.id == id)
    }

    fn current_by_id(&self, id: &str) -> Option<&'a CurrentRow> {
        self.audit.current_rules.iter().find(|rule| rule.id == id)
    }

    fn finding_by_id(&self, id: &str) -> Option<&'a FindingRow> {
        self.audit.findings.iter().find(|finding| finding.id == id)
    }

    /// Connections are in the order of their ids.
    fn connection_by_id(&self, id: ConnectionId) -> Option<&'a ConnectionRow<'a>> {
        let found = self.audit.connections.binary_search_by_key(&id, |c| c.id);
        found.ok().map(|position| &self.audit.connections[position])
    }

    fn probes_by_id(&self, id: &str) -> Option<&'a ProbesRow<'a>> {
        self.audit.probes.iter().find(|probes| probes.id == id)
    }

    /// The first connection that a rule or a finding rests on.
    fn first_evidence(&self, id: &str) -> Option<String> {
        let of_rule = self.rule_by_id(id).map(|rule| &rule.evidence);
        let of_finding = || self.finding_by_id(id).map(|finding| &finding.evidence);
        let first = of_rule.or_else(of_finding)?.first()?;
        Some(first.to_string())
    }

    fn any_rule(&self, id: &str) -> Option<String> {
        self.rule_by_id(id)
            .map(|rule| self.rule(rule))
            .or_else(|| self.current_by_id(id).map(current_rule))
    }

    fn rule(&self, rule: &RuleRow) -> String {
        let mut out = String::new();
        say!(out, "{}: {}", rule.id, rule_in_words(rule));
        say!(out, "  status      {}", rule.status.as_str());
        say!(out, "  confidence  {}", rule.confidence.as_str());
        say!(out, "  why         {}", rule.why);
        if let Some(pair) = rule.pair.as_ref().and_then(|id| self.rule_by_id(id)) {
            say!(
                out,
                "  pair        {}: {} ({})",
                pair.id,
                rule_in_words(pair),
                pair.status.as_str()
            );
        }
        let others_of = |connection: &ConnectionId| {
            self.audit.rules.iter().any(|other| {
                other.permission.direction == rule.permission.direction
                    && other.id != rule.id
                    && other.evidence.contains(connection)
            })
        };
        let alone = rule.evidence.iter().filter(|id| !others_of(id)).count();
        say!(
            out,
            "  without it  {} of its {} would have no other rule on this side",
            alone,
            plural(rule.evidence.len() as u64, "connection")
        );
        say!(out, "  evidence");
        self.evidence(&mut out, &rule.evidence);
        out
    }

    fn evidence(&self, out: &mut String, ids: &[ConnectionId]) {
        for connection in ids.iter().filter_map(|&id| self.connection_by_id(id)) {
            say!(out, "    {}", connection_in_words(connection));
            for leg in self.legs_of(connection.id) {
                say!(out, "      leg {}", connection_in_words(leg));
            }
        }
    }

    /// What NAT gateways forwarded for a connection.
    fn legs_of(&self, id: ConnectionId) -> impl Iterator<Item = &'a ConnectionRow<'a>> {
        self.legs.get(&id).into_iter().flatten().copied()
    }

    /// A finding that another one stands for, by its own id.
    fn folded_finding(&self, id: &str) -> Option<String> {
        let mut all = self.audit.findings.iter();
        // The ids are in order.
        let folded = all.find(|finding| {
            let by_id = |own: &String| own.as_str().cmp(id);
            finding.stands_for.binary_search_by(by_id).is_ok()
        })?;
        let mut out = String::new();
        say!(
            out,
            "{id} is one of the findings that {} stands for.",
            folded.id
        );
        Some(out + &self.finding(folded))
    }

    fn finding(&self, finding: &FindingRow) -> String {
        let mut out = String::new();
        say!(
            out,
            "{}: {} ({}, confidence {})",
            finding.id,
            finding.kind,
            finding.severity.as_str(),
            finding.confidence.as_str()
        );
        say!(out, "  what        {}", finding.detail);
        if let Some(pattern) = &finding.pattern {
            say!(
                out,
                "  stands for  {} with a destination in {pattern}; audit.json has their ids in stands_for",
                plural(finding.count, "finding")
            );
        }
        say!(out, "  to do       {}", finding.remediation);
        if let Some(run) = &finding.known_since {
            say!(out, "  known       since {run}");
        }
        say!(out, "  outcome     {}", outcome_in_words(finding.outcome));
        if !finding.evidence.is_empty() {
            say!(out, "  evidence");
            self.evidence(&mut out, &finding.evidence);
        }
        if finding.pattern.is_some() {
            let connections = plural(finding.evidence.len() as u64, "connection");
            say!(
                out,
                "  {connections}; connections.parquet of the run has each as a row, by its id"
            );
        }
        out
    }

    fn connection(&self, connection: &ConnectionRow<'_>) -> String {
        let mut out = String::new();
        say!(out, "{}", connection_in_words(connection));
        for (name, end) in [
            ("initiator", &connection.initiator),
            ("responder", &connection.responder),
        ] {
            say!(out, "  {name:<11} {}", end_in_words(end));
        }
        say!(out, "  records     {}", records_in_words(connection));
        say!(
            out,
            "  direction   {}, from {}",
            connection.direction_confidence.as_str(),
            connection.direction_basis
        );
        say!(out, "  verdict     {}", verdict_in_words(connection));
        if let Some(client) = connection.leg_of {
            let others = connection.leg_of_all.len().saturating_sub(1);
            let others = match others {
                0 => String::new(),
                several => format!(" and {several} more"),
            };
            say!(out, "  leg of      {client}{others}");
        }
        for leg in self.legs_of(connection.id) {
            say!(out, "  leg         {}", connection_in_words(leg));
        }
        say!(out, "  after       {}", after_in_words(connection));
        for id in &connection.after.rules {
            if let Some(rule) = self.rule_by_id(id) {
                say!(
                    out,
                    "  rule        {}: {} ({})",
                    rule.id,
                    rule_in_words(rule),
                    rule.status.as_str()
                );
            } else if let Some(rule) = self.current_by_id(id) {
                say!(
                    out,
                    "  rule        {}: {}, {} (stays)",
                    rule.id,
                    rule.group_id,
                    rule.permission
                );
            }
        }
        let findings = self.audit.findings.iter();
        for finding in findings.filter(|f| f.evidence.contains(&connection.id)) {
            say!(out, "  finding     {}: {}", finding.id, finding.kind);
        }
        out
    }
}

/// Rejected connections that are counted together.
fn probes(probes: &ProbesRow<'_>) -> String {
    let mut out = String::new();
    let from = match &probes.initiator {
        Some(address) => address.clone(),
        None => plural(probes.initiators, "address"),
    };
    let to = match &probes.responder {
        Some(end) => end_in_words(end),
        None => plural(probes.responders, "address"),
    };
    say!(
        out,
        "{}: {}",
        probes.id,
        plural(probes.connections, "rejected connection")
    );
    say!(out, "  initiator   {from}");
    say!(out, "  responder   {to}");
    say!(out, "  services    {}", probes.services);
    say!(
        out,
        "  records     {}, {}",
        plural(probes.records, "record"),
        plural(probes.bytes, "byte")
    );
    say!(
        out,
        "  after       today's rules deny them, and so does the change"
    );
    say!(out, "  the first of them; connections.parquet has each");
    for sample in &probes.samples {
        let port = sample.port.map(|port| format!("/{port}"));
        say!(
            out,
            "    {}: {} to {} {}{}, {}",
            sample.id,
            sample.initiator,
            sample.responder,
            sample.protocol,
            port.unwrap_or_default(),
            plural(sample.records, "record")
        );
    }
    out
}

/// A connection that `audit.json` counts together with others, as `connections.parquet` has it.
fn probe(row: &[(String, String)]) -> String {
    let mut out = String::new();
    for (name, value) in row.iter().filter(|(_, value)| !value.is_empty()) {
        say!(out, "{name:<24}{value}");
    }
    say!(
        out,
        "audit.json counts it together with others like it, under probes"
    );
    out
}

/// A rule of today that the change neither adds nor needs.
fn current_rule(rule: &CurrentRow) -> String {
    let mut out = String::new();
    say!(out, "{}: {}, {}", rule.id, rule.group_id, rule.permission);
    say!(out, "  status      a rule of today");
    if let Some(id) = &rule.security_group_rule_id {
        say!(out, "  in AWS      {id}");
    }
    say!(
        out,
        "  permitted   {}, {} of them without another rule",
        plural(rule.connections, "connection"),
        rule.connections_alone
    );
    out
}

/// What the change does with a connection.
const fn after_in_words(connection: &ConnectionRow<'_>) -> &'static str {
    match connection.after.state {
        AfterState::Permitted => "permitted after the change",
        AfterState::Denied => "denied after the change",
        AfterState::Lost => "accepted today, and denied after the change",
        AfterState::Unjudged => {
            "no group of the inventory judges it, so the change does not stop it"
        }
    }
}

fn end_in_words(end: &EndRow<'_>) -> String {
    let Some(interface) = &end.interface_id else {
        return format!("{} on no interface of the inventory", end.address);
    };
    let groups = if end.groups.is_empty() {
        "none".to_owned()
    } else {
        end.groups.join(" ")
    };
    format!("{} on {interface}, groups: {groups}", end.address)
}

/// The records by place and action; places without any are left out.
fn records_in_words(connection: &ConnectionRow<'_>) -> String {
    let seen = &connection.seen;
    let places = [
        ("accepted at the initiator", seen.egress_accepted),
        ("rejected at the initiator", seen.egress_rejected),
        ("accepted at the responder", seen.ingress_accepted),
        ("rejected at the responder", seen.ingress_rejected),
        ("accepted in transit", seen.forwarded_accepted),
        ("rejected in transit", seen.forwarded_rejected),
        ("accepted replies", seen.replies),
    ];
    let some = places.iter().filter(|(_, count)| *count > 0);
    let said: Vec<String> = some
        .map(|(place, count)| format!("{count} {place}"))
        .collect();
    said.join(", ")
}
