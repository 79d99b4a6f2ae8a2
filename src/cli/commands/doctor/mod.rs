//! `closegate doctor`.

mod next;
mod snapshot;
mod sources;
mod text;

use crate::cli::args::{DoctorArgs, RemoteArgs};
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::settings;
use crate::doctor::{InterfaceCoverage, recommended_format};
use crate::documents::{
    DoctorDocument, HeldRow, InterfaceCoverageRow, SCHEMA_VERSION, Tool, UnlistedRow,
};
use crate::ingest;
use crate::net::json;

use next::Typed;
use snapshot::ReadSnapshot;
use sources::Looked;

pub(in crate::cli) fn run(args: DoctorArgs) -> Result<Exit, Failure> {
    let DoctorArgs {
        flows,
        inventory,
        aws,
        log_format,
        since,
        until,
        json,
        remote,
    } = args;
    let format = settings::format(log_format.clone())?;
    let window = settings::window(since.clone(), until.clone())?;
    let snapshot = inventory.as_deref().map(ReadSnapshot::read).transpose()?;
    let known = snapshot.as_ref().map(|snapshot| &snapshot.inventory);
    let reading = ingest::Settings {
        format,
        known_formats: known.map(settings::known_formats).unwrap_or_default(),
        transit_gateways: known.map(settings::transit_gateways).unwrap_or_default(),
        since: window.0,
        until: window.1,
    };
    // Before the logs, which are the longer work: what it says is of use if they can't be read.
    let asks_aws = aws || flows.iter().any(|flow| ingest::is_remote(flow));
    let (aws, refused) = match asks_aws.then(|| held(&flows, &remote)).transpose() {
        Ok(held) => (held, None),
        // What lies here is looked at all the same.
        Err(failure) if failure.is_of_aws() => (None, Some(failure)),
        Err(failure) => return Err(failure),
    };
    let looked = Looked::at(&flows, &remote, &reading)?;
    let coverage = snapshot.as_ref().zip(looked.window).map(|(read, window)| {
        interfaces(&InterfaceCoverage::new(
            &read.inventory,
            &looked.seen,
            window,
        ))
    });
    let typed = Typed {
        flows: &flows,
        inventory: inventory.as_deref(),
        log_format: log_format.as_ref(),
        since: since.as_ref(),
        until: until.as_ref(),
        remote: &remote,
    };
    let next = next::commands(&typed, snapshot.as_ref(), &looked);
    let failure = looked.failure();
    let document = DoctorDocument {
        schema_version: SCHEMA_VERSION,
        tool: Tool::default(),
        recommended_log_format: looked.lacks_fields.then(recommended_format),
        sources: looked.rows,
        inventory: snapshot.as_ref().map(|read| read.row(looked.window)),
        interfaces: coverage,
        flow_logs: snapshot.as_ref().and_then(ReadSnapshot::flow_logs),
        aws,
        next,
    };
    print(if json {
        json::pretty(&document)
    } else {
        text::render(&document)
    })?;
    match refused.or(failure) {
        Some(failure) => Err(failure),
        None => Ok(Exit::Done),
    }
}

fn interfaces(coverage: &InterfaceCoverage) -> InterfaceCoverageRow {
    let unlisted = coverage.unlisted.iter();
    InterfaceCoverageRow {
        interfaces: coverage.interfaces,
        with_records: coverage.with_records,
        idle: coverage.idle,
        without_records: coverage.without.clone(),
        unlisted: unlisted
            .map(|(id, records)| UnlistedRow {
                interface_id: id.clone(),
                records: *records,
            })
            .collect(),
        unlisted_records: coverage.unlisted_records,
        unnamed_records: coverage.unnamed_records,
        records: coverage.records,
    }
}

/// What the credentials may call.
#[cfg(feature = "aws")]
fn held(flows: &[String], remote: &RemoteArgs) -> Result<HeldRow, Failure> {
    use crate::cli::remote::{failure, sign_in};
    use crate::documents::HeldCallRow;

    let account = sign_in(remote)?;
    let (identity, calls) = crate::aws::held(&account, flows).map_err(|error| failure(&error))?;
    let calls = calls.into_iter().map(|held| {
        let call = held.call;
        let action = call.action.unwrap_or(call.operation);
        HeldCallRow {
            policy: call.command.policy().to_owned(),
            action: format!("{}:{action}", call.service),
            operation: call.operation.to_owned(),
            resource: held.resource,
            held: held.held,
            reason: held.reason,
            cost: call.cost.to_owned(),
        }
    });
    Ok(HeldRow {
        account: identity.account,
        arn: identity.arn,
        region: account.region().map(str::to_owned),
        calls: calls.collect(),
    })
}

/// What the credentials may call: a build without AWS can't tell.
#[cfg(not(feature = "aws"))]
fn held(_: &[String], _: &RemoteArgs) -> Result<HeldRow, Failure> {
    Err(Failure::usage(anyhow::anyhow!(
        "this closegate was built without the feature aws, so it can't ask AWS; build it with the feature, or leave out --aws and sources in AWS"
    )))
}
