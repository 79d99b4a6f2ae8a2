//! Who wrote a file of rules: closegate replaces and removes its own only.

use super::table::COLUMNS;
use super::terraform::POLICY_MARK;

/// Lines in which closegate says that a file is its own.
const LINES: usize = 5;

/// Who wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleFileOrigin {
    /// Somebody else.
    Foreign,
    /// closegate, from a run, or as a table: a file from a policy may replace it.
    Run,
    /// closegate, from a policy.
    Policy,
}

/// Who wrote a file that begins so.
pub fn rule_file_origin(beginning: &str) -> RuleFileOrigin {
    let mut lines = beginning.lines().take(LINES);
    let first = beginning.lines().next().unwrap_or_default();
    if lines.any(|line| line.contains(POLICY_MARK) || line.trim() == "\"scope\": \"policy\",") {
        return RuleFileOrigin::Policy;
    }
    let mut lines = beginning.lines().take(LINES);
    let is_run = |line: &str| line.starts_with("# closegate: ") || line.contains("\"closegate: ");
    if lines.any(is_run) || first == COLUMNS.join(",") {
        return RuleFileOrigin::Run;
    }
    RuleFileOrigin::Foreign
}

/// What the names of a policy's files begin with.
const NAMES: &[&str] = &[
    "mutual",
    "other",
    "rules",
    "imports",
    "exclusive",
    "names",
    "template",
    "sg-",
    "vpc-",
    "no-vpc",
    "apply",
    "rollback",
];

/// Whether a file has a name that closegate gives, and is in the form of another file: it may be what an earlier run wrote.
pub fn is_same_form(name: &str, new: &str) -> bool {
    // Terraform reads its two syntaxes side by side.
    fn ending(name: &str) -> &str {
        match &name[name.find('.').unwrap_or(name.len())..] {
            ".tf.json" => ".tf",
            ending => ending,
        }
    }
    let is_both = |word: &str| name.starts_with(word) == new.starts_with(word);
    NAMES.iter().any(|known| name.starts_with(known))
        && ending(name) == ending(new)
        && is_both("apply")
        && is_both("rollback")
        && is_both("template")
}
