//! `closegate tables`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};

use crate::cli::args::{TablesArgs, TablesCommand};
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::settings::{AWS_RANGES, RESOLVERS, resolvers};
use crate::findings::Resolvers;
use crate::inventory;
use crate::net::visible;

pub(in crate::cli) fn run(args: TablesArgs) -> Result<Exit, Failure> {
    match args.what {
        TablesCommand::List { tables } => list(tables.as_deref()),
        TablesCommand::Update {
            tables,
            aws_ranges,
            resolvers,
        } => {
            fs::create_dir_all(&tables)
                .with_context(|| format!("`{}` can't be made", tables.display()))
                .map_err(Failure::usage)?;
            if let Some(file) = aws_ranges {
                update(&file, &tables.join(AWS_RANGES), |bytes| {
                    inventory::published_on(bytes)
                        .map(|_| ())
                        .map_err(|what| anyhow!(what))
                })?;
            }
            if let Some(file) = resolvers {
                update(&file, &tables.join(RESOLVERS), |bytes| {
                    let text = std::str::from_utf8(bytes)?;
                    Resolvers::parse(text)
                        .map(|_| ())
                        .map_err(|what| anyhow!(what))
                })?;
            }
            list(Some(&tables))
        }
    }
}

/// Puts a file in place, whole, if it can be used.
fn update(
    file: &Path,
    place: &Path,
    check: impl Fn(&[u8]) -> anyhow::Result<()>,
) -> Result<(), Failure> {
    let put = || {
        let bytes = fs::read(file)?;
        check(&bytes)?;
        let aside = place.with_extension("new");
        fs::write(&aside, &bytes)?;
        fs::rename(&aside, place)?;
        Ok(())
    };
    put()
        .map_err(|error: anyhow::Error| error.context(format!("table `{}`", file.display())))
        .map_err(Failure::usage)
}

fn list(tables: Option<&Path>) -> Result<Exit, Failure> {
    let from = |known: bool| {
        if known {
            "the directory"
        } else {
            "compiled in"
        }
    };
    let ranges = tables
        .map(|dir| dir.join(AWS_RANGES))
        .filter(|file| file.is_file());
    let ranges_date = match &ranges {
        Some(file) => fs::read(file)
            .map_err(anyhow::Error::new)
            .and_then(|bytes| inventory::published_on(&bytes).map_err(|what| anyhow!(what)))
            .with_context(|| format!("table `{}`", file.display()))
            .map_err(Failure::usage)?,
        None => inventory::bundled_on().to_owned(),
    };
    let own = tables.map(resolvers).transpose()?.flatten();
    let resolvers = own.as_ref().unwrap_or_else(|| Resolvers::bundled());
    print(format!(
        "aws-ranges  {}  {}\nresolvers   {}  {}, {} addresses\n",
        visible(&ranges_date, 40),
        from(ranges.is_some()),
        visible(&resolvers.date, 40),
        from(own.is_some()),
        resolvers.count()
    ))?;
    Ok(Exit::Done)
}
