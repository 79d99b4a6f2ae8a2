//! `closegate demo`: the commands on the sample data, which is compiled in.

mod sample;
mod two_weeks;

use crate::cli::args::{DemoArgs, SampleArg};
use crate::cli::exit::{Exit, Failure};
use crate::cli::next::{self, Next};
use crate::cli::output::{Made, OutDir};
use crate::cli::settings::{Evidence, known_formats};
use crate::config::Config;
use crate::ingest::{Settings, Source};
use crate::inventory::Inventory;
use sample::{CUSTOM, DEFAULT, INVENTORY};
use two_weeks::RunWords;

pub(in crate::cli) fn run(args: DemoArgs, run_words: RunWords) -> Result<Exit, Failure> {
    let DemoArgs {
        out,
        policy,
        format,
    } = args;
    if policy {
        let exit = two_weeks::run(out.as_deref(), run_words)?;
        next::propose(Next::Shown { with_policy: true });
        return Ok(exit);
    }
    let inventory = Inventory::from_files(INVENTORY.iter().copied()).map_err(Failure::usage)?;
    let files = match format {
        SampleArg::Custom => CUSTOM,
        SampleArg::Default => DEFAULT,
    };
    let sources: Vec<Source> = files
        .iter()
        .map(|(name, bytes)| Source::memory(name, *bytes))
        .collect();
    let reading = Settings {
        known_formats: known_formats(&inventory),
        ..Settings::default()
    };
    let run = out
        .as_deref()
        .map(|place| Ok((OutDir::prepare(place, Made::Run)?, place)))
        .transpose()?;
    let audit = super::audit::audit(
        &Evidence::Logs(sources),
        inventory,
        &reading,
        (&Config::default(), None),
    )?;
    super::audit::finish(&audit, run)?;
    next::propose(Next::Shown { with_policy: false });
    Ok(Exit::Done)
}
