//! What a command shows beside its result; every command has these options.

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Display")]
pub(in crate::cli) struct DisplayArgs {
    /// Print no progress and no notices; results and errors stay
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(in crate::cli) quiet: bool,

    /// Print what is read and how long each step takes, on standard error
    #[arg(short, long, global = true)]
    pub(in crate::cli) verbose: bool,

    /// Show no progress bar
    #[arg(long, global = true)]
    pub(in crate::cli) no_progress: bool,

    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(in crate::cli) color: ColorArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum ColorArg {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl From<ColorArg> for anstream::ColorChoice {
    fn from(arg: ColorArg) -> Self {
        match arg {
            ColorArg::Auto => Self::Auto,
            ColorArg::Always => Self::Always,
            ColorArg::Never => Self::Never,
        }
    }
}
