//! `closegate rules`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};

use crate::cli::args::RulesArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::OutFile;
use crate::cli::past_run;
use crate::documents::ChangeDocument;
use crate::emit::{Asked, Format, Holdings};

pub(in crate::cli) fn run(args: RulesArgs) -> Result<Exit, Failure> {
    let RulesArgs {
        run,
        format: name,
        out,
        ids,
        terraform_state,
    } = args;
    let format = Format::named(&name).expect("clap knows the names");
    if terraform_state.is_some() && format.name != "terraform" {
        return Err(Failure::usage(anyhow!(
            "--terraform-state goes with --format terraform; {name} has no styles"
        )));
    }
    let out = OutFile::prepare(out.as_deref())?;
    let holdings = terraform_state.as_deref().map(holdings).transpose()?;
    let asked = Asked {
        ids: ids.into(),
        holdings: holdings.unwrap_or_default(),
    };
    let change: ChangeDocument = past_run::file(&run, "rules/rules.json")?;
    let text = format
        .write(&change, &asked)
        .map_err(|error| Failure::Output(error.into()))?;
    out.write(text)
}

fn holdings(state: &Path) -> Result<Holdings, Failure> {
    let read = || {
        let holdings = Holdings::parse(&fs::read(state)?)?;
        if holdings.is_empty() {
            return Err(anyhow!(
                "it holds no security group; name the state of the estate that does"
            ));
        }
        Ok(holdings)
    };
    read()
        .with_context(|| format!("--terraform-state `{}`", state.display()))
        .map_err(Failure::usage)
}
