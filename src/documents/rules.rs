//! `rules/rules.json`: the change, and everything that writing it in another format takes.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Direction, Rating, Status};
use crate::net::ConnectionId;

/// After the change a group's rules are: today's − `revocations` + `rules` with
/// status `add`; after its last stage, also − `tightenings`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ChangeDocument {
    pub(crate) schema_version: u32,
    pub(crate) rules: Vec<RuleRow>,
    pub(crate) revocations: Vec<RevocationRow>,
    /// Ingress rules of today that no connection needs beside the mutual pairs: the third stage, on request.
    pub(crate) tightenings: Vec<RevocationRow>,
    /// Every group that a rule belongs to or names.
    pub(crate) groups: Vec<GroupRow>,
    /// Every prefix list that a rule names.
    pub(crate) prefix_lists: Vec<ListRow>,
    /// In which order, and what each step does.
    pub(crate) stages: Vec<StageRow>,
    /// Groups whose rules are left out because they are more than AWS takes, with what can be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) decisions: Vec<DecisionRow>,
    /// How many rules were left out because they would permit what today's rules deny. Should be 0.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) left_out: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

/// A group for which somebody has to decide: its rules of one direction are more than AWS takes, and none to add is written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DecisionRow {
    pub(crate) group_id: String,
    pub(crate) group_name: String,
    pub(crate) direction: Direction,
    /// What AWS takes.
    pub(crate) rules_per_group: u64,
    /// The least exposure first.
    pub(crate) options: Vec<OptionRow>,
}

/// What can be decided.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct OptionRow {
    pub(crate) what: String,
    /// Whether AWS's quotas allow it.
    pub(crate) possible: bool,
    /// The rules that it takes.
    pub(crate) rules: u64,
    /// The addresses that these rules name, as a text: IPv6 has more than JSON's numbers.
    pub(crate) addresses: String,
}

/// What a rule permits, and between whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PermissionRow {
    pub(crate) direction: Direction,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for all (never on a rule to add).
    pub(crate) protocol: String,
    /// Null where the protocol has no ports.
    pub(crate) from_port: Option<u16>,
    pub(crate) to_port: Option<u16>,
    /// Only where a rule of today is for one ICMP type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) icmp_type: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) icmp_code: Option<u8>,
    pub(crate) target: TargetRow,
}

/// Exactly one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TargetRow {
    SecurityGroup(String),
    CidrIpv4(String),
    CidrIpv6(String),
    PrefixList(String),
}

/// A rule that should stand after the change.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RuleRow {
    pub(crate) id: String,
    pub(crate) group_id: String,
    /// The group's name, for people.
    pub(crate) group_name: String,
    #[serde(flatten)]
    pub(crate) permission: PermissionRow,
    pub(crate) status: Status,
    /// The rule's id in AWS, where it stands today and the snapshot names it.
    pub(crate) security_group_rule_id: Option<String>,
    /// The other half of the mutual pair.
    pub(crate) pair: Option<String>,
    /// Today's, where it stands and has one; else empty or ours.
    pub(crate) description: String,
    /// A description that AWS takes.
    pub(crate) wording: String,
    /// The keys of the tags that the rule carries today, if it stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tag_keys: Vec<String>,
    /// What the rule's target rests on.
    pub(crate) why: Cow<'static, str>,
    pub(crate) confidence: Rating,
    /// Connections that need it.
    pub(crate) evidence: Vec<ConnectionId>,
    /// The key of the policy's entry that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}

/// A rule of today that goes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RevocationRow {
    pub(crate) group_id: String,
    pub(crate) group_name: String,
    pub(crate) security_group_rule_id: Option<String>,
    #[serde(flatten)]
    pub(crate) permission: PermissionRow,
    /// Today's.
    pub(crate) description: String,
    pub(crate) reason: Cow<'static, str>,
}

/// A group.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct GroupRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) vpc: String,
    /// The account that owns it.
    pub(crate) owner: String,
    /// The value of the tag that the configuration names as the owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner_tag: Option<String>,
    /// The region of its interfaces; empty if no interface carries it.
    pub(crate) region: String,
    /// Who maintains its rules instead, and what to do; null where this change may.
    pub(crate) kept_by: Option<String>,
    /// Groups maintained elsewhere that its interfaces carry too and that get a rule. Until those rules are made, none of its own
    /// may go.
    pub(crate) waits_for: Vec<String>,
    /// Whether the evidence is enough to take rules from it; null where nobody judged that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ready: Option<bool>,
    /// What to wait for if it is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) wait_for: Vec<String>,
    /// How many connections need its rules.
    pub(crate) connections: u64,
    /// Its rules of today, where the change adds or removes some.
    pub(crate) today: Vec<TodayRow>,
}

/// A rule as it stands today.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TodayRow {
    #[serde(flatten)]
    pub(crate) permission: PermissionRow,
    pub(crate) security_group_rule_id: Option<String>,
    pub(crate) description: String,
}

/// A prefix list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ListRow {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// A step of the change.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct StageRow {
    /// `add`, `revoke` or `tighten`.
    pub(crate) name: Cow<'static, str>,
    /// Rules that come or go.
    pub(crate) rules: u64,
    /// Groups in the order to do it.
    pub(crate) groups: Vec<String>,
    /// Connections that the rules after the step permit.
    pub(crate) permitted: u64,
    pub(crate) lost: u64,
    /// Connections that AWS drops when the rule goes, because it does not track them today. The rules after the step permit them, so
    /// clients can connect again.
    pub(crate) cut_at_once: Vec<ConnectionId>,
}

/// The part of `rules/rules.json` that says what changes. A file written by hand needs no more.
#[derive(Debug, Deserialize)]
pub(crate) struct ProposedChange {
    pub(crate) rules: Vec<ProposedRule>,
    #[serde(default)]
    pub(crate) revocations: Vec<ProposedRevocation>,
}

/// A rule that should stand after the change.
#[derive(Debug, Deserialize)]
pub(crate) struct ProposedRule {
    pub(crate) group_id: String,
    pub(crate) status: Status,
    #[serde(flatten)]
    pub(crate) permission: PermissionRow,
}

/// A rule of today that goes.
#[derive(Debug, Deserialize)]
pub(crate) struct ProposedRevocation {
    pub(crate) group_id: String,
    #[serde(flatten)]
    pub(crate) permission: PermissionRow,
}
