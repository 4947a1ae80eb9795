//! Identity is computed, not remembered: every hook can name every span.
//!
//! Trace id = SHA-256(ledger id, delivery number, attempt number), span id = SHA-256(trace id,
//! path of the span), both truncated. So sending a span twice is harmless, and equal apps in two
//! clusters never share a trace, because their ledgers have different ids.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stagelink_plan::{SpanId, TraceId, TraceParent};

use crate::Phase;

/// What a ledger is known by: in a cluster the UID of its ConfigMap, on one machine a random text,
/// made once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LedgerId(pub String);

/// One try at one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttemptId<'a> {
    /// The ledger that numbers the deliveries.
    pub ledger: &'a LedgerId,
    /// Number of the delivery, from 1.
    pub delivery: u64,
    /// Number of the attempt, from 1.
    pub attempt: u64,
}

impl AttemptId<'_> {
    /// The trace of this attempt.
    pub fn trace_id(&self) -> TraceId {
        let mut salt = 0_u8;
        loop {
            let hash = Sha256::new()
                .chain_update(b"stagelink trace\0")
                .chain_update(self.ledger.0.as_bytes())
                .chain_update([0, salt])
                .chain_update(self.delivery.to_be_bytes())
                .chain_update(self.attempt.to_be_bytes())
                .finalize();
            // All zero has the chance of 2^-128; W3C forbids it, so it is not left to chance.
            if let Some(id) = TraceId::from_bytes(first(&hash)) {
                return id;
            }
            salt = salt.wrapping_add(1);
        }
    }

    /// The span at a path of this attempt's trace.
    pub fn span_id(&self, path: &SpanPath) -> SpanId {
        let trace = self.trace_id().to_bytes();
        let mut salt = 0_u8;
        loop {
            let hash = Sha256::new()
                .chain_update(b"stagelink span\0")
                .chain_update(trace)
                .chain_update([salt])
                .chain_update(path.as_str().as_bytes())
                .finalize();
            if let Some(id) = SpanId::from_bytes(first(&hash)) {
                return id;
            }
            salt = salt.wrapping_add(1);
        }
    }

    /// The traceparent that names the span at a path.
    pub fn trace_parent(&self, path: &SpanPath) -> TraceParent {
        TraceParent::sampled(self.trace_id(), self.span_id(path))
    }

    /// The five digits at the end of a task's or evaluation's name, 10000 to 99998 as in Keptn,
    /// but the same each time.
    pub fn name_suffix(&self, path: &SpanPath) -> u32 {
        let bytes = self.span_id(path).to_bytes();
        let number = u64::from_be_bytes(bytes) % 89_999;
        // Below 89,999, so it fits.
        10_000 + u32::try_from(number).unwrap_or_default()
    }
}

fn first<const N: usize>(hash: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&hash[..N]);
    bytes
}

/// Where a span stands in its trace: names joined with `/`, empty for the root.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SpanPath(String);

impl SpanPath {
    /// The root: the delivery itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// A phase of the app.
    pub fn phase(phase: Phase) -> Self {
        Self(phase.short_name().to_owned())
    }

    /// A workload, below `AppDeploy`.
    pub fn workload(name: &str) -> Self {
        Self::phase(Phase::AppDeploy).child(name)
    }

    /// A phase of a workload.
    pub fn workload_phase(workload: &str, phase: Phase) -> Self {
        Self::workload(workload).child(phase.short_name())
    }

    /// An item of a phase: the definition at this place of the phase's list, from 0.
    pub fn item(&self, index: usize, definition: &str) -> Self {
        self.child(&format!("{index}:{definition}"))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn child(&self, name: &str) -> Self {
        if self.0.is_empty() {
            Self(name.to_owned())
        } else {
            Self(format!("{}/{name}", self.0))
        }
    }
}

impl fmt::Display for SpanPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with another program: hooks of different versions must name the same spans.
    #[test]
    fn identities_never_change() {
        let ledger = LedgerId("8f14e45f".to_owned());
        let attempt = AttemptId {
            ledger: &ledger,
            delivery: 2,
            attempt: 1,
        };
        let item = SpanPath::workload_phase("web", Phase::WorkloadPreDeployTasks).item(0, "warm");
        let trace = "f004be1688edaed6ba2ab1b86f52c015";
        assert_eq!(attempt.trace_id().to_string(), trace);
        assert_eq!(
            attempt.trace_parent(&SpanPath::root()).to_string(),
            format!("00-{trace}-db57f1f63a366c81-01")
        );
        assert_eq!(attempt.span_id(&item).to_string(), "6a7098ba52a4209c");
        assert_eq!(attempt.name_suffix(&item), 64_498);
        let next = AttemptId {
            attempt: 2,
            ..attempt.clone()
        };
        assert_ne!(next.trace_id(), attempt.trace_id());
    }
}
