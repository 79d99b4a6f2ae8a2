//! The `closegate` program.

use std::process::ExitCode;

#[cfg(all(feature = "jemalloc", target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// jemalloc's options, which it reads before `main`: large pages (2 MiB) for whatever is allocated, where the system gives them to those
/// that ask, and an arena for each processor, not four. A pointer to a text that ends with a zero byte. `_RJEM_MALLOC_CONF` overrides
/// them.
#[cfg(all(feature = "jemalloc", target_os = "linux", target_arch = "x86_64"))]
#[expect(
    unsafe_code,
    reason = "jemalloc finds its options by the name of a symbol; nothing else has this name"
)]
#[unsafe(export_name = "_rjem_malloc_conf")]
static MALLOC_CONF: &u8 = &b"thp:always,percpu_arena:percpu,dirty_decay_ms:60000\0"[0];

fn main() -> ExitCode {
    closegate::cli::run(std::env::args_os())
}
