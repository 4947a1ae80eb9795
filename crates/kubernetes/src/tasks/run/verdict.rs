//! How a task ended, from what has been seen of it.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;

use super::Run;
use crate::tasks::end::{End, Told};
use crate::tasks::sight::{Hindrance, HindranceKind, JobEnd};

impl Run<'_> {
    /// How the task ended, as far as is known.
    pub(super) async fn verdict(&mut self, pods: &Api<Pod>) -> Option<End> {
        if self.has_succeeded || self.job == Some(JobEnd::Complete) {
            return Some(End::Passed);
        }
        if let Some((hindrance, _)) = &self.hindrance
            && hindrance.kind == HindranceKind::Final
        {
            return Some(End::NotStarted {
                hindrance: hindrance.clone(),
                timeout: None,
            });
        }
        // Without retries nothing comes after a failure.
        if self.retries == 0 && self.failure.is_some() {
            return Some(self.failed("BackoffLimitExceeded", ""));
        }
        if !self.are_pods_known {
            // They may have more to say than the Job.
            return None;
        }
        if let Some(JobEnd::Failed { reason, message }) = self.job.clone() {
            if reason == "DeadlineExceeded" {
                return Some(self.timed_out(pods).await);
            }
            if self.failure.is_none()
                && let Some(disrupted) = self.disrupted.take()
            {
                return Some(End::Disrupted(disrupted));
            }
            return Some(self.failed(&reason, &message));
        }
        self.is_gone.then(|| End::Error {
            reason: "JobDeleted",
            message: format!(
                "Job {} was deleted before it was known to have ended; sync again to run it again",
                self.id.name
            ),
        })
    }

    fn failed(&mut self, reason: &str, message: &str) -> End {
        End::Failed {
            failure: self.failure.take(),
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }

    async fn timed_out(&mut self, pods: &Api<Pod>) -> End {
        let timeout = self.timeout.clone();
        // Of a Job that ended before it was found nobody knows; then it is taken at its word.
        if !self.has_started && (self.has_pod || self.hindrance.is_some()) {
            let hindrance = match self.hindrance.take() {
                Some((hindrance, _)) => hindrance,
                None => Hindrance {
                    kind: HindranceKind::Waiting,
                    reason: "DeadlineExceeded".to_owned(),
                    message: String::new(),
                },
            };
            return End::NotStarted {
                hindrance,
                timeout: Some(timeout),
            };
        }
        // It is being stopped, and its log goes with its pod.
        let running = self
            .pods
            .values()
            .find(|pod| pod.has_started)
            .map(|pod| pod.name.clone());
        let log = match running {
            Some(pod) => self.words(pods).read(&pod, false, "").await,
            None => Told::default(),
        };
        End::TimedOut {
            timeout,
            failure: self.failure.take(),
            log,
        }
    }

    /// Tells the last lines of a task that did not pass.
    pub(super) fn tell_log(&self, end: &End) {
        let told = match end {
            End::Failed { failure, .. } => failure.as_ref().map(|failure| &failure.told),
            End::TimedOut { failure, log, .. } => {
                Some(failure.as_ref().map_or(log, |failure| &failure.told))
            }
            _ => None,
        };
        for line in told.into_iter().flat_map(|told| told.log.lines.lines()) {
            self.tell(&format!("log: {line}"));
        }
    }
}
