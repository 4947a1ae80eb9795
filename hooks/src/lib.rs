//! The PreSync, PostSync and SyncFail hooks, and the built-in tasks, as programs.
//!
//! Only wiring: command lines, which runner and which store, what a person sees, and exit codes. What
//! is decided about a delivery is decided by [`stagelink_delivery::engine`].
//!
//! ```
//! use clap::CommandFactory as _;
//!
//! stagelink_hooks::Arguments::command().debug_assert();
//! ```

mod arguments;
mod export;
mod links;
mod operation;
mod place;
mod report;
mod run;
mod surroundings;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

pub use arguments::{Arguments, HookKind};
pub use links::TraceUrl;
pub use place::LedgerPlace;
pub use stagelink_delivery::engine::Hook;

/// Runs a hook; `arguments` begin with the program's name.
///
/// The exit code is 0 if it passed, 1 if it did not pass, 2 for wrong usage or input, 3 if this
/// machine or the ledger is broken.
pub fn main(hook: Hook, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = Arguments::command()
        .name(arguments::program(hook))
        .about(arguments::about(hook))
        .after_help(arguments::examples(hook));
    let parsed = command
        .try_get_matches_from(arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    match parsed {
        Ok(arguments) => run::run(hook, &arguments),
        Err(error) => {
            // Nobody is left to be told if the output is closed.
            let _ = error.print();
            ExitCode::from(if error.use_stderr() { 2 } else { 0 })
        }
    }
}

/// Runs a built-in task, or with `supervise FOLDER` keeps a local task running; `arguments` begin with
/// the program's name. Exit codes are those of [`main`].
pub fn task(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let [_, word, folder] = arguments.as_slice()
        && word == "supervise"
    {
        return match run::runtime() {
            Ok(runtime) => runtime.block_on(stagelink_local::supervise(Path::new(folder))),
            Err(_) => ExitCode::from(3),
        };
    }
    stagelink_tasks::main(arguments)
}
