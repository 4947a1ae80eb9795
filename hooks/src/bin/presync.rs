//! The PreSync hook.

use std::process::ExitCode;

use stagelink_hooks::Hook;

fn main() -> ExitCode {
    stagelink_hooks::main(Hook::PreSync, std::env::args_os())
}
