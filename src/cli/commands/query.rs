//! `closegate query`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::anyhow;

use crate::cli::args::QueryArgs;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::settings;
use crate::ingest::LogFormat;
use crate::inventory::Inventory;
use crate::query::{self, DayPartition, Engine, KeptPorts, Over, QUERIES, Query, QueryNames};

pub(in crate::cli) fn run(args: QueryArgs) -> Result<Exit, Failure> {
    let Some(name) = args.name.clone() else {
        print(list())?;
        return Ok(Exit::Done);
    };
    let engine = Engine::from(args.engine);
    let named = QUERIES.iter().filter(|query| query.name == name);
    // Of two that DuckDB can be asked, the one over logs, unless a run is named.
    let over_run = |query: &&Query| (query.over == Over::Run) != args.run.is_some();
    let mut suiting: Vec<&Query> = named
        .clone()
        .filter(|query| query.over.engines().contains(&engine))
        .collect();
    suiting.sort_by_key(over_run);
    let Some(query) = suiting.first() else {
        let others: Vec<&str> = named
            .flat_map(|query| query.over.engines())
            .map(|other| label(*other))
            .collect();
        return Err(Failure::usage(match others.as_slice() {
            [] => anyhow!("there is no query `{name}`; `closegate query` lists them"),
            others => anyhow!(
                "`{name}` is a question for {}; give --engine",
                others.join(" and ")
            ),
        }));
    };
    print(fill(query, engine, args)?)?;
    Ok(Exit::Done)
}

const fn label(engine: Engine) -> &'static str {
    match engine {
        Engine::Athena => "athena",
        Engine::Insights => "insights",
        Engine::Duckdb => "duckdb",
    }
}

fn list() -> String {
    let mut text = String::new();
    for query in QUERIES {
        let engines: Vec<&str> = query
            .over
            .engines()
            .iter()
            .map(|engine| label(*engine))
            .collect();
        let engines = engines.join(", ");
        writeln!(text, "{:<22}{engines:<16}{}", query.name, query.about())
            .expect("a string takes everything");
    }
    text
}

fn fill(query: &Query, engine: Engine, args: QueryArgs) -> Result<String, Failure> {
    let (since, until) = settings::window(args.since, args.until)?;
    let format = settings::format(args.log_format)?.unwrap_or_else(LogFormat::default_v2);
    let inventory = args
        .inventory
        .map(|dir| Inventory::load(&dir).map_err(Failure::usage))
        .transpose()?;
    let table = table(&args.table)?;
    let partition = partition(&args.partition)?;
    Ok(match query.over {
        Over::Events if query.name == "connections" => KeptPorts::ALL
            .map(|kept| query::insights_connections(kept, &format))
            .join("\n"),
        Over::Events => query::over_events(query.text, &format, inventory.as_ref()),
        Over::Run => {
            let file = args
                .run
                .unwrap_or_default()
                .join("connections.parquet")
                .display()
                .to_string();
            query.text.replace(
                "'connections.parquet'",
                &format!("read_parquet({})", query::quoted(&file)),
            )
        }
        Over::Table => query
            .text
            .replace("{{table}}", &table)
            .replace("{{location}}", args.location.trim_end_matches('/'))
            .replace("{{accounts}}", &args.account.join(","))
            .replace("{{regions}}", &args.region.join(",")),
        Over::Rows => {
            let columns: BTreeSet<String> = format
                .names()
                .iter()
                .map(|name| name.replace('-', "_"))
                .collect();
            let mut condition = query::window(&columns, since, until);
            if engine == Engine::Athena
                && let Some(days) = partition.condition(since, until)
            {
                condition = format!("{days} AND {condition}");
            }
            let from = if engine == Engine::Duckdb {
                query::duckdb_files(&args.flows, &columns)
            } else {
                table
            };
            let names = QueryNames {
                from: &from,
                columns: &columns,
                condition: &condition,
                inventory: inventory.as_ref(),
            };
            let text = query::over_rows(query, &names);
            if engine == Engine::Duckdb {
                format!("{}{text}", query::DUCKDB_NAMES)
            } else {
                text
            }
        }
    })
}

/// `--partition`, checked.
fn partition(text: &str) -> Result<DayPartition, Failure> {
    DayPartition::parse(text).ok_or_else(|| {
        Failure::usage(anyhow!(
            "--partition `{text}` names no partition columns; write NAME, NAME:date, YEAR,MONTH,DAY or none"
        ))
    })
}

/// `DATABASE.TABLE`, quoted.
fn table(text: &str) -> Result<String, Failure> {
    let (database, table) = text
        .split_once('.')
        .ok_or_else(|| Failure::usage(anyhow!("--table `{text}` is not DATABASE.TABLE")))?;
    Ok(format!(
        "{}.{}",
        query::named(database),
        query::named(table)
    ))
}
