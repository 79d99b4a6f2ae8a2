//! Help as a terminal shows it.

use clap::Command;
use clap::builder::StyledStr;

/// The command with help as a terminal shows it. Doc comments mark code by backticks, and a terminal shows them.
pub(super) fn without_backticks(command: Command) -> Command {
    let plain = |text: Option<&StyledStr>| text.map(|text| text.to_string().replace('`', ""));
    let (about, long) = (plain(command.get_about()), plain(command.get_long_about()));
    let command = command.mut_args(|arg| {
        let (help, long) = (plain(arg.get_help()), plain(arg.get_long_help()));
        let arg = match help {
            Some(help) => arg.help(help),
            None => arg,
        };
        match long {
            Some(long) => arg.long_help(long),
            None => arg,
        }
    });
    let command = match about {
        Some(about) => command.about(about),
        None => command,
    };
    let command = match long {
        Some(long) => command.long_about(long),
        None => command,
    };
    command.mut_subcommands(without_backticks)
}

/// What the exit codes mean, for the end of a help page.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 done; 1 done, and a finding at or above --fail-on stands or a connection would break; \
2 the command line or inventory is unusable; 3 nothing usable could be read from the flow sources; 4 AWS refused or could not be reached; \
130 interrupted.";
