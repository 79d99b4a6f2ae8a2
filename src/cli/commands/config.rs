//! `closegate config`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

use crate::cli::args::{ConfigArgs, ConfigCommand};
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, Next};
use crate::cli::settings::{self, Decided};
use crate::cli::trouble::Trouble;
use crate::config;
use crate::net::visible;

pub(in crate::cli) fn run(args: ConfigArgs) -> Result<Exit, Failure> {
    match args.what {
        ConfigCommand::Init { file } => init(&file),
        ConfigCommand::Check { file } => {
            let Decided { config, .. } = settings::decide(Some(file.clone()), None, &[])?;
            let policy = &config.policy;
            print(format!(
                "{}: {} kinds tuned, {} approvals\n",
                visible(&file.display().to_string(), 300),
                policy.tuning.len(),
                policy.approvals.len()
            ))?;
            Ok(Exit::Done)
        }
    }
}

fn init(file: &Path) -> Result<Exit, Failure> {
    let made = OpenOptions::new().write(true).create_new(true).open(file);
    made.and_then(|mut open| open.write_all(config::template().as_bytes()))
        .with_context(|| {
            format!(
                "configuration `{}` can't be made; if it exists, edit it or name another file",
                file.display()
            )
        })
        .map_err(|error| Failure::usage(error).about(Trouble::Configuration))?;
    print(format!(
        "{} written; nothing in it changes anything yet\n",
        visible(&file.display().to_string(), 300)
    ))?;
    next::propose(Next::Configured {
        file: file.to_path_buf(),
    });
    Ok(Exit::Done)
}
