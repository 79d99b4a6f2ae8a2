//! How a file names groups and prefix lists.

/// How a file names groups and prefix lists, so that it can move between accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ids {
    /// By their ids.
    #[default]
    Literal,
    /// By variables that the caller sets.
    Var,
    /// By data sources that look them up by name.
    Data,
}
