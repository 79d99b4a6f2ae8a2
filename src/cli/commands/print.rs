//! Schemas, completions, manual pages.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap::Command;

use crate::cli::args::{self, CompletionsArgs, ManArgs, SchemaArgs};
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::output::OutFile;
use crate::cli::trouble::Trouble;
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
    clap_complete::generate(args.shell, &mut args::command(), "closegate", &mut text);
    print(text)?;
    Ok(Exit::Done)
}

pub(in crate::cli) fn man(args: &ManArgs) -> Result<Exit, Failure> {
    // `closegate help COMMAND` prints the command's page, and needs none.
    let mut command = args::command().disable_help_subcommand(true);
    command.build();
    match &args.out {
        None => print(page(command)?)?,
        Some(dir) => {
            fs::create_dir_all(dir)
                .with_context(|| format!("`{}` can't be made; name a directory", dir.display()))
                .map_err(|error| Failure::usage(error).about(Trouble::OutputRefused))?;
            pages(command, dir)?;
        }
    }
    Ok(Exit::Done)
}

/// A page for a command, and one for each command below it.
fn pages(command: Command, dir: &Path) -> Result<(), Failure> {
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        pages(below.clone(), dir)?;
    }
    let name = command.get_display_name().unwrap_or(command.get_name());
    let file = dir.join(format!("{name}.1"));
    OutFile::prepare(Some(&file))?.write(page(command)?)?;
    Ok(())
}

fn page(command: Command) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut text)
        .map_err(Failure::output)?;
    Ok(text)
}
