//! The `closegate` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    closegate::cli::run(std::env::args_os())
}
