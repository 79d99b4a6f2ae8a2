//! `closegate report`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};

use crate::cli::args::{ReportArg, ReportArgs};
use crate::cli::exit::{Exit, Failure};
use crate::cli::next::{self, Next};
use crate::cli::output::OutFile;
use crate::cli::past_run;
use crate::documents::ReportDocument;
use crate::emit::{self, Places};
use crate::net::json;
use crate::platform;

pub(in crate::cli) fn run(args: ReportArgs) -> Result<Exit, Failure> {
    let ReportArgs {
        run,
        format,
        out,
        terraform,
    } = args;
    if terraform.is_some() && format != ReportArg::Sarif {
        return Err(Failure::usage(anyhow!(
            "--terraform goes with --format sarif; no other format points to lines"
        )));
    }
    let out = OutFile::prepare(out.as_deref())?;
    let text = if format == ReportArg::Markdown {
        past_run::with_file(&run, "report.md", |text| {
            Ok(String::from_utf8(text.to_vec())?)
        })?
    } else {
        let places = terraform
            .as_deref()
            .map(places)
            .transpose()?
            .unwrap_or_default();
        rendered(&past_run::file(&run, "report.json")?, format, &places)
            .context("the report can't be written")
            .map_err(Failure::output)?
    };
    let exit = out.write(text)?;
    next::propose(Next::Reported { run });
    Ok(exit)
}

fn rendered(report: &ReportDocument, format: ReportArg, places: &Places) -> anyhow::Result<String> {
    Ok(match format {
        ReportArg::Html => emit::html(report)?,
        ReportArg::Sarif => emit::sarif(report, places),
        ReportArg::Asff => emit::asff(report),
        ReportArg::Ocsf => emit::ocsf(report),
        ReportArg::Csv => emit::csv(report)?,
        ReportArg::Markdown | ReportArg::Json => json::pretty(report),
    })
}

/// Where groups are written, by name: the line of each `aws_security_group` whose name is a plain text.
fn places(dir: &Path) -> Result<Places, Failure> {
    if !dir.is_dir() {
        return Err(Failure::usage(anyhow!(
            "--terraform `{}` is not a directory; name the one with the .tf files",
            dir.display()
        )));
    }
    let mut places = Places::new();
    let files = walkdir::WalkDir::new(dir)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok);
    for file in files.filter(|file| file.path().extension().is_some_and(|end| end == "tf")) {
        let Ok(text) = fs::read_to_string(file.path()) else {
            continue;
        };
        let below = file.path().strip_prefix(dir).unwrap_or(file.path());
        let below = platform::portable(below);
        for (name, line) in emit::group_lines(&text) {
            places.entry(name).or_insert((below.clone(), line));
        }
    }
    Ok(places)
}
