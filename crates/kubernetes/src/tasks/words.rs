//! A failed task's own words: the end of its log, without the secrets that it knows.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::Api;
use kube::api::LogParams;
use stagelink_tasks::masked;

use super::end::Told;
use super::secrets::{NamedSecrets, values};
use crate::{ApiError, Cluster};

/// How long its Secrets may take to be read, and its log.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Lines of a log that are read, from its end; fewer are told.
const LINES: i64 = 50;
/// Bytes of them that are read, at most.
const BYTES: i64 = 1024 * 1024;

/// Where a task's words are.
pub(super) struct Words<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) pods: &'a Api<Pod>,
    /// Name of the main container.
    pub(super) container: &'a str,
    /// The Secrets in its environment.
    pub(super) named: &'a NamedSecrets,
}

impl Words<'_> {
    /// What somebody else says who knows the task's command, for example that it cannot be started.
    pub(super) async fn mask(&self, text: &str) -> String {
        match self.secrets().await {
            Ok(secrets) => masked(text.to_owned(), &secrets),
            Err(why) => format!("what it says is withheld, since it may hold secrets: {why}"),
        }
    }

    async fn secrets(&self) -> Result<Vec<String>, String> {
        let api: Api<Secret> = Api::namespaced(self.cluster.client(), self.cluster.namespace());
        match tokio::time::timeout(TIMEOUT, values(&api, self.named)).await {
            Ok(secrets) => secrets.map_err(|error| error.to_string()),
            Err(_) => Err("its Secrets cannot be read in time".to_owned()),
        }
    }

    /// The words of a pod's run, or of the one before, with what it left as its termination message.
    /// They are withheld if a Secret cannot be read, since then nobody knows what to mask.
    pub(super) async fn read(&self, pod: &str, previous: bool, message: &str) -> Told {
        let secrets: Api<Secret> = Api::namespaced(self.cluster.client(), self.cluster.namespace());
        let secrets = match tokio::time::timeout(TIMEOUT, values(&secrets, self.named)).await {
            Ok(Ok(secrets)) => secrets,
            Ok(Err(error)) => return withheld(&error.to_string()),
            Err(_) => return withheld("its Secrets cannot be read in time"),
        };
        let parameters = LogParams {
            container: Some(self.container.to_owned()),
            tail_lines: Some(LINES),
            limit_bytes: Some(BYTES),
            previous,
            ..LogParams::default()
        };
        let log = tokio::time::timeout(TIMEOUT, self.pods.logs(pod, &parameters)).await;
        let log = match log {
            Ok(Ok(log)) => whole(log, &secrets),
            // The pod may be gone with its log, and the task has failed all the same.
            Ok(Err(error)) => {
                let why = format!("(its log cannot be read: {})", ApiError::from(error));
                return Told::new(why, message, &secrets);
            }
            Err(_) => {
                return Told::new(
                    "(its log cannot be read in time)".to_owned(),
                    message,
                    &secrets,
                );
            }
        };
        Told::new(log, message, &secrets)
    }
}

/// A log without what the API server may have cut off in the middle of a secret.
fn whole(mut log: String, secrets: &[String]) -> String {
    if i64::try_from(log.len()).is_ok_and(|length| length >= BYTES) {
        let longest = secrets.iter().map(String::len).max().unwrap_or(0);
        let mut end = log.len().saturating_sub(longest);
        while !log.is_char_boundary(end) {
            end -= 1;
        }
        log.truncate(end);
    }
    log
}

fn withheld(why: &str) -> Told {
    Told {
        withheld: Some(format!(
            "its log is withheld, since it may hold secrets: {why}"
        )),
        ..Told::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_was_cut_in_two_is_not_told() {
        let length = usize::try_from(BYTES).unwrap();
        let secrets = ["s3cret-value".to_owned()];
        let cut = format!("{}s3cret-va", "x".repeat(length - 9));
        let told = Told::new(whole(cut, &secrets), "", &secrets);
        assert!(!told.log.lines.contains("s3c"), "{}", told.log.last_line);
        assert_eq!(whole("s3cret-va".to_owned(), &secrets), "s3cret-va");
    }
}
