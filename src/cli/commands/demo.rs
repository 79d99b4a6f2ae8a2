//! `closegate demo`: the sample data, compiled in.

use crate::cli::args::{DemoArgs, SampleArg};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Made, OutDir};
use crate::cli::settings::{Evidence, known_formats};
use crate::config::Config;
use crate::ingest::{Settings, Source};
use crate::inventory::Inventory;

macro_rules! sample {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../../sample-data/", $name)).as_slice())),*]
    };
}

const INVENTORY: &[(&str, &[u8])] = sample![
    "inventory/security-groups.json",
    "inventory/security-group-rules.json",
    "inventory/network-interfaces.json",
    "inventory/vpcs.json",
    "inventory/subnets.json",
    "inventory/prefix-lists.json",
    "inventory/vpc-endpoints.json",
    "inventory/vpc-peering-connections.json",
    "inventory/nat-gateways.json",
    "inventory/route-tables.json",
    "inventory/instances.json",
    "inventory/flow-logs.json",
];

const CUSTOM: &[(&str, &[u8])] = sample![
    "flows/custom/day-1.log.gz",
    "flows/custom/day-2.log.gz",
    "flows/custom/day-3.log.gz",
];

const DEFAULT: &[(&str, &[u8])] = sample![
    "flows/default/day-1.log.gz",
    "flows/default/day-2.log.gz",
    "flows/default/day-3.log.gz",
];

pub(in crate::cli) fn run(args: DemoArgs) -> Result<Exit, Failure> {
    let DemoArgs { out, format } = args;
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
    Ok(Exit::Done)
}
