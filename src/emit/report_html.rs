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
use super::report_page::{Lengths, PageData, data};
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

/// Bytes of a page, at most, whatever there is to report.
const LARGEST: usize = 3_000_000;

/// Bytes of rows that are packed, at most. Of ordinary reports, a tenth is left.
const ROOM: usize = 16_000_000;

/// The page. It holds the most important rows of a report that is too large for it.
pub fn html(report: &ReportDocument) -> std::io::Result<String> {
    let lengths = Lengths::of(report);
    let mut room = ROOM;
    loop {
        let page = page(report, &data(report, &lengths, room))?;
        if page.len() <= LARGEST || room == 0 {
            return Ok(page);
        }
        // What does not shrink as it usually does gets less room, until the page is small enough.
        let one_in_ten_less = room.min(lengths.sum()).saturating_mul(9) / 10;
        room = one_in_ten_less / (page.len() / 1_000 + 1) * (LARGEST / 1_000);
    }
}

fn page(report: &ReportDocument, data: &PageData<'_>) -> std::io::Result<String> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(json::line(data).as_bytes())?;
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
