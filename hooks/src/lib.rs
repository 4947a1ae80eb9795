//! The PreSync, PostSync and SyncFail hooks and the built-in tasks as programs
