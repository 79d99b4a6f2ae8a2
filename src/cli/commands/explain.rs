//! `closegate explain`: the chain behind one line of a run, from its `audit.json`.

use anyhow::anyhow;
use serde_json::Value;

use crate::cli::args::ExplainArgs;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::past_run::{self, one_line, sentence, text};
use crate::net::visible;

pub(in crate::cli) fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let ExplainArgs { run, id } = args;
    let audit = past_run::load(run)?;
    let run = Run(&audit);
    let text = match id.split('-').next() {
        Some("r") => run.find("rules", id).map(|rule| run.rule(rule)),
        Some("f") => run.find("findings", id).map(|finding| run.finding(finding)),
        Some("c") => run
            .find("connections", id)
            .map(|connection| run.connection(connection)),
        _ => None,
    };
    let text = text.ok_or_else(|| {
        Failure::usage(anyhow!("`{id}` is not in this run; its ids begin with r- (rules), f- (findings) or c- (connections), see audit.json"))
    })?;
    print(text)?;
    Ok(Exit::Done)
}

/// A run, read back.
struct Run<'a>(&'a Value);

/// Appends one line, whatever the names in it hold.
macro_rules! say {
    ($out:expr, $($format:tt)*) => {
        $out.push_str(&(visible(&format!($($format)*), 400) + "\n"))
    };
}

impl<'a> Run<'a> {
    fn list(&self, key: &str) -> &'a [Value] {
        self.0[key].as_array().map_or(&[], Vec::as_slice)
    }

    fn find(&self, key: &str, id: &str) -> Option<&'a Value> {
        self.list(key).iter().find(|row| text(row, "id") == id)
    }

    /// Rows of a list whose evidence holds a connection.
    fn resting_on(&self, key: &str, connection: &str) -> impl Iterator<Item = &'a Value> {
        let holds = move |row: &&Value| {
            row["evidence"]
                .as_array()
                .is_some_and(|ids| ids.iter().any(|id| id == connection))
        };
        let connection: Vec<&Value> = self.list(key).iter().filter(holds).collect();
        connection.into_iter()
    }

    fn rule(&self, rule: &Value) -> String {
        let mut out = String::new();
        say!(out, "{}: {}", text(rule, "id"), sentence(rule));
        say!(out, "  status      {}", text(rule, "status"));
        say!(out, "  confidence  {}", text(rule, "confidence"));
        say!(out, "  why         {}", text(rule, "why"));
        if let Some(pair) = rule["pair"].as_str().and_then(|id| self.find("rules", id)) {
            say!(
                out,
                "  pair        {}: {} ({})",
                text(pair, "id"),
                sentence(pair),
                text(pair, "status")
            );
        }
        let evidence: Vec<&Value> = ids(rule)
            .filter_map(|id| self.find("connections", id))
            .collect();
        let alone = evidence.iter().filter(|c| {
            let same_side = |other: &&Value| {
                other["direction"] == rule["direction"] && other["id"] != rule["id"]
            };
            self.resting_on("rules", text(c, "id"))
                .find(same_side)
                .is_none()
        });
        say!(
            out,
            "  without it  {} of its {} connections have no other rule on this side",
            alone.count(),
            evidence.len()
        );
        say!(out, "  evidence");
        for connection in evidence {
            say!(out, "    {}", one_line(connection));
        }
        out
    }

    fn finding(&self, finding: &Value) -> String {
        let mut out = String::new();
        say!(
            out,
            "{}: {} ({}, confidence {})",
            text(finding, "id"),
            text(finding, "kind"),
            text(finding, "severity"),
            text(finding, "confidence")
        );
        say!(out, "  what        {}", text(finding, "detail"));
        say!(out, "  to do       {}", text(finding, "remediation"));
        say!(
            out,
            "  outcome     {}",
            match text(finding, "outcome") {
                "denied" => "its connections are denied after the change",
                "rule-written" => "a rule to add permits its connections",
                "still-open" => "a rule that stays permits its connections",
                "not-judged" => "no group of the inventory judges its connections: they go on",
                _ => "none: it is not about connections",
            }
        );
        say!(out, "  evidence");
        for connection in ids(finding).filter_map(|id| self.find("connections", id)) {
            say!(out, "    {}", one_line(connection));
        }
        out
    }

    fn connection(&self, connection: &Value) -> String {
        let mut out = String::new();
        say!(out, "{}", one_line(connection));
        for end in ["initiator", "responder"] {
            let groups = connection[end]["groups"]
                .as_array()
                .map_or(&[][..], Vec::as_slice);
            let groups: Vec<&str> = groups.iter().filter_map(Value::as_str).collect();
            let interface = connection[end]["interface_id"]
                .as_str()
                .unwrap_or("no interface of the inventory");
            say!(
                out,
                "  {end:<11} {} on {interface}, groups: {}",
                text(&connection[end], "address"),
                if groups.is_empty() {
                    "none".to_owned()
                } else {
                    groups.join(" ")
                }
            );
        }
        let seen = &connection["seen"];
        say!(
            out,
            "  rows        let out {}, let in {}, refused on the way out {}, refused on the way in {}, answers {}",
            seen["let_out"],
            seen["let_in"],
            seen["refused_out"],
            seen["refused_in"],
            seen["answers"]
        );
        say!(
            out,
            "  direction   {}, from {}",
            text(connection, "direction_confidence"),
            text(connection, "direction_basis")
        );
        say!(
            out,
            "  verdict     {} {}",
            text(connection, "verdict"),
            text(connection, "reason")
        );
        for rule in self.resting_on("rules", text(connection, "id")) {
            say!(
                out,
                "  rule        {}: {} ({})",
                text(rule, "id"),
                sentence(rule),
                text(rule, "status")
            );
        }
        for finding in self.resting_on("findings", text(connection, "id")) {
            say!(
                out,
                "  finding     {}: {}",
                text(finding, "id"),
                text(finding, "kind")
            );
        }
        out
    }
}

fn ids(row: &Value) -> impl Iterator<Item = &str> {
    row["evidence"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}
