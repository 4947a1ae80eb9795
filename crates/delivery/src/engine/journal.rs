//! The ledger while an attempt runs: every change is saved before the engine goes on.

use std::sync::{Mutex, MutexGuard, PoisonError};

use stagelink_plan::Plan;
use tokio::sync::Mutex as AsyncMutex;

use super::EngineError;
use crate::ledger::{Attempt, Ledger};
use crate::ports::{LedgerStore, StoreError, StoreVersion};

/// How often a save is tried again when somebody else wrote in between.
pub(super) const TRIES: usize = 20;

/// The ledger and the attempt in it that this engine works on.
pub(super) struct Journal<'a> {
    store: &'a dyn LedgerStore,
    plan: &'a Plan,
    delivery: u64,
    attempt: u64,
    state: Mutex<Unsaved>,
    /// What the store has. Held while saving, so that changes made meanwhile go out together.
    saved: AsyncMutex<Saved>,
}

struct Unsaved {
    ledger: Ledger,
    changes: u64,
}

struct Saved {
    version: StoreVersion,
    changes: u64,
}

impl<'a> Journal<'a> {
    pub(super) fn new(
        store: &'a dyn LedgerStore,
        plan: &'a Plan,
        ledger: Ledger,
        version: StoreVersion,
        (delivery, attempt): (u64, u64),
    ) -> Self {
        Self {
            store,
            plan,
            delivery,
            attempt,
            state: Mutex::new(Unsaved { ledger, changes: 0 }),
            saved: AsyncMutex::new(Saved {
                version,
                changes: 0,
            }),
        }
    }

    pub(super) fn delivery(&self) -> u64 {
        self.delivery
    }

    pub(super) fn attempt(&self) -> u64 {
        self.attempt
    }

    fn state(&self) -> MutexGuard<'_, Unsaved> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from the attempt.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Ledger, &Attempt) -> T) -> Option<T> {
        let state = self.state();
        let attempt = state.ledger.attempt(self.delivery, self.attempt)?;
        Some(read(&state.ledger, attempt))
    }

    /// Changes the attempt and saves the ledger.
    pub(super) async fn change<T>(
        &self,
        change: impl FnOnce(&mut Attempt) -> T,
    ) -> Result<T, EngineError> {
        let (result, changes) = self.apply(change)?;
        self.save(changes).await?;
        Ok(result)
    }

    /// Changes the attempt; the ledger is saved with the next change. For what would come out the same
    /// if it were lost.
    pub(super) fn note<T>(&self, change: impl FnOnce(&mut Attempt) -> T) -> Result<T, EngineError> {
        Ok(self.apply(change)?.0)
    }

    /// Saves what was noted.
    pub(super) async fn flush(&self) -> Result<(), EngineError> {
        let changes = self.state().changes;
        self.save(changes).await
    }

    fn apply<T>(&self, change: impl FnOnce(&mut Attempt) -> T) -> Result<(T, u64), EngineError> {
        let mut state = self.state();
        let Some(attempt) = state.ledger.attempt_mut(self.delivery, self.attempt) else {
            return Err(EngineError::Superseded);
        };
        let result = change(attempt);
        state.changes += 1;
        Ok((result, state.changes))
    }

    /// Waits until the first `changes` changes are saved.
    async fn save(&self, changes: u64) -> Result<(), EngineError> {
        let mut saved = self.saved.lock().await;
        for _ in 0..TRIES {
            if saved.changes >= changes {
                return Ok(());
            }
            let (ledger, covers) = {
                let state = self.state();
                (state.ledger.clone(), state.changes)
            };
            match self.store.save(&ledger, &saved.version).await {
                Ok(version) => {
                    *saved = Saved {
                        version,
                        changes: covers,
                    }
                }
                Err(StoreError::Conflict) => saved.version = self.reload().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Takes over what somebody else wrote; this engine's attempt stays its own.
    async fn reload(&self) -> Result<StoreVersion, EngineError> {
        let (mut theirs, version) = self.store.load(self.plan).await?;
        let mut state = self.state();
        let Some(ours) = state.ledger.attempt(self.delivery, self.attempt).cloned() else {
            return Err(EngineError::Superseded);
        };
        match theirs.attempt_mut(self.delivery, self.attempt) {
            // Somebody closed it as left open: what runs here counts no more.
            Some(attempt) if attempt.ended_at.is_some() && ours.ended_at.is_none() => {
                return Err(EngineError::Superseded);
            }
            Some(attempt) if attempt.operation.name == ours.operation.name => *attempt = ours,
            _ => return Err(EngineError::Superseded),
        }
        state.ledger = theirs;
        Ok(version)
    }

    /// The ledger as it was last changed.
    pub(super) fn into_ledger(self) -> Ledger {
        self.state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .ledger
    }
}
