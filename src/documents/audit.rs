//! `audit.json`: everything a run found out.

use std::borrow::Cow;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AccountRow, AfterState, Confidence, FindingRow, PermissionRow, RevocationRow, RuleRow,
    SourceRow, Tool, VerdictTerm, Window,
};
use crate::net::ConnectionId;

/// The document. Times are Unix seconds; connections are referred to by id. `C` is what holds the connections: a run writes them one by
/// one, a reader has them in a list.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AuditDocument<'a, C = Vec<ConnectionRow<'a>>> {
    pub(crate) schema_version: u32,
    pub(crate) tool: Tool,
    pub(crate) window: Window,
    pub(crate) input: InputRow,
    /// What the inventory lacks, and what that costs.
    pub(crate) notes: Vec<String>,
    /// The accounts, the worst first, where the inventory holds several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) accounts: Vec<AccountRow>,
    pub(crate) connections: C,
    /// Rejected connections from outside that are not among these, counted together: the figures of `replay` have both.
    /// `connections.parquet` has a row for each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) probes: Vec<ProbesRow<'a>>,
    pub(crate) findings: Vec<FindingRow>,
    pub(crate) rules: Cow<'a, [RuleRow]>,
    pub(crate) revocations: Cow<'a, [RevocationRow]>,
    pub(crate) replay: ReplayRow,
    /// What the policy says of the connections, if the run is against one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<PolicyRow>,
    pub(crate) exposure: ExposureRow,
    pub(crate) readiness: Vec<ReadinessRow>,
    pub(crate) hold_out: HoldOutRow,
    /// The generalisation level: exact, balanced or compact.
    pub(crate) generalise: Cow<'a, str>,
    /// What each level would cost, the narrowest first.
    pub(crate) trade_off: Vec<TradeOffRow<'a>>,
    pub(crate) proof: ProofRow,
    pub(crate) blast_radius: Vec<BlastRow>,
    /// Every rule of today, with what it permitted.
    pub(crate) current_rules: Vec<CurrentRow>,
}

/// Initiator → responder, protocol and responder's port, over the observation window. `E` is what holds an end.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionRow<'a, E = EndRow<'a>> {
    pub(crate) id: ConnectionId,
    pub(crate) initiator: E,
    pub(crate) responder: E,
    pub(crate) protocol: Cow<'a, str>,
    /// The responder's port; null where the protocol has none.
    pub(crate) port: Option<u16>,
    /// What logs, today's rules and findings say.
    pub(crate) verdict: VerdictTerm,
    /// Why it is quarantined or unattributed.
    pub(crate) reason: Option<Cow<'a, str>>,
    /// The connection whose leg it is: what a NAT gateway forwarded for its client. The first, where several clients share the leg.
    pub(crate) leg_of: Option<ConnectionId>,
    /// All of them, where they are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) leg_of_all: Vec<ConnectionId>,
    /// What the change does with it.
    pub(crate) after: AfterRow<'a>,
    /// Names of the destination, as far as logs of names were read.
    pub(crate) names: Vec<NameRow>,
    pub(crate) direction_confidence: Confidence,
    /// What the direction rests on.
    pub(crate) direction_basis: Cow<'a, str>,
    pub(crate) records: u64,
    /// At one end, both directions.
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    pub(crate) first_seen: u64,
    pub(crate) last_seen: u64,
    /// The records by place and action.
    pub(crate) seen: RecordCounts,
}

/// Rejected connections that today's rules deny: of one initiator to one responder, of one initiator to several, or of several to one.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ProbesRow<'a> {
    pub(crate) id: String,
    /// The initiator's address; null where they are several.
    pub(crate) initiator: Option<String>,
    /// Null where they are several.
    pub(crate) responder: Option<EndRow<'a>>,
    /// How many connections.
    pub(crate) connections: u64,
    pub(crate) initiators: u64,
    pub(crate) responders: u64,
    /// Protocols with their ports.
    pub(crate) services: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    pub(crate) first_seen: u64,
    pub(crate) last_seen: u64,
    /// The first of the connections.
    pub(crate) samples: Vec<ProbeRow>,
}

/// One of the connections.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ProbeRow {
    pub(crate) id: ConnectionId,
    pub(crate) initiator: String,
    pub(crate) responder: String,
    pub(crate) protocol: String,
    pub(crate) port: Option<u16>,
    pub(crate) records: u64,
}

