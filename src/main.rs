//! The `melonsync` command: arguments, dispatch, error to exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use melonsync::cli::Cli;
use mimalloc::MiMalloc;

// Measured: the system allocator takes a third of a cycle's CPU time (docs/performance.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // A wrong use ends here with exit code 2; help and version with 0.
    let cli = Cli::parse();
    #[cfg(target_os = "linux")]
    keep_free_memory::for_a_minute();
    ExitCode::from(melonsync::cli::run(&cli).code())
}

/// Free memory is given back to the system after a minute, not after a second: a cycle asks for the same memory again a
/// moment later, and the kernel clears it anew each time. Measured: an eighth of a cycle's CPU time, a third of its wall
/// time at 100,000 users (docs/performance.md).
#[cfg(target_os = "linux")]
mod keep_free_memory {
    use std::env;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    /// The allocator's own setting, in milliseconds. Who sets it keeps it.
    const SETTING: &str = "MIMALLOC_PURGE_DELAY";

    /// The allocator reads its settings before `main` does anything, and they can be told to it in no other safe way: so
    /// the program takes its own place once, as the same process. Where that fails, it goes on as it is.
    pub(super) fn for_a_minute() {
        if env::var_os(SETTING).is_some() {
            return;
        }
        let Ok(program) = env::current_exe() else { return };
        let mut again = Command::new(program);
        let mut arguments = env::args_os();
        if let Some(name) = arguments.next() {
            again.arg0(name);
        }
        let _did_not_work = again.args(arguments).env(SETTING, "60000").exec();
    }
}
