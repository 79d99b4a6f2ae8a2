//! Why an inventory can't be used.

use std::io;
use std::path::PathBuf;

use super::json::Misfit;

/// Why an inventory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The path is not a directory.
    #[error("inventory `{}` is not a directory; name the one that holds the output of `aws ec2 describe-security-groups` and the rest", .0.display())]
    NotADirectory(PathBuf),
    /// A file or directory could not be read.
    #[error("inventory file `{}` can't be read: {source}; make it readable or move it out of the directory", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not JSON.
    #[error("inventory file `{}`, line {line}, column {column}: this is not JSON: {what}; fetch it again or move it out of the directory", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        what: String,
    },
    /// A value is not what AWS prints.
    #[error("inventory file `{}`: {misfit}; fetch it again or move it out of the directory", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The place, what was found and what is wanted.
        misfit: Misfit,
    },
    /// A file that should be CloudTrail's and is not.
    #[error("`{}` is no trail file: it has neither Records nor Events; name what CloudTrail wrote to S3, or what `aws cloudtrail lookup-events` printed", .0.display())]
    NoTrail(PathBuf),
    /// Nothing of a kind that is needed anywhere below the directory.
    #[error("inventory `{}` {}", dir.display(), missing(what, empty.as_ref(), unread.as_deref()))]
    Missing {
        /// The directory.
        dir: PathBuf,
        /// What there is none of.
        what: &'static str,
        /// The list that has none of it, and the file that it is in.
        empty: Option<(&'static str, String)>,
        /// The files that closegate can't use, in words.
        unread: Option<String>,
    },
}

fn missing(what: &str, empty: Option<&(&str, String)>, unread: Option<&str>) -> String {
    const SAVE: &str = "save what `aws ec2 describe-security-groups` and `aws ec2 describe-network-interfaces` print there, without --query";
    match (empty, unread) {
        (Some((list, file)), _) => format!(
            "holds no {what}: the list {list} in `{file}` is empty; run `aws ec2 describe-{}` again, in the account and region of the logs and without --filters",
            what.replace(' ', "-")
        ),
        (None, None) => format!("holds no {what}; {SAVE}"),
        (None, Some(files)) => {
            format!("has no {what} that closegate recognises, and it can't use {files}; {SAVE}")
        }
    }
}
