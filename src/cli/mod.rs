//! Stage 10, and the only one that knows arguments, terminals, the clock and the
//! file system on the way out.

mod answers;
mod args;
mod clock;
mod command_line;
mod commands;
mod exit;
mod interrupt;
mod log_plan;
mod next;
mod output;
mod past_run;
mod policy_dir;
mod progress;
#[cfg(feature = "aws")]
mod remote;
mod settings;
mod summary;
mod trail;
mod trouble;

use std::ffi::OsString;
use std::process::ExitCode;

use anstream::ColorChoice;
use clap::FromArgMatches as _;

use args::{Args, Command};

/// Runs the program with the given arguments, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    ColorChoice::from(args::color(&arguments)).write_global();
    let matches = args::command().try_get_matches_from(arguments);
    let args = match matches.and_then(|matches| Args::from_arg_matches(&matches)) {
        Ok(args) => args,
        Err(help_or_error) => return exit::clap(&help_or_error),
    };
    progress::configure(args.terminal);
    interrupt::install();
    match args.command.threads().map_or(Ok(()), settings::use_threads) {
        Ok(()) => {}
        Err(failure) => return exit::report(&failure),
    }
    let is_for_programs = args.command.is_for_programs();
    match dispatch(args.command) {
        Ok(exit) => {
            if !is_for_programs {
                next::show();
            }
            exit.into()
        }
        Err(failure) => exit::report(&failure),
    }
}

/// Runs a command line of closegate's own: its words behind the program's name.
fn run_words(words: &[&str]) -> Result<exit::Exit, exit::Failure> {
    let words = std::iter::once("closegate").chain(words.iter().copied());
    let matches = args::command().try_get_matches_from(words);
    let args = matches.and_then(|matches| Args::from_arg_matches(&matches));
    dispatch(args.map_err(exit::Failure::usage)?.command)
}

/// Runs one command.
fn dispatch(command: Command) -> Result<exit::Exit, exit::Failure> {
    match command {
        Command::Init(args) => commands::init::run(args),
        Command::Doctor(args) => commands::doctor::run(args),
        Command::Audit(args) => commands::audit::run(args),
        Command::Demo(args) => commands::demo::run(args, run_words),
        Command::Ingest(args) => commands::ingest::run(args),
        Command::Store(args) => commands::store::run(&args),
        #[cfg(feature = "aws")]
        Command::Collect(args) => commands::collect::run(args),
        #[cfg(not(feature = "aws"))]
        Command::Collect(_) => Err(exit::Failure::usage(anyhow::anyhow!(
            "this closegate was built without the feature aws, so it has no `collect`; build it with the feature, or save what `aws ec2 describe-…` prints into a directory"
        ))
        .about(trouble::Trouble::NotInThisBuild)),
        Command::Verify(args) => commands::verify::run(args),
        Command::Rules(args) => commands::rules::run(&args),
        Command::Report(args) => commands::report::run(args),
        Command::Graph(args) => commands::graph::run(&args),
        Command::Explain(args) => commands::explain::run(&args),
        Command::Can(args) => commands::can::run(&args),
        Command::Diff(args) => commands::diff::run(&args),
        Command::Policy(args) => commands::policy::run(args),
        Command::Drift(args) => commands::drift::run(args),
        Command::Config(args) => commands::config::run(args),
        Command::Tables(args) => commands::tables::run(args),
        Command::Query(args) => commands::query::run(args),
        Command::Schema(args) => commands::print::schema(&args),
        Command::Completions(args) => commands::print::completions(&args),
        Command::Man(args) => commands::print::man(&args),
    }
}
