//! Exit codes of the contract, and how errors are said.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done.
    Done,
    /// Done, and the answer is no: a finding stands, or it is not allowed.
    Stands,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Stands => 1,
        })
    }
}

/// Why a run could not be done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line, configuration or inventory is unusable.
    Usage(anyhow::Error),
    /// Nothing usable could be read from the flow sources.
    NothingRead(String),
    /// AWS refused or could not be reached.
    Aws(String),
    /// Writing failed.
    Output(anyhow::Error),
}

impl Failure {
    /// From any error about what the user gave.
    pub(super) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Output(_) => 2,
            Self::NothingRead(_) => 3,
            Self::Aws(_) => 4,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) | Self::Output(error) => write!(f, "{error:#}"),
            Self::NothingRead(text) | Self::Aws(text) => f.write_str(text),
        }
    }
}

/// Says what went wrong; a closed pipe is nobody's fault and ends quietly.
pub(super) fn report(failure: &Failure) -> ExitCode {
    if let Failure::Output(error) = failure
        && error.chain().any(|cause| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(is_broken_pipe)
        })
    {
        return ExitCode::SUCCESS;
    }
    // Nothing is left to do if standard error is gone as well.
    let _ = writeln!(
        anstream::stderr(),
        "error: {}",
        crate::net::visible(&failure.to_string(), 2000)
    );
    ExitCode::from(failure.code())
}

/// Prints clap's help, version or error where it belongs.
pub(super) fn clap(error: &clap::Error) -> ExitCode {
    // As above; a closed pipe under --help is no error.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Writes a result to standard output.
pub(super) fn print(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_ref())
        .and_then(|()| out.flush())
        .map_err(|error| {
            Failure::Output(anyhow::Error::new(error).context("standard output can't be written"))
        })
}

fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
