//! `closegate store`.

use std::fmt::Write as _;

use serde_json::json;

use crate::cli::args::{StoreArgs, StoreCommand};
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, Next};
use crate::documents::SCHEMA_VERSION;
use crate::net::{json, plural, visible};
use crate::store::{self, Fault, Verified};

pub(in crate::cli) fn run(args: &StoreArgs) -> Result<Exit, Failure> {
    match &args.what {
        StoreCommand::Verify { store, json } => {
            let verified = store::verify(store).map_err(Failure::usage)?;
            print(if *json {
                as_json(&verified)
            } else {
                as_text(&verified)
            })?;
            let is_whole = verified.faults.is_empty() && verified.unlisted.is_empty();
            next::propose(Next::StoreVerified {
                store: store.clone(),
                is_whole,
            });
            Ok(if is_whole { Exit::Done } else { Exit::Stands })
        }
    }
}

fn as_text(verified: &Verified) -> String {
    let Verified {
        days,
        flows,
        files,
        faults,
        unlisted,
    } = verified;
    let mut text = format!(
        "{} of {} whole: {}, {}\n",
        files - faults.len(),
        plural(*files as u64, "file"),
        plural(*days as u64, "day"),
        plural(*flows, "flow")
    );
    let mut line = |word: &str, name: &str| {
        writeln!(text, "{word:<9} {}", visible(name, 400))
            .expect("writing to a string does not fail");
    };
    for (name, fault) in faults {
        line(fault.as_str(), name);
    }
    for name in unlisted {
        line("unlisted", name);
    }
    text
}

fn as_json(verified: &Verified) -> String {
    let Verified {
        days,
        flows,
        files,
        faults,
        unlisted,
    } = verified;
    let of = |wanted: Fault| {
        let found = faults.iter().filter(|(_, fault)| *fault == wanted);
        found.map(|(name, _)| name).collect::<Vec<_>>()
    };
    let document = json!({
        "schema_version": SCHEMA_VERSION,
        "days": days,
        "flows": flows,
        "files": files,
        "damaged": of(Fault::Damaged),
        "missing": of(Fault::Missing),
        "unlisted": unlisted,
    });
    json::pretty(&document)
}
