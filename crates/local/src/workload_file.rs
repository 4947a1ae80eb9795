//! Workloads as whoever plays Argo CD tells of them, in `workloads.json`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use stagelink_delivery::Outcome;
use stagelink_delivery::ports::{WorkloadEnd, WorkloadWatcher};
use stagelink_plan::Workload;
use tokio_util::sync::CancellationToken;

/// Reads what was deployed from a file of this form; it is written before the hooks that read it run:
///
/// ```json
/// {"workloads": [{"kind": "Deployment", "name": "web", "namespace": "shop", "version": "v1",
///   "startedAt": "2026-01-01T00:00:00Z", "readyAt": "2026-01-01T00:00:01Z", "outcome": "pass"}]}
/// ```
#[derive(Debug)]
pub struct WorkloadFile {
    path: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Content {
    workloads: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    kind: String,
    name: String,
    namespace: String,
    #[serde(default)]
    started_at: Option<Timestamp>,
    #[serde(default)]
    ready_at: Option<Timestamp>,
    outcome: Outcome,
    #[serde(default)]
    reason: Option<String>,
}

impl WorkloadFile {
    /// The file `workloads.json` in a state folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            path: folder.join("workloads.json"),
        }
    }

    fn read(&self) -> Result<Vec<Entry>, String> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(format!("{} cannot be read: {error}", self.path.display())),
        };
        serde_json::from_slice::<Content>(&bytes)
            .map(|content| content.workloads)
            .map_err(|error| format!("{} is damaged: {error}", self.path.display()))
    }
}

#[async_trait]
impl WorkloadWatcher for WorkloadFile {
    async fn wait_until_deployed(
        &self,
        workload: &Workload,
        _: Duration,
        _: &CancellationToken,
    ) -> WorkloadEnd {
        let entries = match self.read() {
            Ok(entries) => entries,
            Err(reason) => {
                return WorkloadEnd {
                    outcome: Outcome::Error,
                    started_at: None,
                    ended_at: None,
                    replicas: None,
                    first_ready_at: None,
                    reason: Some(reason),
                    revision: None,
                };
            }
        };
        let found = entries.into_iter().find(|entry| {
            entry.kind == workload.kind
                && entry.name == workload.resource
                && entry.namespace == workload.namespace
        });
        match found {
            Some(entry) => WorkloadEnd {
                outcome: entry.outcome,
                started_at: entry.started_at,
                ended_at: entry.ready_at,
                replicas: None,
                first_ready_at: None,
                reason: entry.reason,
                revision: None,
            },
            // Kinds that this machine does not run are taken as deployed.
            None => WorkloadEnd {
                outcome: Outcome::Pass,
                started_at: None,
                ended_at: None,
                replicas: None,
                first_ready_at: None,
                reason: None,
                revision: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(resource: &str) -> Workload {
        Workload {
            name: resource.to_owned(),
            version: "v1".to_owned(),
            kind: "Deployment".to_owned(),
            resource: resource.to_owned(),
            namespace: "shop".to_owned(),
            metadata: Default::default(),
            phases: Default::default(),
        }
    }

    async fn end(file: &WorkloadFile, resource: &str) -> WorkloadEnd {
        file.wait_until_deployed(
            &workload(resource),
            Duration::ZERO,
            &CancellationToken::new(),
        )
        .await
    }

    #[tokio::test]
    async fn the_file_tells_what_became_of_a_workload() {
        let folder = tempfile::tempdir().unwrap();
        let file = WorkloadFile::in_folder(folder.path());
        assert_eq!(end(&file, "web").await.outcome, Outcome::Pass);
        fs::write(
            folder.path().join("workloads.json"),
            r#"{"workloads": [{"kind": "Deployment", "name": "web", "namespace": "shop", "version": "v1",
                "startedAt": "2026-01-01T00:00:00Z", "readyAt": "2026-01-01T00:00:01Z",
                "outcome": "fail", "reason": "it did not start"}]}"#,
        )
        .unwrap();
        let found = end(&file, "web").await;
        assert_eq!(
            (found.outcome, found.reason.as_deref()),
            (Outcome::Fail, Some("it did not start"))
        );
        assert!(found.started_at < found.ended_at);
        fs::write(folder.path().join("workloads.json"), "{").unwrap();
        assert_eq!(end(&file, "web").await.outcome, Outcome::Error);
    }
}
