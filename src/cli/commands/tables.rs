//! `closegate tables`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};

use crate::cli::args::{TablesArgs, TablesCommand};
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::output::OutFile;
use crate::cli::settings::{AWS_RANGES, RESOLVERS, TableFiles, parse_resolvers, table_refused};
use crate::findings::Resolvers;
use crate::inventory;
use crate::net::{thousands, visible};

pub(in crate::cli) fn run(args: TablesArgs) -> Result<Exit, Failure> {
    match args.what {
        TablesCommand::List { tables } => list(tables.as_deref()),
        TablesCommand::Update {
            tables,
            aws_ranges,
            resolvers,
        } => {
            fs::create_dir_all(&tables)
                .with_context(|| {
                    format!(
                        "tables directory `{}` can't be made; name another one",
                        tables.display()
                    )
                })
                .map_err(table_refused)?;
            if let Some(file) = aws_ranges {
                update(&file, &tables.join(AWS_RANGES), |bytes| {
                    inventory::published_on(bytes).map(|_| ())
                })?;
            }
            if let Some(file) = resolvers {
                update(&file, &tables.join(RESOLVERS), |bytes| {
                    parse_resolvers(bytes).map(|_| ())
                })?;
            }
            list(Some(&tables))
        }
    }
}

/// Puts a file in place, whole, if it is a table. What is in its place is replaced only if it is a table too.
fn update(
    file: &Path,
    place: &Path,
    check: impl Fn(&[u8]) -> Result<(), String>,
) -> Result<(), Failure> {
    let bytes = fs::read(file)
        .with_context(|| {
            format!(
                "table `{}` can't be read; name a file that exists",
                file.display()
            )
        })
        .map_err(table_refused)?;
    check(&bytes)
        .map_err(|what| anyhow!(what).context(format!("table `{}` can't be used", file.display())))
        .map_err(table_refused)?;
    if let Ok(there) = fs::read(place) {
        check(&there)
            .map_err(|what| {
                anyhow!(what).context(format!(
                    "`{}` is in the way and is no table that closegate made; move it, or name another directory",
                    place.display()
                ))
            })
            .map_err(table_refused)?;
    }
    OutFile::prepare(Some(place))?.write(bytes).map(|_| ())
}

fn list(tables: Option<&Path>) -> Result<Exit, Failure> {
    let from = |known: bool| {
        if known {
            "the directory"
        } else {
            "compiled in"
        }
    };
    let TableFiles { ranges, resolvers } = tables
        .map(TableFiles::read)
        .transpose()?
        .unwrap_or_default();
    let published = ranges.as_ref().map(|(_, day)| day.as_str());
    let own = resolvers.is_some();
    let resolvers = resolvers.as_ref().unwrap_or_else(|| Resolvers::bundled());
    print(format!(
        "aws-ranges  {}  {}\nresolvers   {}  {}, {}\n",
        visible(published.unwrap_or_else(|| inventory::bundled_on()), 40),
        from(published.is_some()),
        visible(&resolvers.date, 40),
        from(own),
        match resolvers.count() {
            1 => "1 address".to_owned(),
            several => format!("{} addresses", thousands(several as u64)),
        }
    ))?;
    Ok(Exit::Done)
}
