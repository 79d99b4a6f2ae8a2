//! Logs that Athena holds: the grouping runs there, and only flows come over.

use std::collections::BTreeSet;
use std::hash::BuildHasher as _;
use std::time::Duration;

use aws_sdk_athena::Client;
use aws_sdk_athena::types::{
    Column, QueryExecutionContext, QueryExecutionState, QueryExecutionStatistics,
    ResultConfiguration, Row, TableMetadata,
};
use futures_util::{StreamExt, stream};
use jiff::Span;
use jiff::civil::Date;

use super::account::{Account, CallError};
use super::layout::Selection;
use super::query_progress::QueryProgress;
use super::s3;
use crate::flow::FlowTable;
use crate::ingest::{Intake, LogFormat};
use crate::query::{self, Dialect, Engine, Over, Partials, QueryNames};

/// The catalog that accounts have unless they make others.
const CATALOG: &str = "AwsDataCatalog";

/// Queries under way at a time: a workgroup's quota is 20 and more (service-limits.html of Athena).
const AT_ONCE: usize = 4;

/// US dollars for a terabyte scanned, in most regions (the price list of Athena).
const PRICE: f64 = 5.0;

/// A table of flow logs, and how to ask.
#[derive(Clone, Debug)]
pub struct Table {
    /// The database.
    pub database: String,
    /// The table.
    pub name: String,
    /// Rows that end at or after this; Unix seconds.
    pub since: u64,
    /// Rows that start before this; Unix seconds.
    pub until: u64,
    /// The workgroup, if not the primary one.
    pub workgroup: Option<String>,
    /// Where Athena puts results, if the workgroup does not say it: `s3://bucket/prefix`.
    pub output: Option<String>,
    /// Results as Parquet files below `output`, which come over faster than pages.
    pub unload: bool,
}

/// The flows of a table. `progress` is told of what is asked and what it costs.
pub fn connections(
    account: &Account,
    table: &Table,
    progress: impl Fn(&QueryProgress) + Sync,
) -> Result<(FlowTable, Intake), CallError> {
    let source = format!("athena:{}.{}", table.database, table.name);
    let metadata = account.wait(metadata(account, table))?;
    let columns: Vec<&str> = metadata.columns().iter().map(Column::name).collect();
    if let Err(reason) = LogFormat::from_header(&columns.join(" ").to_lowercase()) {
        return Ok(Partials::refused(&source, "Athena", &reason.to_string()));
    }
    let statements = statements(table, &metadata);
    progress(&QueryProgress::Before {
        queries: statements.len(),
        bytes: estimate(account, table, &metadata),
        price: PRICE,
    });
    let client = Client::new(&account.config);
    let mut partials = Partials::default();
    let mut scanned = 0;
    account.wait(async {
        let asked = statements
            .into_iter()
            .map(|statement| ask(account, &client, table, statement));
        let mut answers = stream::iter(asked).buffer_unordered(AT_ONCE);
        while let Some(answer) = answers.next().await {
            let Answer { rows, bytes } = answer?;
            scanned += bytes;
            progress(&QueryProgress::Scanned {
                bytes: scanned,
                price: PRICE,
            });
            rows.add_to(&mut partials)?;
        }
        Ok::<(), CallError>(())
    })?;
    Ok(partials.finish(&source, "Athena", scanned))
}

/// Its columns and partitions.
async fn metadata(account: &Account, table: &Table) -> Result<TableMetadata, CallError> {
    const OPERATION: &str = "GetTableMetadata";
    let said = Client::new(&account.config)
        .get_table_metadata()
        .catalog_name(CATALOG)
        .database_name(&table.database)
        .table_name(&table.name)
        .send()
        .await
        .map_err(|error| CallError::new(OPERATION, &error))?;
    let metadata = said
        .table_metadata
        .filter(|metadata| !metadata.columns().is_empty());
    metadata.ok_or_else(|| {
        CallError::other(
            OPERATION,
            format!("{}.{} has no columns", table.database, table.name),
        )
    })
}

/// How many bytes the objects hold that will be read, if they can be listed.
fn estimate(account: &Account, table: &Table, metadata: &TableMetadata) -> Option<u64> {
    let location = metadata.parameters()?.get("location")?;
    let selection = Selection {
        since: Some(table.since),
        until: Some(table.until),
        ..Selection::default()
    };
    let objects = s3::objects(account, location, &selection).ok()?;
    Some(objects.iter().map(|object| object.size).sum())
}