/// What the change does with a connection.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AfterRow<'a> {
    pub(crate) state: AfterState,
    /// Ids of the rules that permit it, the initiator's side first: each is among `rules` or `current_rules`. Empty where none does, and
    /// where no group judges a side.
    pub(crate) rules: Vec<Cow<'a, str>>,
}

/// A name of a destination.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NameRow {
    pub(crate) name: String,
    /// How sure it is: `sni`, `address`, `instance` or `vpc`.
    pub(crate) grade: String,
}

/// An end of a connection.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct EndRow<'a> {
    pub(crate) interface_id: Option<Cow<'a, str>>,
    #[schemars(with = "String")]
    pub(crate) address: IpAddr,
    pub(crate) groups: Vec<Cow<'a, str>>,
    /// How these are known: `snapshot`, `config`, `trail`, `guessed` or `unknown`; null outside the inventory.
    #[serde(default)]
    pub(crate) groups_known_from: Option<Cow<'a, str>>,
    /// The Network Load Balancer behind which it is and that preserves its address: `net/NAME/ID`, or an interface's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) through: Option<Cow<'a, str>>,
    pub(crate) aws_service: Option<Cow<'a, str>>,
}

/// Records by place and action. Packets are the initiator's, but for `replies`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordCounts {
    /// At the initiator's interface, accepted.
    pub egress_accepted: u64,
    /// At the initiator's interface, rejected.
    pub egress_rejected: u64,
    /// At the responder's interface, accepted.
    pub ingress_accepted: u64,
    /// At the responder's interface, rejected.
    pub ingress_rejected: u64,
    /// At interfaces that forward, accepted.
    pub forwarded_accepted: u64,
    /// At interfaces that forward, rejected; rejected replies are in it.
    pub forwarded_rejected: u64,
    /// The responder's packets, accepted anywhere.
    pub replies: u64,
}

/// What the change leaves open, and what it opens.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ProofRow {
    /// Quarantined connections that are denied after the change.
    pub(crate) quarantine_denied: u64,
    /// Quarantined connections that are still permitted, with the rule.
    pub(crate) quarantine_still_open: Vec<StillOpenRow>,
    /// Rules to add that would also hold for interfaces that join the named group
    /// later, where today's rules would not.
    pub(crate) open_to_newcomers: Vec<String>,
    /// Rules that were left out because they would permit what today's rules deny, over every
    /// pair of interfaces, every address and every port; one case of each. Should be none.
    pub(crate) wider: Vec<WideningRow>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct WideningRow {
    pub(crate) group_id: String,
    pub(crate) rule: String,
    pub(crate) interface_id: String,
    pub(crate) peer: String,
    pub(crate) services: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct StillOpenRow {
    pub(crate) connection: ConnectionId,
    pub(crate) group_id: Option<String>,
    pub(crate) security_group_rule_id: Option<String>,
    pub(crate) rule: Option<String>,
}

/// What an attacker on one of a group's interfaces reaches.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BlastRow {
    pub(crate) group_id: String,
    pub(crate) before: ReachRow,
    pub(crate) after: ReachRow,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ReachRow {
    /// Interfaces in one hop, on the services in use.
    pub(crate) one_hop: u64,
    /// In any number of hops.
    pub(crate) any_hops: u64,
    /// In any number of hops, on any port.
    pub(crate) any_port: u64,
    /// Addresses that the group's egress rules open by prefix or list.
    pub(crate) addresses: f64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TradeOffRow<'a> {
    pub(crate) level: Cow<'a, str>,
    pub(crate) rules_to_add: u64,
    /// Allowed interface pairs afterwards, as in `exposure`.
    pub(crate) exposure: u64,
    /// Addresses outside that the added egress rules name; prefix lists apart.
    pub(crate) outside_addresses: f64,
    pub(crate) groups_over_quota: u64,
}

/// Whether a group has enough evidence to lock it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ReadinessRow {
    pub(crate) group_id: String,
    pub(crate) ready: bool,
    /// What to wait for; empty when ready.
    pub(crate) wait_for: Vec<String>,
    pub(crate) days_covered: u32,
    pub(crate) days_without_records: u32,
    pub(crate) skipped_share: f64,
    pub(crate) connections: u64,
    pub(crate) seen_on_one_day: u64,
    pub(crate) new_by_day: Vec<u64>,
    /// Good-Turing; null without connections.
    pub(crate) chance_of_new: Option<f64>,
    /// Chao2, a lower bound.
    pub(crate) unseen_at_least: f64,
    pub(crate) missed_by_hold_out: u64,
    /// Interfaces that the inventory lacks and that may have carried the group.
    #[serde(default)]
    pub(crate) unknown_members: u64,
    /// Accepted connections of its interfaces to interfaces that the inventory lacks.
    #[serde(default)]
    pub(crate) connections_to_unknown: u64,
    /// Interfaces that carry the group and recorded nothing, in logs that say when an interface is idle.
    #[serde(default)]
    pub(crate) interfaces_not_logged: u64,
    /// Connections of its interfaces that were let through and whose direction is a guess.
    #[serde(default)]
    pub(crate) guessed_directions: u64,
    /// The configuration says that no member is missing.
    #[serde(default)]
    pub(crate) vouched: bool,
}

