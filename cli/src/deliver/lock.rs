//! One delivery of a stage at a time on this machine.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use stagelink_delivery::ports::StoreError;
use stagelink_local::LedgerFile;

use super::Progress;
use crate::exit::{CommandError, OrFault as _};
use crate::stop;

/// How often it is looked whether a hook has ended.
const INTERVAL: Duration = Duration::from_millis(20);

/// Held as long as a delivery of the stage is under way; the system lets go of it when the process
/// ends, however it ends.
#[derive(Debug)]
pub(super) struct StageLock {
    _file: File,
}

impl StageLock {
    /// Takes the lock of the stage with this state folder.
    pub(super) fn take(state: &Path) -> Result<Self, CommandError> {
        let path = state.join("deliver.lock");
        let context = || format!("{} cannot be written", path.display());
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(context)
            .or_environment()?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(CommandError::environment(anyhow!(
                "another delivery of this stage is under way ({} is locked); wait until it has ended, or end it",
                path.display()
            ))),
            Err(TryLockError::Error(error)) => Err(error).with_context(context).or_environment(),
        }
    }
}

/// A hook outlives a delivery that was killed, and finishes its work. What it did is then known.
pub(super) fn wait_for_hook(
    ledger: &Path,
    progress: &mut dyn Progress,
) -> Result<(), CommandError> {
    let mut is_told = false;
    loop {
        match LedgerFile::open(ledger) {
            // Dropped at once: the hooks take it themselves.
            Ok(_) => return Ok(()),
            Err(StoreError::Locked { .. }) => {}
            Err(error) => return Err(error).or_environment(),
        }
        if !is_told {
            progress.step("wait for a hook of an earlier run that is still at work");
            is_told = true;
        }
        std::thread::sleep(INTERVAL);
        stop::check()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_two_is_refused_until_the_first_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let first = StageLock::take(folder.path()).unwrap();
        let refused = StageLock::take(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("deliver.lock is locked"), "{refused}");
        drop(first);
        StageLock::take(folder.path()).unwrap();
    }
}