/// One query for each day where the table has partitions by day, else one for everything.
fn statements(table: &Table, metadata: &TableMetadata) -> Vec<String> {
    let names = |columns: &[Column]| -> BTreeSet<String> {
        columns
            .iter()
            .map(|column| column.name().to_lowercase())
            .collect()
    };
    let columns = names(metadata.columns());
    let partitions = names(metadata.partition_keys());
    let query = query::named_query(Over::Rows, "connections");
    let dialect = dialect();
    let from = format!(
        "{}.{}",
        dialect.named(&table.database),
        dialect.named(&table.name)
    );
    let days = days(table, metadata, &partitions);
    let statement = |condition: &str| {
        query::over_rows(
            query,
            &QueryNames {
                dialect,
                from: &from,
                is_table: true,
                columns: &columns,
                condition,
                window: (Some(table.since), Some(table.until)),
                inventory: None,
            },
        )
    };
    match days {
        Some(days) => days.iter().map(|day| statement(day)).collect(),
        None => vec![statement("true")],
    }
}

/// Athena's SQL.
fn dialect() -> &'static Dialect {
    Engine::Athena.dialect().expect("Athena has SQL")
}

/// The conditions that choose the partition of each day.
fn days(
    table: &Table,
    metadata: &TableMetadata,
    partitions: &BTreeSet<String>,
) -> Option<Vec<String>> {
    let date = |seconds: u64| -> Option<Date> {
        let time = jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
        Some(time.to_zoned(jiff::tz::TimeZone::UTC).date())
    };
    let has = |name: &str| partitions.contains(name);
    let parameter = |name: &str| {
        metadata
            .parameters()
            .and_then(|all| all.get(name))
            .map(String::as_str)
    };
    let condition = |day: Date| -> Option<String> {
        if has("year") && has("month") && has("day") {
            return Some(
                day.strftime("year = '%Y' AND month = '%m' AND day = '%d'")
                    .to_string(),
            );
        }
        let key = ["day", "date", "dt"].into_iter().find(|name| has(name))?;
        let format = parameter(&format!("projection.{key}.format")).unwrap_or("yyyy/MM/dd");
        let format = format
            .replace("yyyy", "%Y")
            .replace("MM", "%m")
            .replace("dd", "%d");
        let value = day.strftime(&format).to_string();
        let column = metadata
            .partition_keys()
            .iter()
            .find(|column| column.name().eq_ignore_ascii_case(key))?;
        let literal = match column.r#type() {
            Some("date") => format!("DATE '{day}'"),
            _ => dialect().quoted(&value),
        };
        Some(format!("{} = {literal}", dialect().named(key)))
    };
    // Rows are delivered a little later than they end.
    let last = date(table.until)?.saturating_add(Span::new().days(1));
    let mut day = date(table.since)?;
    let mut days = Vec::new();
    while day <= last {
        days.push(condition(day)?);
        day = day.saturating_add(Span::new().days(1));
    }
    Some(days)
}

/// What a query answered.
struct Answer {
    rows: Rows,
    bytes: u64,
}

enum Rows {
    /// Names, and values in their order.
    Paged(Vec<Vec<Option<String>>>),
    /// Parquet files.
    Files(Vec<Vec<u8>>),
}

impl Rows {
    fn add_to(self, partials: &mut Partials) -> Result<(), CallError> {
        let failed = |reason: String| {
            CallError::other(
                "GetQueryResults",
                format!("what Athena answered can't be read: {reason}"),
            )
        };
        match self {
            Self::Paged(rows) => {
                let Some((names, rows)) = rows.split_first() else {
                    return Ok(());
                };
                for row in rows {
                    let value = |wanted: &str| {
                        let place = names
                            .iter()
                            .position(|name| name.as_deref() == Some(wanted))?;
                        row.get(place)?.as_deref()
                    };
                    partials
                        .add(value)
                        .map_err(|error| failed(error.to_string()))?;
                }
                Ok(())
            }
            Self::Files(files) => files.into_iter().try_for_each(|file| {
                query::add_whole_answer(partials, file.into())
                    .map_err(|error| failed(error.to_string()))
            }),
        }
    }
}

