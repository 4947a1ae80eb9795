//! The SyncFail hook.

use std::process::ExitCode;

use stagelink_hooks::Hook;

fn main() -> ExitCode {
    stagelink_hooks::main(Hook::SyncFail, std::env::args_os())
}
