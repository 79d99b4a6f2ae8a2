//! The words that documents use for a closed set of values. Each word is decided here, once: the pipeline works with these types,
//! documents hold them, and a reader refuses any other word.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An enum whose values are words of a document.
macro_rules! terms {
    ($(
        $(#[$about:meta])*
        $name:ident { $($(#[$value_about:meta])* $value:ident = $word:literal),+ $(,)? }
    )+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $($(#[$value_about])* #[serde(rename = $word)] $value),+
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$value),+];

            /// The word in documents.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word),+
                }
            }
        }
    )+};
}

terms! {
    /// Which connections a rule permits, seen from its group.
    Direction {
        /// Connections that members initiate.
        Egress = "egress",
        /// Connections that members respond to.
        Ingress = "ingress",
    }

    /// How sure it is which end initiated a connection; the least sure first.
    Confidence {
        /// Heuristics only.
        Guessed = "guessed",
        /// Several agreeing signs.
        Likely = "likely",
        /// TCP flags, or logic on today's rules.
        Certain = "certain",
    }

    /// Whether credentials may make a call to AWS.
    HeldTerm {
        /// AWS said yes.
        Permitted = "permitted",
        /// AWS said no.
        Denied = "denied",
        /// AWS said neither, or was not asked; never to be taken for no.
        Unknown = "unknown",
    }

    /// How sure a finding or a rule is; the least sure first.
    Rating {
        /// A hint.
        Low = "low",
        /// Probably.
        Medium = "medium",
        /// As good as the logs are.
        High = "high",
    }

    /// How bad a finding is, if it is true; the worst first.
    Severity {
        /// Act now.
        Critical = "critical",
        /// Act today.
        High = "high",
        /// Plan it.
        Medium = "medium",
        /// Look at it.
        Low = "low",
        /// Know it.
        Info = "info",
    }

    /// Families of finding kinds.
    Family {
        /// What groups permit.
        Posture = "posture",
        /// Where connections go.
        Destination = "destination",
        /// What interfaces do over time.
        Behaviour = "behaviour",
        /// How good the evidence is.
        Evidence = "evidence",
    }

    /// What logs, today's rules and findings say about a connection.
    VerdictTerm {
        /// Accepted in the logs, permitted today, and not suspicious.
        Accepted = "accepted",
        /// Accepted in the logs, and a finding or today's rules speak against it.
        Quarantined = "quarantined",
        /// A security group or network ACL rejected it.
        Rejected = "rejected",
        /// No group of the inventory judges it.
        Unattributed = "unattributed",
    }

    /// What a rule set does with a connection.
    AfterState {
        /// Rules permit it on every side that a group judges.
        Permitted = "permitted",
        /// A side that a group judges has no rule for it.
        Denied = "denied",
        /// Denied, though it is accepted: the rule set breaks it.
        Lost = "lost",
        /// No group of the inventory judges it.
        Unjudged = "unjudged",
    }

    /// What the change does with a finding's connections; the worst last.
    Outcome {
        /// The rules deny them.
        Denied = "denied",
        /// A rule to add permits them.
        RuleWritten = "rule-written",
        /// No group of the inventory judges them, so the change does not stop them.
        NotJudged = "not-judged",
        /// A rule that stays permits them.
        StillOpen = "still-open",
    }

    /// Whether a rule has to be made.
    Status {
        /// It has to be made.
        Add = "add",
        /// It stands today and stays.
        Keep = "keep",
    }

    /// How much a difference from the policy matters; the worst first.
    DriftLevel {
        /// Something breaks, or is open that must not be.
        Error = "error",
        /// Somebody has to act.
        Warning = "warning",
        /// Know it.
        Note = "note",
    }

    /// What a difference from the policy is found in.
    DriftSubject {
        /// The rules that stand.
        Account = "account",
        /// The policy itself, against the account and the calendar.
        Policy = "policy",
        /// The connections of flow logs.
        Traffic = "traffic",
        /// A Terraform plan.
        Plan = "plan",
    }

    /// Kinds of differences from the policy.
    DriftKind {
        /// A rule that the policy wants does not stand.
        RuleMissing = "rule-missing",
        /// Open egress stands on a locked group.
        GroupReopened = "group-reopened",
        /// Egress of a locked group that the policy does not permit.
        RuleOutside = "rule-outside",
        /// A rule of a locked group that a wanted rule covers.
        RuleCovered = "rule-covered",
        /// Ingress of a locked group that the policy does not have.
        IngressOutside = "ingress-outside",
        /// The inventory lacks a group's rules.
        RulesUnknown = "rules-unknown",
        /// A group of the account that the policy does not cover.
        GroupUncovered = "group-uncovered",
        /// A group that the policy covers or names is not in the inventory.
        GroupGone = "group-gone",
        /// A prefix list that the policy names is not in the inventory.
        ListGone = "list-gone",
        /// The last day of an accepted entry is over.
        DecisionExpired = "decision-expired",
        /// An accepted entry names an AWS service, for which closegate writes no rules.
        ServiceNotWritten = "service-not-written",
        /// Nothing has needed an accepted entry for long.
        EntryUnused = "entry-unused",
        /// Accepted connections that no accepted entry permits.
        ConnectionNotCovered = "connection-not-covered",
        /// Accepted connections that a declined entry is about.
        ConnectionDeclined = "connection-declined",
        /// Quarantined connections that the policy does not permit.
        ConnectionQuarantined = "connection-quarantined",
        /// After the plan, an accepted entry is not permitted any more.
        PlanBreaks = "plan-breaks",
        /// After the plan, accepted connections are denied.
        PlanLoses = "plan-loses",
        /// The plan permits what is denied today and what the policy does not permit.
        PlanOpens = "plan-opens",
        /// A part of the plan is known only after it is applied.
        PlanUnknown = "plan-unknown",
    }
}

impl DriftKind {
    /// What a difference of the kind is found in.
    pub const fn subject(self) -> DriftSubject {
        match self {
            Self::RuleMissing
            | Self::GroupReopened
            | Self::RuleOutside
            | Self::RuleCovered
            | Self::IngressOutside
            | Self::RulesUnknown
            | Self::GroupUncovered => DriftSubject::Account,
            Self::GroupGone
            | Self::ListGone
            | Self::DecisionExpired
            | Self::ServiceNotWritten
            | Self::EntryUnused => DriftSubject::Policy,
            Self::ConnectionNotCovered | Self::ConnectionDeclined | Self::ConnectionQuarantined => {
                DriftSubject::Traffic
            }
            Self::PlanBreaks | Self::PlanLoses | Self::PlanOpens | Self::PlanUnknown => {
                DriftSubject::Plan
            }
        }
    }
}

impl Direction {
    /// The direction of the rule on the other side of a connection.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Egress => Self::Ingress,
            Self::Ingress => Self::Egress,
        }
    }

    /// Between the group and the target of a rule, in a sentence.
    pub const fn preposition(self) -> &'static str {
        match self {
            Self::Egress => "to",
            Self::Ingress => "from",
        }
    }
}

impl Outcome {
    /// As people read it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Denied => "denied after the change",
            Self::RuleWritten => "rule written",
            Self::NotJudged => "not judged",
            Self::StillOpen => "still open",
        }
    }
}

impl From<Confidence> for Rating {
    /// A rule is as sure as the direction of its best connection.
    fn from(confidence: Confidence) -> Self {
        match confidence {
            Confidence::Certain => Self::High,
            Confidence::Likely => Self::Medium,
            Confidence::Guessed => Self::Low,
        }
    }
}
