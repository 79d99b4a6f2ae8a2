//! `report.html`: one file that loads nothing. Foreign text is in it as packed JSON, which the script puts into
//! the page as text.

use std::io::Write as _;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::day;
use super::text::duration;
use crate::documents::{Counts, ReportDocument};
use crate::net::{json, thousands};

const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/report.js");

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a ReportDocument,
    counts: Counts,
    ready: bool,
    window: String,
    style: &'static str,
    script: &'static str,
    /// What the policy of the page allows, and nothing else.
    style_hash: String,
    script_hash: String,
    data: String,
}

/// The page.
pub fn html(report: &ReportDocument) -> std::io::Result<String> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(json::line(report).as_bytes())?;
    let counts = report.counts;
    let window = report.window;
    let page = Page {
        report,
        counts,
        ready: counts.groups_ready == counts.groups_in_use && counts.lost == 0,
        window: format!(
            "{} to {}, {}, {} records",
            day(window.start),
            day(window.end),
            duration(window.end.saturating_sub(window.start)),
            thousands(counts.records_read)
        ),
        style: STYLE,
        script: SCRIPT,
        style_hash: hash(STYLE),
        script_hash: hash(SCRIPT),
        data: STANDARD.encode(packed.finish()?),
    };
    Ok(page.render().expect("a string takes everything"))
}

/// What a content security policy calls a text by.
fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}
