//! The PostSync hook.

use std::process::ExitCode;

use stagelink_hooks::Hook;

fn main() -> ExitCode {
    stagelink_hooks::main(Hook::PostSync, std::env::args_os())
}
