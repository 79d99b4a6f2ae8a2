//! Things that are only printed: schemas, completions, the manual page.

use clap::CommandFactory;

use crate::cli::args::{Args, CompletionsArgs, SchemaArgs};
use crate::cli::exit::{Exit, Failure, print};
use crate::emit;
use crate::net::json;

pub(in crate::cli) fn schema(args: &SchemaArgs) -> Result<Exit, Failure> {
    let SchemaArgs { name } = args;
    let schema = emit::schema(name.name())
        .expect("every name that can be typed has a schema; see the tests");
    print(json::pretty(&schema))?;
    Ok(Exit::Done)
}

pub(in crate::cli) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "closegate", &mut text);
    print(text)?;
    Ok(Exit::Done)
}

pub(in crate::cli) fn man() -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Args::command())
        .render(&mut text)
        .map_err(|error| Failure::Output(error.into()))?;
    print(text)?;
    Ok(Exit::Done)
}
