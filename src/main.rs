//! The `closegate` program.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Tables of many megabytes come and go: the system's allocator gives each back, and the next is
/// made of new pages.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    closegate::cli::run(std::env::args_os())
}
