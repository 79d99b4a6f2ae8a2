//! `closegate graph`.

use anyhow::Context as _;

use crate::cli::args::{GraphArg, GraphArgs, GraphLevelArg};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::OutFile;
use crate::cli::past_run;
use crate::documents::GraphDocument;

pub(in crate::cli) fn run(args: &GraphArgs) -> Result<Exit, Failure> {
    let out = OutFile::prepare(args.out.as_deref())?;
    let graph = match args.level {
        GraphLevelArg::Group => past_run::file(&args.run, "graph.json")?,
        GraphLevelArg::Interface => GraphDocument::of_connections(&past_run::load(&args.run)?),
    };
    let text = match args.format {
        GraphArg::Dot => Ok(graph.dot()),
        GraphArg::Mermaid => Ok(graph.mermaid()),
        GraphArg::Graphml => graph.graphml(),
        GraphArg::Json => graph.json(),
    };
    let text = text
        .context("the graph can't be written")
        .map_err(Failure::output)?;
    out.write(text)
}
