//! What a kind of finding is.

use crate::documents::{Family, Rating, Severity};

/// A kind of finding.
#[derive(Debug)]
pub struct Kind {
    /// Its name everywhere: file, `audit.json`, docs heading, test and fixture.
    pub id: &'static str,
    /// Its family.
    pub family: Family,
    /// How bad.
    pub severity: Severity,
    /// How sure, at best.
    pub confidence: Rating,
    /// Whether its connections are quarantined.
    pub quarantine: bool,
    /// What it is, in a few words.
    pub title: &'static str,
    /// What to do.
    pub remediation: &'static str,
    /// Where the signal comes from.
    pub sources: &'static [&'static str],
    /// What a team can set.
    pub thresholds: &'static [Threshold],
}

/// A number above which something is reported: `[findings.KIND]` of a configuration sets it by its key.
#[derive(Clone, Copy, Debug)]
pub struct Threshold {
    /// Its name.
    pub key: &'static str,
    /// Its value where the configuration has none.
    pub default: u64,
    /// What is counted.
    pub meaning: &'static str,
}
