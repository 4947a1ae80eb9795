//! Workloads of the cluster, watched until they are healthy or given up.

mod health;
mod pods;
mod revision;
mod view;

use std::time::Duration;

use async_trait::async_trait;
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use kube::core::DynamicObject;
use kube::runtime::{WatchStreamExt as _, watcher};
use stagelink_delivery::Outcome;
use stagelink_delivery::ports::{Found, WorkloadEnd, WorkloadWatcher};
use stagelink_plan::Workload;
use tokio_util::sync::CancellationToken;

use self::health::{Health, health};
use self::pods::{Trouble, first_ready, trouble};
use self::revision::revision;
pub(crate) use self::view::Kind;
use self::view::{Times, View};
use crate::{ApiError, Cluster};

/// Pods that are looked at for what keeps a workload from being healthy.
const PODS: u32 = 50;

/// Longest wait for an answer to what a workload is now.
const FINDING: Duration = Duration::from_secs(5);
/// Pods that are looked at for the one that was ready first, and how long that may take.
const REPLICAS: u32 = 500;
const REPLICAS_TIMEOUT: Duration = Duration::from_secs(5);

/// Watches Deployments, StatefulSets, DaemonSets, ReplicaSets and, where the cluster has them,
/// Rollouts of Argo.
#[derive(Debug, Clone)]
pub struct ClusterWorkloads {
    cluster: Cluster,
}

/// How far a workload is, as last seen.
enum Seen {
    Healthy(Box<(Times, View)>),
    /// What it waits for, and what tells of its pods.
    Waiting(String, Option<Box<(Times, View)>>),
    Degraded(String, Box<(Times, View)>),
    /// It cannot be told, and will not be.
    Unknown(String),
}

impl ClusterWorkloads {
    /// The workloads of a cluster.
    pub fn new(cluster: &Cluster) -> Self {
        Self {
            cluster: cluster.clone(),
        }
    }

    fn namespace<'a>(&'a self, workload: &'a Workload) -> &'a str {
        match workload.namespace.as_str() {
            "" => self.cluster.namespace(),
            namespace => namespace,
        }
    }

    async fn look(&self, workload: &Workload, kind: Kind, api: &Api<DynamicObject>) -> Seen {
        match api.get(&workload.resource).await.map_err(ApiError::from) {
            Ok(object) => seen(kind, &object),
            Err(error) if is_no_kind(&error) => Seen::Unknown(no_kind(kind)),
            Err(error) if error.is_not_found() => Seen::Waiting("it is not there".to_owned(), None),
            Err(error) => Seen::Unknown(error.to_string()),
        }
    }

    /// Follows a workload until its end is known, at most for a while.
    async fn follow(
        &self,
        workload: &Workload,
        kind: Kind,
        api: Api<DynamicObject>,
        timeout: Duration,
        cancel: &CancellationToken,
    ) -> Seen {
        let mut last = Seen::Waiting("it was not seen".to_owned(), None);
        let changes = changes(kind, api, &workload.resource);
        let end = async {
            futures::pin_mut!(changes);
            while let Some(seen) = changes.next().await {
                last = seen;
                if !matches!(last, Seen::Waiting(..)) {
                    return;
                }
            }
        };
        let over = tokio::select! {
            ended = tokio::time::timeout(timeout, end) => ended.is_err(),
            () = cancel.cancelled() => false,
        };
        match last {
            Seen::Waiting(text, view) if over => {
                let text = format!(
                    "it did not become healthy within {} s: {text}",
                    timeout.as_secs()
                );
                Seen::Waiting(text, view)
            }
            other => other,
        }
    }

    /// What a pod of the workload says, if the pods may be looked at.
    async fn trouble(&self, workload: &Workload, view: &View) -> Option<Trouble> {
        trouble(&self.pods(workload, view, PODS).await?)
    }

    /// When the first replica of the workload's version was ready, if the pods tell.
    async fn first_ready(&self, workload: &Workload, kind: Kind, view: &View) -> Option<Timestamp> {
        let pods = self.pods(workload, view, REPLICAS);
        let pods = tokio::time::timeout(REPLICAS_TIMEOUT, pods).await.ok()??;
        first_ready(&pods, view.new_hash(kind))
    }

    async fn pods(&self, workload: &Workload, view: &View, limit: u32) -> Option<Vec<Pod>> {
        let query = pods::query(view.spec.selector.as_ref()?);
        if query.is_empty() {
            return None;
        }
        let api: Api<Pod> = Api::namespaced(self.cluster.client(), self.namespace(workload));
        let parameters = ListParams::default().labels(&query).limit(limit);
        Some(api.list(&parameters).await.ok()?.items)
    }

