//! `closegate rules`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};

use crate::cli::args::RulesArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::OutFile;
use crate::cli::past_run;
use crate::documents::ChangeDocument;
use crate::emit::{RuleFormat, RuleFormatOptions, TerraformState};

pub(in crate::cli) fn run(args: RulesArgs) -> Result<Exit, Failure> {
    let RulesArgs {
        run,
        format: name,
        out,
        ids,
        terraform_state,
    } = args;
    let format = RuleFormat::named(&name).expect("clap knows the names");
    if terraform_state.is_some() && format.name != "terraform" {
        return Err(Failure::usage(anyhow!(
            "--terraform-state goes with --format terraform; {name} has no styles"
        )));
    }
    let out = OutFile::prepare(out.as_deref())?;
    let state = terraform_state.as_deref().map(state).transpose()?;
    let options = RuleFormatOptions {
        ids: ids.into(),
        state: state.unwrap_or_default(),
    };
    let change: ChangeDocument = past_run::file(&run, "rules/rules.json")?;
    past_run::holds_up(&run, &change)?;
    let text = format
        .write(&change, &options)
        .map_err(|error| Failure::Output(error.into()))?;
    out.write(text)
}

fn state(state: &Path) -> Result<TerraformState, Failure> {
    let read = || {
        let state = TerraformState::parse(&fs::read(state)?)?;
        if state.is_empty() {
            return Err(anyhow!(
                "it holds no security group; name the state of the estate that does"
            ));
        }
        Ok(state)
    };
    read()
        .with_context(|| format!("--terraform-state `{}`", state.display()))
        .map_err(Failure::usage)
}
