//! The sample data, compiled in.

macro_rules! sample {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../../../sample-data/", $name)).as_slice())),*]
    };
}

/// Files by path below `sample-data`.
pub(super) type SampleFiles = &'static [(&'static str, &'static [u8])];

/// The account in the first week.
pub(super) const INVENTORY: SampleFiles = sample![
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

/// The first week's log in a custom format.
pub(super) const CUSTOM: SampleFiles = sample![
    "flows/custom/day-1.log.gz",
    "flows/custom/day-2.log.gz",
    "flows/custom/day-3.log.gz",
];

/// The same in the default format.
pub(super) const DEFAULT: SampleFiles = sample![
    "flows/default/day-1.log.gz",
    "flows/default/day-2.log.gz",
    "flows/default/day-3.log.gz",
];

/// The account and its log a week later.
pub(super) const SECOND_WEEK: SampleFiles = sample![
    "week-2/inventory/security-groups.json",
    "week-2/inventory/security-group-rules.json",
    "week-2/inventory/network-interfaces.json",
    "week-2/inventory/vpcs.json",
    "week-2/inventory/subnets.json",
    "week-2/inventory/prefix-lists.json",
    "week-2/inventory/vpc-endpoints.json",
    "week-2/inventory/vpc-peering-connections.json",
    "week-2/inventory/nat-gateways.json",
    "week-2/inventory/route-tables.json",
    "week-2/inventory/instances.json",
    "week-2/inventory/flow-logs.json",
    "week-2/flows/custom/day-1.log.gz",
    "week-2/flows/custom/day-2.log.gz",
    "week-2/flows/custom/day-3.log.gz",
];

/// What the team decides about the entries that the first week proposes.
pub(super) const DECISIONS: SampleFiles = sample!["decisions.csv"];
