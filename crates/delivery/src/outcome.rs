//! What came of a task, an evaluation, a phase or a delivery.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What came of a task, an evaluation, a phase or a delivery. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It did what it should.
    Pass,
    /// It failed, and the failure does not block (Keptn's non-blocking mode).
    Warn,
    /// It could not be told, for example because a metric had no data. Never a pass.
    Inconclusive,
    /// It could not be carried out; trying again may help.
    Error,
    /// It was carried out and the answer is no; trying again gives the same.
    Fail,
}

impl Outcome {
    /// True if what follows may go on.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Pass | Self::Warn)
    }

    /// The word that ledgers, tables and `-o json` use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
