//! The program around the service.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{Arguments, Service};

/// Exit code for wrong arguments.
const USAGE: u8 = 2;
/// Exit code for a machine where it cannot run.
const BROKEN: u8 = 3;

/// Runs the service until SIGTERM, Ctrl-C or, if asked for, the end of standard input. `arguments`
/// begin with the program's name. Its URL is the one line on standard output.
///
/// The exit code is 0 after it was told to end, 2 for wrong arguments, 3 if it cannot start.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nobody is left to be told that the terminal is gone.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(&arguments)),
        Err(error) => Err(error.to_string()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(std::io::stderr(), "error: {problem}");
            ExitCode::from(BROKEN)
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), String> {
    let stop = CancellationToken::new();
    let no_signals = |error| format!("signals cannot be received here: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let service = Service::bind(arguments)
        .await
        .map_err(|error| error.to_string())?;
    if arguments.exit_on_stdin_close {
        let stop = stop.clone();
        // A thread of its own: the runtime would wait for a read that never ends.
        std::thread::spawn(move || {
            let mut rest = [0; 64];
            while matches!(std::io::stdin().read(&mut rest), Ok(1..)) {}
            stop.cancel();
        });
    }
    let mut out = std::io::stdout();
    writeln!(out, "http://{}", service.address())
        .and_then(|()| out.flush())
        .map_err(|error| format!("the URL cannot be printed: {error}"))?;
    let on_signal = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        on_signal.cancel();
    });
    service.serve(&stop).await;
    Ok(())
}
