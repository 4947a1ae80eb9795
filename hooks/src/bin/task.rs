//! The built-in tasks, and the process that keeps a local task running.

use std::process::ExitCode;

fn main() -> ExitCode {
    stagelink_hooks::task(std::env::args_os())
}
