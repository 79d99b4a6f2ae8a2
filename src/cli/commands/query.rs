//! `closegate query`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::anyhow;

use crate::cli::args::{QueryArgs, TableKindArg};
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, Next};
use crate::cli::settings;
use crate::ingest::LogFormat;
use crate::inventory::Inventory;
use crate::net::visible;
use crate::platform;
use crate::query::{
    self, DayPartition, Dialect, Engine, KeptPorts, Over, QUERIES, Query, QueryNames,
};

pub(in crate::cli) fn run(args: QueryArgs) -> Result<Exit, Failure> {
    let Some(name) = args.name.clone() else {
        print(list())?;
        next::propose(Next::Listed);
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
        let mut others: Vec<&str> = Vec::new();
        for other in named.flat_map(|query| query.over.engines()) {
            if !others.contains(&other.name()) {
                others.push(other.name());
            }
        }
        return Err(Failure::usage(match others.as_slice() {
            [] => anyhow!("there is no query `{name}`; `closegate query` lists them"),
            others => anyhow!(
                "`{name}` is a question for {}; give --engine",
                others.join(", ")
            ),
        }));
    };
    print(fill(query, engine, args)?)?;
    // CloudWatch Logs Insights answers a query of closegate's own, by `--flows insights:…`.
    if name == "connections" && engine != Engine::Insights {
        next::propose(Next::Asked);
    }
    Ok(Exit::Done)
}

fn list() -> String {
    let mut text = String::new();
    for query in QUERIES {
        let engines: Vec<&str> = query
            .over
            .engines()
            .iter()
            .map(|engine| engine.name())
            .collect();
        let engines = engines.join(", ");
        writeln!(text, "{:<22}{engines:<41}{}", query.name, query.about())
            .expect("a string takes everything");
    }
    text
}

fn fill(query: &Query, engine: Engine, args: QueryArgs) -> Result<String, Failure> {
    let window = settings::window(args.since.clone(), args.until.clone())?;
    let format = settings::format(args.log_format.clone())?.unwrap_or_else(LogFormat::default_v2);
    let inventory = args
        .inventory
        .as_ref()
        .map(|dir| Inventory::load(dir).map_err(Failure::usage))
        .transpose()?;
    let inventory = inventory.as_ref();
    Ok(match (query.over, engine.dialect()) {
        (Over::Events, _) | (_, None) if query.name == "connections" => KeptPorts::ALL
            .map(|kept| query::insights_connections(kept, &format))
            .join("\n"),
        (Over::Events, _) | (_, None) => query::over_events(query.text, &format, inventory),
        (Over::Run, Some(dialect)) => {
            let file = args.run.unwrap_or_default().join("connections.parquet");
            let file = platform::portable(&file);
            query.text.replace(
                "'connections.parquet'",
                &format!("read_parquet({})", dialect.quoted(&file)),
            )
        }
        (Over::Table, Some(dialect)) => query
            .text
            .replace("{{table}}", &table(dialect, args.table.as_deref())?)
            .replace("{{location}}", args.location.trim_end_matches('/'))
            .replace("{{accounts}}", &args.account.join(","))
            .replace("{{regions}}", &args.region.join(",")),
        (Over::Rows, Some(dialect)) => {
            let Rows {
                from,
                is_table,
                columns,
            } = rows(engine, dialect, &args, &format, window)?;
            let partition = partition(engine, args.partition.as_deref())?;
            let days = partition
                .filter(|_| args.table_kind == TableKindArg::FlowLogs)
                .and_then(|partition| partition.condition(dialect, window));
            query::over_rows(
                query,
                &QueryNames {
                    dialect,
                    from: &from,
                    is_table,
                    columns: &columns,
                    condition: days.as_deref().unwrap_or("true"),
                    window,
                    inventory,
                },
            )
        }
    })
}

/// What a question over flow rows reads.
struct Rows {
    /// As it stands behind FROM.
    from: String,
    /// As opposed to files.
    is_table: bool,
    columns: BTreeSet<String>,
}

/// Files where they are named, or where the engine is for files; else the table.
fn rows(
    engine: Engine,
    dialect: &Dialect,
    args: &QueryArgs,
    format: &LogFormat,
    window: (Option<u64>, Option<u64>),
) -> Result<Rows, Failure> {
    let is_lake = args.table_kind == TableKindArg::SecurityLake;
    let by_default = (engine == Engine::Duckdb && args.table.is_none()).then_some("flows/*.log.gz");
    let files = args.flows.as_deref().or(by_default);
    let is_table = files.is_none();
    let from = match files {
        Some(glob) if is_lake && !glob.ends_with(".parquet") => {
            return Err(Failure::usage(anyhow!(
                "--flows `{}` names no Parquet files, which is what Security Lake writes; end it with .parquet",
                visible(glob, 300)
            )));
        }
        Some(glob) => dialect.log_files(glob, format.names()).ok_or_else(|| {
            Failure::usage(anyhow!(
                "--engine {} reads no files; give --table",
                engine.name()
            ))
        })?,
        None => table(dialect, args.table.as_deref())?,
    };
    if is_lake {
        let (from, columns) = query::security_lake(dialect, &from, window);
        return Ok(Rows {
            from,
            is_table,
            columns,
        });
    }
    let names = format.names().iter();
    Ok(Rows {
        from,
        is_table,
        columns: names.map(|name| name.replace('-', "_")).collect(),
    })
}

/// `--partition`, checked; by default that of the tables that `closegate query` makes, which are Athena's.
fn partition(engine: Engine, text: Option<&str>) -> Result<Option<DayPartition>, Failure> {
    let by_default = (engine == Engine::Athena).then_some("day");
    let Some(text) = text.or(by_default) else {
        return Ok(None);
    };
    let parsed = DayPartition::parse(text).ok_or_else(|| {
        Failure::usage(anyhow!(
            "--partition `{text}` names no partition columns; write NAME, NAME:date, YEAR,MONTH,DAY or none"
        ))
    })?;
    Ok(Some(parsed))
}

/// `DATABASE.TABLE`, quoted.
fn table(dialect: &Dialect, text: Option<&str>) -> Result<String, Failure> {
    let text = text.unwrap_or("logs.flow_logs");
    let (database, table) = text
        .split_once('.')
        .ok_or_else(|| Failure::usage(anyhow!("--table `{text}` is not DATABASE.TABLE")))?;
    Ok(format!(
        "{}.{}",
        dialect.named(database),
        dialect.named(table)
    ))
}
