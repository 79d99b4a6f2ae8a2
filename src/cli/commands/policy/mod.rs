//! `closegate policy`: one file per verb.

mod check;
mod decide;
mod status;
mod update;

use crate::cli::args::{PolicyArgs, PolicyCommand};
use crate::cli::exit::{Exit, Failure};

pub(in crate::cli) fn run(args: PolicyArgs) -> Result<Exit, Failure> {
    match args.what {
        PolicyCommand::Update(args) => update::run(&args),
        PolicyCommand::Decide(args) => decide::run(args),
        PolicyCommand::Check(args) => check::run(args),
        PolicyCommand::Status(args) => status::run(&args),
    }
}
