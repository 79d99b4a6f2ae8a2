//! Every field a VPC flow log can carry, as data.
//!
//! Source: flow-log-records.html, versions 2 to 11. Version 6 belongs to Transit
//! Gateway flow logs (tgw-flow-logs.html), which carry no verdict of any security
//! group; its fields are known here only to be recognised and refused.

/// What a field is to this tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Column {
    /// The interface that recorded the row.
    InterfaceId,
    /// Sender as the interface saw it; its own end is always the primary address.
    SrcAddr,
    /// Receiver, likewise.
    DstAddr,
    /// Sender as the packet says; security groups judge this one.
    PktSrcAddr,
    /// Receiver as the packet says.
    PktDstAddr,
    /// Sender's port.
    SrcPort,
    /// Receiver's port.
    DstPort,
    /// IANA protocol number.
    Protocol,
    /// Packets of this direction in the interval.
    Packets,
    /// Bytes of this direction in the interval.
    Bytes,
    /// First packet of the interval.
    Start,
    /// Last packet of the interval.
    End,
    /// ACCEPT or REJECT.
    Action,
    /// OK, NODATA or SKIPDATA.
    LogStatus,
    /// TCP flags, or-ed over the interval.
    TcpFlags,
    /// Which way the packets went at this interface.
    FlowDirection,
    /// The AWS service of the sender's address.
    PktSrcService,
    /// The AWS service of the receiver's address.
    PktDstService,
    /// What recorded the row where no interface did: a regional NAT gateway, `nat-…`.
    ResourceId,
    /// A column `status`, which some tables have for log-status and others for something else.
    OtherStatus,
}

impl Column {
    /// The field's name in the documentation.
    pub(super) fn name(self) -> &'static str {
        let field = FIELDS.iter().find(|field| field.column == Some(self));
        field.map_or(OTHER_STATUS, |field| field.name)
    }
}

/// How many columns [`Column`] has.
pub(super) const COLUMNS: usize = Column::OtherStatus as usize + 1;

/// One field of the documentation's table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The version that introduced it.
    pub version: u8,
    /// The name in headers and in `LogFormat`, with `-`; Parquet and Athena write `_`.
    pub name: &'static str,
    /// What it is used for; `None` for fields that are only skipped.
    pub column: Option<Column>,
}

const fn used(version: u8, name: &'static str, column: Column) -> Field {
    Field {
        version,
        name,
        column: Some(column),
    }
}

const fn skipped(version: u8, name: &'static str) -> Field {
    Field {
        version,
        name,
        column: None,
    }
}

/// The column of CloudWatch Logs Insights that holds the whole record.
pub(super) const MESSAGE: &str = "@message";

/// The table.
pub const FIELDS: &[Field] = &[
    skipped(2, "version"),
    skipped(2, "account-id"),
    used(2, "interface-id", Column::InterfaceId),
    used(2, "srcaddr", Column::SrcAddr),
    used(2, "dstaddr", Column::DstAddr),
    used(2, "srcport", Column::SrcPort),
    used(2, "dstport", Column::DstPort),
    used(2, "protocol", Column::Protocol),
    used(2, "packets", Column::Packets),
    used(2, "bytes", Column::Bytes),
    used(2, "start", Column::Start),
    used(2, "end", Column::End),
    used(2, "action", Column::Action),
    used(2, "log-status", Column::LogStatus),
    skipped(3, "vpc-id"),
    skipped(3, "subnet-id"),
    skipped(3, "instance-id"),
    used(3, "tcp-flags", Column::TcpFlags),
    skipped(3, "type"),
    used(3, "pkt-srcaddr", Column::PktSrcAddr),
    used(3, "pkt-dstaddr", Column::PktDstAddr),
    skipped(4, "region"),
    skipped(4, "az-id"),
    skipped(4, "sublocation-type"),
    skipped(4, "sublocation-id"),
    used(5, "pkt-src-aws-service", Column::PktSrcService),
    used(5, "pkt-dst-aws-service", Column::PktDstService),
    used(5, "flow-direction", Column::FlowDirection),
    skipped(5, "traffic-path"),
    skipped(7, "ecs-cluster-arn"),
    skipped(7, "ecs-cluster-name"),
    skipped(7, "ecs-container-instance-arn"),
    skipped(7, "ecs-container-instance-id"),
    skipped(7, "ecs-container-id"),
    skipped(7, "ecs-second-container-id"),
    skipped(7, "ecs-service-name"),
    skipped(7, "ecs-task-definition-arn"),
    skipped(7, "ecs-task-arn"),
    skipped(7, "ecs-task-id"),
    skipped(8, "reject-reason"),
    used(9, "resource-id", Column::ResourceId),
    skipped(10, "encryption-status"),
    skipped(11, "instance-tag"),
    skipped(11, "instance-tag-2"),
    skipped(11, "interface-tag"),
    skipped(11, "interface-tag-2"),
    skipped(11, "asg-tag"),
    skipped(11, "asg-tag-2"),
    skipped(11, "interface-type"),
    skipped(11, "next-hop-interface-id"),
    skipped(11, "next-hop-subnet-id"),
    skipped(11, "next-hop-az-id"),
    skipped(11, "next-hop-vpc-id"),
    skipped(11, "next-hop-interface-type"),
];

