//! What every command takes: how much it says, and in colour or not.

use std::ffi::OsString;

use anstream::ColorChoice;
use clap::ValueEnum;

/// How a command talks to a terminal. Each option names the heading itself, for `next_help_heading` would hold for the options
/// behind these as well.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(in crate::cli) struct TerminalArgs {
    /// No progress and no notices; errors and results stay
    #[arg(short, long, global = true, help_heading = OUTPUT)]
    pub(in crate::cli) quiet: bool,

    /// Name the files that are read, what they hold, and the time of each stage, on standard error
    #[arg(short, long, global = true, conflicts_with = "quiet", help_heading = OUTPUT)]
    pub(in crate::cli) verbose: bool,

    /// No progress bar [default: a bar if standard error is a terminal]
    #[arg(long, global = true, help_heading = OUTPUT)]
    pub(in crate::cli) no_progress: bool,

    /// Colours; `auto` follows the terminal, `NO_COLOR` and `CLICOLOR`
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = OUTPUT)]
    pub(in crate::cli) color: ColorArg,
}

const OUTPUT: &str = "Output";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ColorArg {
    Auto,
    Always,
    Never,
}

impl From<ColorArg> for ColorChoice {
    fn from(arg: ColorArg) -> Self {
        match arg {
            ColorArg::Auto => Self::Auto,
            ColorArg::Always => Self::Always,
            ColorArg::Never => Self::Never,
        }
    }
}

/// The value of `--color` among arguments that are not parsed yet: help and errors of the command line are printed before.
pub(in crate::cli) fn color(arguments: &[OsString]) -> ColorArg {
    let texts = || arguments.iter().map_while(|argument| argument.to_str());
    let mut before = "";
    let mut chosen = ColorArg::Auto;
    for text in texts().take_while(|text| *text != "--") {
        let value = match text.strip_prefix("--color=") {
            Some(value) => Some(value),
            None => (before == "--color").then_some(text),
        };
        if let Some(value) = value {
            chosen = ColorArg::from_str(value, false).unwrap_or(chosen);
        }
        before = text;
    }
    chosen
}