async fn ask(
    account: &Account,
    client: &Client,
    table: &Table,
    statement: String,
) -> Result<Answer, CallError> {
    const OPERATION: &str = "StartQueryExecution";
    let place = table
        .output
        .as_ref()
        .filter(|_| table.unload)
        .map(|output| {
            format!(
                "{}/closegate-{}/",
                output.trim_end_matches('/'),
                unique(&statement)
            )
        });
    let statement = match &place {
        // Every column as text: then it is read as pages are.
        Some(place) => format!(
            "UNLOAD (SELECT {} FROM ({statement}) AS answer) TO {} WITH (format = 'PARQUET', compression = 'SNAPPY')",
            Partials::COLUMNS
                .map(|name| format!("CAST({name} AS varchar) AS {name}"))
                .join(", "),
            dialect().quoted(place)
        ),
        None => statement,
    };
    let output = table.output.as_ref().map(|place| {
        ResultConfiguration::builder()
            .output_location(place)
            .build()
    });
    let said = client
        .start_query_execution()
        .query_string(statement)
        .query_execution_context(
            QueryExecutionContext::builder()
                .catalog(CATALOG)
                .database(&table.database)
                .build(),
        )
        .set_work_group(table.workgroup.clone())
        .set_result_configuration(output)
        .send()
        .await
        .map_err(|error| CallError::new(OPERATION, &error))?;
    let id = said.query_execution_id.unwrap_or_default();
    let bytes = match finished(client, &id).await {
        Ok(bytes) => bytes,
        Err(error) => {
            // It may be running still, and nobody waits for it.
            let _ = client
                .stop_query_execution()
                .query_execution_id(&id)
                .send()
                .await;
            return Err(error);
        }
    };
    let rows = match place {
        Some(place) => Rows::Files(s3::contents(account, &place).await?),
        None => Rows::Paged(pages(client, &id).await?),
    };
    Ok(Answer { rows, bytes })
}

/// Something that no other query has, of this run or another: Athena writes only into a place that is empty, and what
/// an earlier run has left there would be read with the answer (unload.html of the Athena user guide).
fn unique(statement: &str) -> String {
    let seeds = std::hash::RandomState::new();
    format!("{:016x}", seeds.hash_one(statement))
}

/// Waits for a query to end; the bytes it scanned.
async fn finished(client: &Client, id: &str) -> Result<u64, CallError> {
    const OPERATION: &str = "GetQueryExecution";
    let mut pause = Duration::from_millis(100);
    loop {
        let said = client
            .get_query_execution()
            .query_execution_id(id)
            .send()
            .await
            .map_err(|error| CallError::new(OPERATION, &error))?;
        let execution = said
            .query_execution
            .unwrap_or_else(|| aws_sdk_athena::types::QueryExecution::builder().build());
        let status = execution.status();
        match status.and_then(|status| status.state()) {
            Some(QueryExecutionState::Succeeded) => {
                let bytes = execution
                    .statistics()
                    .and_then(QueryExecutionStatistics::data_scanned_in_bytes);
                return Ok(bytes
                    .and_then(|bytes| u64::try_from(bytes).ok())
                    .unwrap_or(0));
            }
            Some(QueryExecutionState::Failed | QueryExecutionState::Cancelled) => {
                let reason = status
                    .and_then(|s| s.state_change_reason())
                    .unwrap_or("no reason given");
                return Err(CallError::other(
                    OPERATION,
                    format!("the query failed: {reason}"),
                ));
            }
            _ => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// All rows of an answer; the first has the names.
async fn pages(client: &Client, id: &str) -> Result<Vec<Vec<Option<String>>>, CallError> {
    let mut rows = Vec::new();
    let mut token = None;
    loop {
        let said = client
            .get_query_results()
            .query_execution_id(id)
            .max_results(1000)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| CallError::new("GetQueryResults", &error))?;
        let page = said.result_set.and_then(|set| set.rows).unwrap_or_default();
        let values = |row: Row| {
            row.data
                .unwrap_or_default()
                .into_iter()
                .map(|datum| datum.var_char_value)
                .collect()
        };
        rows.extend(page.into_iter().map(values));
        token = said.next_token;
        if token.is_none() {
            return Ok(rows);
        }
    }
}
