//! The directories of a policy that has one for each account.

use crate::net::is_account_id;

/// The directory of groups whose account is not known.
pub const NO_ACCOUNT: &str = "no-account";

/// The directory for the groups of an account. What is no account's id, as foreign text may be, becomes no part of a path.
pub fn account_directory(account: &str) -> &str {
    if is_account_id(account) {
        account
    } else {
        NO_ACCOUNT
    }
}

/// Whether a directory's name is one that [`account_directory`] gives.
pub fn is_account_directory(name: &str) -> bool {
    is_account_id(name) || name == NO_ACCOUNT
}