/// The default format: every field of version 2 in the documented order.
pub const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

/// How many values a line of the default format has.
pub(super) const DEFAULT_WIDTH: usize = {
    let mut width = 0;
    while FIELDS[width].version == 2 {
        width += 1;
    }
    width
};

/// Where in a line of the default format each column is.
pub(super) const fn default_positions() -> [Option<usize>; COLUMNS] {
    let mut positions = [None; COLUMNS];
    let mut position = 0;
    while position < DEFAULT_WIDTH {
        if let Some(column) = FIELDS[position].column {
            positions[column as usize] = Some(position);
        }
        position += 1;
    }
    positions
}

/// Whether only Transit Gateway flow logs have a field of this name, in either spelling: those of version 6
/// (tgw-flow-logs.html).
pub(super) fn is_of_transit_gateways(name: &str) -> bool {
    let name = name.replace('_', "-");
    name == "resource-type" || name.starts_with("tgw-") || name.starts_with("packets-lost-")
}

/// What some tables call log-status. The name is common, so it counts only where log-status is not a column, and only
/// with the values of log-status.
const OTHER_STATUS: &str = "status";

/// Names that other tools give to fields: the columns that CloudWatch Logs Insights
/// discovers (CWL_AnalyzeLogData-discoverable-fields.html), and those of the table that
/// the Athena guide once had (vpc-flow-logs.html).
const ALIASES: &[(&str, &str)] = &[
    ("accountId", "account-id"),
    ("interfaceId", "interface-id"),
    ("srcAddr", "srcaddr"),
    ("dstAddr", "dstaddr"),
    ("srcPort", "srcport"),
    ("dstPort", "dstport"),
    ("startTime", "start"),
    ("endTime", "end"),
    ("logStatus", "log-status"),
    ("tcpFlags", "tcp-flags"),
    ("flowDirection", "flow-direction"),
    ("pktSrcAddr", "pkt-srcaddr"),
    ("pktDstAddr", "pkt-dstaddr"),
    ("pktSrcAwsService", "pkt-src-aws-service"),
    ("pktDstAwsService", "pkt-dst-aws-service"),
    ("account", "account-id"),
    ("interfaceid", "interface-id"),
    ("sourceaddress", "srcaddr"),
    ("destinationaddress", "dstaddr"),
    ("sourceport", "srcport"),
    ("destinationport", "dstport"),
    ("numpackets", "packets"),
    ("numbytes", "bytes"),
    ("starttime", "start"),
    ("endtime", "end"),
    ("logstatus", "log-status"),
];

/// The column of a key or column name as exports spell it, aliases included.
pub(super) fn column(name: &str) -> Option<Column> {
    if name == OTHER_STATUS {
        return Some(Column::OtherStatus);
    }
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    field(alias.map_or(name, |(_, real)| real))?.column
}

/// A field by name, in either spelling.
pub fn field(name: &str) -> Option<&'static Field> {
    let same = |known: &str| {
        known.len() == name.len()
            && known
                .bytes()
                .zip(name.bytes())
                .all(|(a, b)| a == b || (a == b'-' && b == b'_'))
    };
    FIELDS.iter().find(|field| same(field.name))
}
