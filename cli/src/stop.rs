//! SIGTERM and Ctrl-C: passed on to the hook under way, which stops its tasks and leaves the delivery
//! so that it can go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{CommandError, OrFault as _};

/// The program under way.
static UNDER_WAY: Mutex<Option<Pid>> = Mutex::new(None);
/// True once a signal has come.
static IS_ASKED: AtomicBool = AtomicBool::new(false);

/// From now on a first signal stops in order, and a second one at once.
pub(crate) fn listen() -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("signals cannot be waited for")
        .or_environment()?;
    let (mut terminate, mut interrupt) = {
        let _context = runtime.enter();
        signal(SignalKind::terminate())
            .and_then(|terminate| Ok((terminate, signal(SignalKind::interrupt())?)))
            .context("signals cannot be waited for")
            .or_environment()?
    };
    std::thread::spawn(move || {
        runtime.block_on(async move {
            for is_first in [true, false] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if !is_first {
                    std::process::exit(3);
                }
                IS_ASKED.store(true, Ordering::SeqCst);
                pass_on(*UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner));
            }
        });
    });
    Ok(())
}

/// Names the program that a signal is passed on to.
pub(crate) fn under_way(program: Option<u32>) {
    let pid = program
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    let mut under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
    *under_way = pid;
    if IS_ASKED.load(Ordering::SeqCst) {
        pass_on(pid);
    }
}

/// An error once a signal has come.
pub(crate) fn check() -> Result<(), CommandError> {
    if IS_ASKED.load(Ordering::SeqCst) {
        return Err(CommandError::environment(anyhow!(
            "stopped by a signal; the delivery goes on when it is started again"
        )));
    }
    Ok(())
}

fn pass_on(program: Option<Pid>) {
    if let Some(pid) = program {
        // It may have ended by itself in the meantime.
        let _ = kill_process(pid, Signal::TERM);
    }
}
