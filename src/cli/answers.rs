//! `--flows answers:PATH`: what an engine answered to `closegate query connections`.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use anyhow::anyhow;

use super::exit::Failure;
use super::trouble::Trouble;
use crate::flow::FlowTable;
use crate::ingest::{self, Intake, Source};
use crate::net::visible;
use crate::query::{Partials, add_answer};

/// What stands before the path.
const SCHEME: &str = "answers:";

/// What Spark writes into a directory after everything else.
const DONE: &str = "_SUCCESS";

/// Files with an engine's answer, in the order of their names.
pub(super) struct Answers {
    /// The source as it was named.
    argument: String,
    files: Vec<Source>,
}

impl Answers {
    /// The answers, if a source names some. They have to be the only source, and have a window of their own.
    pub(super) fn named(
        flows: &[String],
        window: (Option<u64>, Option<u64>),
    ) -> Result<Option<Self>, Failure> {
        let Some((argument, path)) = flows
            .iter()
            .find_map(|flow| Some((flow, flow.strip_prefix(SCHEME)?)))
        else {
            return Ok(None);
        };
        let shown = visible(argument, 300);
        if flows.len() > 1 {
            return Err(Failure::usage(anyhow!(
                "flow source `{shown}` has to be the only one; what an engine grouped can't be added to rows"
            )));
        }
        if window != (None, None) {
            return Err(Failure::usage(anyhow!(
                "flow source `{shown}` covers the time of its query; give --since and --until to `closegate query connections`"
            )));
        }
        let found = ingest::find(&[path.to_owned()]).map_err(Failure::usage)?;
        let (kept, left_out): (Vec<Source>, Vec<Source>) = found
            .into_iter()
            .partition(|source| is_answer(Path::new(&source.name), Path::new(path)));
        if kept.is_empty() {
            return Err(Failure::usage(anyhow!(
                "flow source `{shown}` holds no answer; name the Parquet or CSV file that the engine wrote, or their directory"
            ))
            .about(Trouble::Answer));
        }
        if let Some(dir) = unfinished(&kept, &left_out) {
            return Err(Failure::usage(anyhow!(
                "flow source `{shown}`: `{}` has no {DONE}, so its query has not ended; wait for it, or run it again",
                visible(&dir.display().to_string(), 300)
            ))
            .about(Trouble::Answer));
        }
        Ok(Some(Self {
            argument: argument.clone(),
            files: kept,
        }))
    }

    /// Reads every file.
    pub(super) fn read(&self) -> Result<(FlowTable, Intake), Failure> {
        let mut partials = Partials::default();
        let mut read = 0;
        for source in &self.files {
            let unusable = |reason: String| {
                Failure::usage(anyhow!("answer `{}` {reason}", visible(&source.name, 300)))
                    .about(Trouble::Answer)
            };
            let mut bytes = Vec::new();
            source
                .raw()
                .and_then(|mut reader| reader.read_to_end(&mut bytes))
                .map_err(|error| unusable(format!("can't be read: {error}")))?;
            read += bytes.len() as u64;
            add_answer(&mut partials, &source.name, bytes.into())
                .map_err(|error| unusable(error.to_string()))?;
        }
        Ok(partials.finish(&self.argument, "answer of an engine", read))
    }
}

/// Whether a file is part of an answer: Spark's names of others, and of directories that are not done, begin with `_` or `.`.
fn is_answer(file: &Path, named: &Path) -> bool {
    // What is named itself is read, whatever its name is.
    let below = file.strip_prefix(named);
    let parts = below.unwrap_or_else(|_| Path::new(file.file_name().unwrap_or_default()));
    parts.components().all(|part| match part {
        Component::Normal(part) => {
            let first = part.as_encoded_bytes().first();
            !matches!(first, Some(b'_' | b'.'))
        }
        _ => true,
    })
}

/// A directory with a part of the answer and without the mark that it is complete, where others have it.
fn unfinished(kept: &[Source], left_out: &[Source]) -> Option<PathBuf> {
    let dir = |source: &Source| Path::new(&source.name).parent().map(Path::to_path_buf);
    let done: BTreeSet<PathBuf> = left_out
        .iter()
        .filter(|source| Path::new(&source.name).ends_with(DONE))
        .filter_map(dir)
        .collect();
    if done.is_empty() {
        return None;
    }
    kept.iter().filter_map(dir).find(|dir| !done.contains(dir))
}

/// Whether a flow source is an engine's answer.
pub(super) fn is_answers(flow: &str) -> bool {
    flow.starts_with(SCHEME)
}
