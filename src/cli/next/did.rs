//! What a command did, as far as the next step depends on it.

use std::path::PathBuf;

use crate::cli::command_line::CommandLine;

/// What a command did.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Next {
    /// `audit`
    Audited {
        run: PathBuf,
        policy: Option<PathBuf>,
        /// Groups that can be locked, and all in use.
        ready: (usize, usize),
        /// The worst threat finding that no earlier run had.
        threat: Option<String>,
    },
    /// `demo`
    Shown { with_policy: bool },
    /// `collect inventory`
    #[cfg_attr(
        not(any(feature = "aws", test)),
        expect(dead_code, reason = "a build without AWS collects nothing")
    )]
    Collected { snapshot: PathBuf },
    /// `ingest`
    Ingested {
        store: PathBuf,
        inventory: Option<PathBuf>,
    },
    /// `store verify`
    StoreVerified { store: PathBuf, is_whole: bool },
    /// `rules RUN`
    WroteRules { run: PathBuf },
    /// `verify`
    Verified {
        against: Against,
        /// Connections that would break.
        lost: usize,
        /// The audit of the same logs.
        audit: CommandLine,
        inventory: PathBuf,
    },
    /// `diff`
    Differs {
        run: PathBuf,
        /// The worst new finding.
        finding: Option<String>,
    },
    /// `can`, where the inventory does not tell
    CanNotTell,
    /// `explain`
    Explained {
        run: PathBuf,
        /// What the evidence leads to: a connection of a rule or a finding.
        evidence: Option<String>,
    },
    /// `report`
    Reported { run: PathBuf },
    /// `query`, without a name
    Listed,
    /// `query connections`, for an engine of one's own
    Asked,
    /// `config init`
    Configured { file: PathBuf },
    /// A command about a policy
    Policy(NextOfPolicy),
}

/// What a command about a policy did.
#[derive(Clone, Debug)]
pub(in crate::cli) enum NextOfPolicy {
    /// `policy update`
    Updated {
        policy: PathBuf,
        run: PathBuf,
        /// The key of an entry that is to be decided.
        proposed: Option<String>,
    },
    /// `policy decide`
    Decided { policy: PathBuf },
    /// `policy check`
    Checked {
        policy: PathBuf,
        inventory: Option<PathBuf>,
        run: Option<PathBuf>,
        is_valid: bool,
    },
    /// `policy status`
    Stands {
        policy: PathBuf,
        inventory: Option<PathBuf>,
        run: Option<PathBuf>,
        groups: GroupCounts,
    },
    /// `rules --policy`
    WrotePolicy {
        policy: PathBuf,
        inventory: PathBuf,
        /// What the files are written as.
        format: String,
        out: PathBuf,
    },
    /// `drift`
    Compared {
        policy: PathBuf,
        inventory: PathBuf,
        differs: bool,
        with_plan: bool,
        /// The audit of the logs that were compared, if there were some.
        audit: Option<CommandLine>,
    },
}

/// Groups of a policy, by what they wait for.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct GroupCounts {
    /// Ready to lock: the file of one of them, and how many there are.
    pub(in crate::cli) ready: Option<(PathBuf, usize)>,
    /// The key of an entry that is to be decided.
    pub(in crate::cli) proposed: Option<String>,
    /// Those that wait for evidence.
    pub(in crate::cli) waiting: usize,
    /// Those that are locked, and all.
    pub(in crate::cli) locked: (usize, usize),
}

/// What logs were replayed against.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Against {
    /// A run's rules, or a plan.
    Rules,
    /// Today's rules.
    Today,
    /// A policy.
    Policy(PathBuf),
}
