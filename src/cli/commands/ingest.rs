//! `closegate ingest`.

use std::fmt::Write as _;

use crate::cli::args::IngestArgs;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, Next};
use crate::cli::trouble::Trouble;
use crate::cli::{progress, settings};
use crate::ingest::Settings;
use crate::inventory::Inventory;
use crate::net::{plural, visible};
use crate::store::{self, StoreError};

pub(in crate::cli) fn run(args: IngestArgs) -> Result<Exit, Failure> {
    let IngestArgs {
        flows,
        inventory,
        store,
        merge,
        log_format,
        // `use_threads` has seen to them before anything else.
        threads: _,
        hold,
        remote,
    } = args;
    let format = settings::format(log_format)?;
    let snapshot = inventory.clone();
    let inventory = inventory
        .map(|dir| Inventory::load(&dir).map_err(Failure::usage))
        .transpose()?;
    let mut text = String::new();
    let mut line = |label: &str, content: String| {
        writeln!(text, "{label:<12}{content}").expect("writing to a string does not fail");
    };
    let mut left = None;
    if !flows.is_empty() {
        let sources = settings::sources(&flows, &remote, (None, None), true)?;
        let settings = Settings {
            format,
            known_formats: inventory
                .as_ref()
                .map(settings::known_formats)
                .unwrap_or_default(),
            transit_gateways: inventory
                .as_ref()
                .map(settings::transit_gateways)
                .unwrap_or_default(),
            ..Settings::default()
        };
        let bar = progress::reading(sources.iter().map(|source| source.size).sum());
        let outcome = progress::stage(
            || store::ingest(&store, &sources, &settings, hold, |bytes| bar.inc(bytes)),
            |outcome| match outcome {
                Ok(outcome) => format!("ingested: {}", plural(outcome.read as u64, "new file")),
                Err(_) => "ingesting failed".to_owned(),
            },
        );
        bar.finish_and_clear();
        let outcome = outcome.map_err(failure)?;
        let intake = &outcome.intake;
        progress::sources(intake);
        if outcome.read > 0 && intake.records_read() + intake.duplicates == 0 {
            return Err(super::audit::nothing_read(intake));
        }
        line(
            "read",
            format!(
                "{}, {}, {}, {}; {} known before",
                plural(outcome.read as u64, "new file"),
                plural(intake.records_read(), "record"),
                plural(intake.duplicates, "duplicate"),
                plural(intake.malformed, "malformed line"),
                plural(outcome.known as u64, "file"),
            ),
        );
        left = Some(outcome);
    }
    if !merge.is_empty() {
        let outcome = store::merge(&store, &merge).map_err(failure)?;
        line(
            "merged",
            format!(
                "{} with {}; {} known before",
                plural(merge.len() as u64, "store"),
                plural(outcome.read as u64, "new file"),
                plural(outcome.known as u64, "file"),
            ),
        );
        left = Some(outcome);
    }
    if let Some(outcome) = left {
        line(
            "store",
            format!(
                "{}: {}, {}",
                visible(&store.display().to_string(), 300),
                plural(outcome.days as u64, "day"),
                plural(outcome.flows, "flow")
            ),
        );
    }
    print(text)?;
    next::propose(Next::Ingested {
        store,
        inventory: snapshot,
    });
    Ok(Exit::Done)
}

/// What the file system refuses is no fault of the command line, but there is nothing else
/// to do about it either.
fn failure(error: StoreError) -> Failure {
    match error {
        StoreError::Unfetched { .. } => Failure::aws(error.to_string()).about(Trouble::AwsBrokeOff),
        error => Failure::usage(error),
    }
}