/// Rules made from connections first seen before `cut`, replayed on those seen after it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct HoldOutRow {
    pub(crate) cut: u64,
    pub(crate) connections: u64,
    pub(crate) lost: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct InputRow {
    /// Distinct rows that parsed: connection rows + `no_data` + `skip_data`.
    pub(crate) records_read: u64,
    pub(crate) records_no_data: u64,
    pub(crate) records_skip_data: u64,
    pub(crate) records_duplicate: u64,
    pub(crate) records_malformed: u64,
    /// Rows outside `--since` and `--until`.
    pub(crate) records_outside_window: u64,
    /// Before decompression.
    pub(crate) bytes_read: u64,
    pub(crate) sources: Vec<SourceRow>,
    pub(crate) malformed_samples: Vec<MalformedRow>,
}

/// `line` is 0 when the source as a whole could not be read.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct MalformedRow {
    pub(crate) source: String,
    pub(crate) line: u64,
    pub(crate) reason: String,
}

/// Connections: `permitted`, `quarantined`, `rejected`, `lost` and those of `unjudged` add up to `connections`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ReplayRow {
    pub(crate) connections: u64,
    pub(crate) permitted: u64,
    pub(crate) quarantined: u64,
    /// Of the quarantined, those that a rule which stays permits.
    pub(crate) still_open: u64,
    pub(crate) rejected: u64,
    pub(crate) unattributed: u64,
    /// Let through, and nobody can tell what the rules do with them. The unattributed are among them.
    #[serde(default)]
    pub(crate) unjudged: UnjudgedRow,
    pub(crate) lost: u64,
    pub(crate) lost_connections: Vec<ConnectionId>,
}

/// Connections that were let through and are not suspicious, by what a policy says of them.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PolicyRow {
    /// Accepted entries permit them.
    pub(crate) permitted: u64,
    /// They do not, and the rules that permit these are proposed.
    pub(crate) beyond: u64,
    /// A declined entry covers them, and no accepted one permits them.
    pub(crate) declined: u64,
}

/// How much traffic could not be judged.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct UnjudgedRow {
    pub(crate) connections: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// By the connections' reason.
    pub(crate) reasons: Vec<UnjudgedReasonRow>,
}

/// How much of it for one reason.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct UnjudgedReasonRow {
    /// As a connection's `reason`; `unknown-groups` where the verdict is `accepted`.
    pub(crate) reason: String,
    pub(crate) connections: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// The initiators: interfaces, or addresses where the interface is unknown.
    pub(crate) interfaces: u64,
}

/// Allowed (initiator interface, responder interface, protocol, port) tuples over
/// the services of accepted connections.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ExposureRow {
    pub(crate) before: u64,
    pub(crate) after: u64,
    pub(crate) ideal: u64,
}

/// A rule of today, with the connections that it permitted: AWS keeps no such counters.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CurrentRow {
    /// As `after.rules` names it.
    pub(crate) id: String,
    pub(crate) group_id: String,
    #[serde(flatten)]
    pub(crate) permission: PermissionRow,
    pub(crate) security_group_rule_id: Option<String>,
    /// Connections that it permitted, alone or with other rules of the interface.
    pub(crate) connections: u64,
    /// Those that no other rule of the interface permitted.
    pub(crate) connections_alone: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) first_hit: Option<u64>,
    pub(crate) last_hit: Option<u64>,
    /// Another rule of the group permits all that this one does: its
    /// position among the group's rules here, from 0.
    pub(crate) covered_by: Option<usize>,
}
