//! Exit codes of the contract, and the one place that prints results and errors.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use super::trouble::Trouble;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done.
    Done,
    /// Done, and the answer is no: a finding stands, or it is not allowed.
    Stands,
    /// Done, and the inventory does not tell the answer.
    Unknown,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Stands => 1,
            Exit::Unknown => 2,
        })
    }
}

/// Why a run could not be done.
#[derive(Debug)]
pub(super) struct Failure {
    kind: FailureKind,
    trouble: Trouble,
    error: anyhow::Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FailureKind {
    /// The command line, configuration or inventory is unusable.
    Usage,
    /// Nothing usable could be read from the flow sources.
    NothingRead,
    /// AWS refused or could not be reached.
    Aws,
    /// Writing failed.
    Output,
}

impl Failure {
    /// From any error about what the user gave. The type of its cause says what it is about.
    pub(super) fn usage(error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        Self {
            kind: FailureKind::Usage,
            trouble: Trouble::of(&error),
            error,
        }
    }

    /// Nothing usable could be read from the flow sources.
    pub(super) fn nothing_read(text: String) -> Self {
        Self {
            kind: FailureKind::NothingRead,
            trouble: Trouble::NothingRead,
            error: anyhow::Error::msg(text),
        }
    }

    /// AWS refused.
    pub(super) fn aws(text: String) -> Self {
        Self {
            kind: FailureKind::Aws,
            trouble: Trouble::AwsRefused,
            error: anyhow::Error::msg(text),
        }
    }

    /// Writing failed.
    pub(super) fn output(error: impl Into<anyhow::Error>) -> Self {
        Self {
            kind: FailureKind::Output,
            trouble: Trouble::NotWritten,
            error: error.into(),
        }
    }

    /// The same failure, where the type of the error does not say what it is about.
    pub(super) fn about(mut self, trouble: Trouble) -> Self {
        self.trouble = trouble;
        self
    }

    /// The same failure, of an option.
    pub(super) fn of_option(mut self, option: &'static str) -> Self {
        self.error = self.error.context(option);
        self
    }

    /// Whether AWS refused or could not be reached.
    pub(super) const fn is_of_aws(&self) -> bool {
        matches!(self.kind, FailureKind::Aws)
    }

    const fn code(&self) -> u8 {
        match self.kind {
            FailureKind::Usage | FailureKind::Output => 2,
            FailureKind::NothingRead => 3,
            FailureKind::Aws => 4,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

/// Prints what went wrong, and where to read about it. A closed pipe is no error and ends quietly.
pub(super) fn report(failure: &Failure) -> ExitCode {
    let mut causes = failure.error.chain();
    if failure.kind == FailureKind::Output
        && causes.any(|cause| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(is_broken_pipe)
        })
    {
        return ExitCode::SUCCESS;
    }
    // Nothing is left to do if standard error can't be written either.
    let _ = writeln!(
        anstream::stderr(),
        "error: {}\nsee {}",
        crate::net::visible(&failure.to_string(), 2000),
        failure.trouble.place()
    );
    ExitCode::from(failure.code())
}

/// Prints clap's help, version or error where it belongs.
pub(super) fn clap(error: &clap::Error) -> ExitCode {
    // As above; a closed pipe under --help is no error.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Writes a result to standard output, byte for byte as `--out` writes it to a file. Whatever wrote the result has
/// escaped foreign text.
pub(super) fn print(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    put(&mut io::stdout().lock(), text.as_ref())
}

/// Writes a text with colours of ours to standard output, which shows them on a terminal only.
pub(super) fn print_coloured(text: &str) -> Result<(), Failure> {
    put(&mut anstream::stdout().lock(), text.as_bytes())
}

fn put(out: &mut impl Write, text: &[u8]) -> Result<(), Failure> {
    out.write_all(text)
        .and_then(|()| out.flush())
        .map_err(|error| {
            Failure::output(anyhow::Error::new(error).context("standard output can't be written"))
        })
}

fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