    async fn end(&self, workload: &Workload, seen: Seen, waited: bool) -> WorkloadEnd {
        let kind = Kind::of(&workload.kind);
        let revision_of = |view: &View| revision(kind?, view);
        let (mut outcome, text, about) = match seen {
            Seen::Healthy(about) => {
                let (times, view) = *about;
                let first_ready_at = match kind.filter(|_| waited) {
                    Some(kind) => self.first_ready(workload, kind, &view).await,
                    None => None,
                };
                return WorkloadEnd {
                    outcome: Outcome::Pass,
                    started_at: times.changed,
                    // By another clock than this one's.
                    ended_at: times.complete.map(|at| at.min(Timestamp::now())),
                    replicas: kind.and_then(|kind| view.wanted(kind)),
                    first_ready_at,
                    reason: None,
                    revision: revision_of(&view),
                };
            }
            Seen::Unknown(text) => (Outcome::Error, text, None),
            Seen::Waiting(text, about) if waited => (Outcome::Fail, text, about),
            Seen::Waiting(text, about) => (Outcome::Error, text, about),
            Seen::Degraded(text, about) => (Outcome::Fail, text, Some(about)),
        };
        let trouble = match &about {
            Some(about) => self.trouble(workload, &about.1).await,
            None => None,
        };
        if trouble.as_ref().is_some_and(|trouble| trouble.has_failed) {
            outcome = Outcome::Fail;
        }
        let view = about.as_deref().map(|(_, view)| view);
        let revision = view.and_then(revision_of);
        WorkloadEnd {
            outcome,
            revision,
            replicas: kind.and_then(|kind| view?.wanted(kind)),
            started_at: about.and_then(|about| about.0.changed),
            ended_at: None,
            first_ready_at: None,
            reason: Some(match trouble {
                Some(trouble) => format!("{text}; {}", trouble.text),
                None => text,
            }),
        }
    }
}

#[async_trait]
impl WorkloadWatcher for ClusterWorkloads {
    async fn wait_until_deployed(
        &self,
        workload: &Workload,
        timeout: Duration,
        cancel: &CancellationToken,
    ) -> WorkloadEnd {
        let Some(kind) = Kind::of(&workload.kind) else {
            let text = format!("{} is no kind of workload that is known", workload.kind);
            return self.end(workload, Seen::Unknown(text), true).await;
        };
        let client = self.cluster.client();
        let api = Api::namespaced_with(client, self.namespace(workload), &kind.resource());
        let seen = if timeout.is_zero() {
            self.look(workload, kind, &api).await
        } else {
            self.follow(workload, kind, api, timeout, cancel).await
        };
        self.end(workload, seen, !timeout.is_zero()).await
    }

    async fn find(&self, workload: &Workload) -> Found {
        let Some(kind) = Kind::of(&workload.kind) else {
            return Found::Unknown;
        };
        let client = self.cluster.client();
        let api: Api<DynamicObject> =
            Api::namespaced_with(client, self.namespace(workload), &kind.resource());
        let answer = tokio::time::timeout(FINDING, api.get_opt(&workload.resource)).await;
        match answer {
            Ok(Ok(Some(object))) => View::of(&object)
                .ok()
                .and_then(|view| revision(kind, &view))
                .map_or(Found::Unknown, Found::Revision),
            Ok(Ok(None)) => Found::Nothing,
            // What it is now is good to know, and nothing to wait or to fail for.
            Ok(Err(_)) | Err(_) => Found::Unknown,
        }
    }
}

/// A workload each time it changes. A watch that breaks off, or whose version is too old, is begun
/// again; what no waiting mends is an end.
fn changes(kind: Kind, api: Api<DynamicObject>, name: &str) -> impl Stream<Item = Seen> + use<> {
    watcher::watch_object(api, name)
        .default_backoff()
        .filter_map(move |change| async move {
            match change {
                Ok(Some(object)) => Some(seen(kind, &object)),
                Ok(None) => Some(Seen::Waiting("it is not there".to_owned(), None)),
                Err(
                    watcher::Error::InitialListFailed(error)
                    | watcher::Error::WatchStartFailed(error),
                ) => {
                    let error = ApiError::from(error);
                    match &error {
                        _ if is_no_kind(&error) => Some(Seen::Unknown(no_kind(kind))),
                        _ if error.is_lasting() => Some(Seen::Unknown(error.to_string())),
                        _ => None,
                    }
                }
                Err(_) => None,
            }
        })
}

fn seen(kind: Kind, object: &DynamicObject) -> Seen {
    let view = match View::of(object) {
        Ok(view) => view,
        Err(error) => return Seen::Unknown(format!("its status cannot be read: {error}")),
    };
    let times = Times::of(object, &view);
    match health(kind, &view) {
        Health::Healthy => Seen::Healthy(Box::new((times, view))),
        Health::Progressing(text) => Seen::Waiting(text, Some(Box::new((times, view)))),
        Health::Degraded(text) => Seen::Degraded(text, Box::new((times, view))),
    }
}

/// Not the object is missing, but its kind: the API server then names no object, or has no page.
fn is_no_kind(error: &ApiError) -> bool {
    error.status().is_some_and(|status| {
        let details = status.details.as_ref();
        status.code == 404 && details.is_none_or(|details| details.name.is_empty())
    })
}

fn no_kind(kind: Kind) -> String {
    let resource = kind.resource();
    format!(
        "the cluster has no {} ({}); install what brings it",
        resource.kind, resource.api_version
    )
}
