//! Waiting for a Job's task: its pods and itself are watched, nothing is polled.
//!
//! A pod's container status tells the end two seconds before the Job's condition does. The condition
//! counts for a failure when there may be retries, and for what never had a pod.

mod seen;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, ListSemantic, watcher};
use stagelink_delivery::ports::ItemEnd;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::ClusterTasks;
use super::end::{End, Refusal, ToldFailure, one_line};
use super::events::Events;
use super::job::{JobParts, deadline};
use super::secrets::{NamedSecrets, named_secrets};
use super::sight::{Hindrance, HindranceKind, JobEnd, PodSight};
use super::start::JobId;
use super::words::Words;

/// A watch is begun anew after so many seconds: a connection that broke without a word is noticed then.
pub(super) const WATCH_SECONDS: u32 = 60;
/// The wait before a watch that broke is begun anew.
const AGAIN: Duration = Duration::from_millis(250);
/// The API server's events are only asked for when a container takes longer than this to start.
const EVENTS_AFTER: Duration = Duration::from_millis(2500);
/// How long a watch may be refused: a role takes a moment to be known everywhere.
const REFUSAL_GRACE: Duration = Duration::from_secs(10);
/// How much later than its deadline a Job may be ended by the cluster.
const DEADLINE_GRACE: Duration = Duration::from_secs(120);
/// A task without a deadline is given up after this, as nothing else would.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The same wait again and again; what takes longer has been retried by the client already.
struct Again;

impl Iterator for Again {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(AGAIN)
    }
}

impl Backoff for Again {
    fn reset(&mut self) {}
}

/// A Job that is waited for, and what has been seen of it.
struct Run<'a> {
    tasks: &'a ClusterTasks,
    id: &'a JobId,
    task: &'a str,
    container: String,
    retries: u32,
    timeout: String,
    named: NamedSecrets,
    begun: Instant,
    job: Option<JobEnd>,
    is_gone: bool,
    pods: BTreeMap<String, PodSight>,
    /// Failed runs that were looked at: a pod's UID, and how often it had failed.
    failures: BTreeSet<(String, u32)>,
    failure: Option<ToldFailure>,
    /// All pods have been seen that there were when it was found.
    are_pods_known: bool,
    has_pod: bool,
    has_started: bool,
    has_succeeded: bool,
    disrupted: Option<String>,
    hindrance: Option<(Hindrance, Instant)>,
    /// Events may not be seen, which is no reason to give up.
    is_blind: bool,
    refused_since: Option<Instant>,
}

impl ClusterTasks {
    /// Waits until the Job's task has ended.
    pub(super) async fn watch(
        &self,
        parts: &JobParts<'_>,
        id: &JobId,
        cancel: &CancellationToken,
    ) -> Result<ItemEnd, Refusal> {
        let mut run = Run {
            tasks: self,
            id,
            task: parts.task.name,
            container: parts.program.container().to_owned(),
            retries: parts.definition.retries(),
            timeout: parts.definition.timeout().to_string(),
            named: named_secrets(&parts.program),
            begun: Instant::now(),
            job: None,
            is_gone: false,
            pods: BTreeMap::new(),
            failures: BTreeSet::new(),
            failure: None,
            are_pods_known: false,
            has_pod: false,
            has_started: false,
            has_succeeded: false,
            disrupted: None,
            hindrance: None,
            is_blind: false,
            refused_since: None,
        };
        let last = run.begun + deadline(parts.definition).unwrap_or(LONGEST) + DEADLINE_GRACE;
        let end = tokio::select! {
            biased;
            end = run.end(last) => end,
            () = cancel.cancelled() => return Ok(self.stop(&id.name, Some(id.clone())).await),
        };
        if !matches!(end, End::Passed) {
            run.tell_log(&end);
        }
        // What could not start must not start later, when nobody looks.
        if matches!(
            end,
            End::NotStarted { timeout: None, .. } | End::Error { .. }
        ) && let Err(error) = self.delete(id).await
        {
            (self.settings.tell)(
                run.task,
                &format!("Job {} cannot be deleted: {error}", id.name),
            );
        }
        Ok(end.item_end(&id.name))
    }

    /// Waits until a Job that is being deleted is gone, its pods with it.
    pub(super) async fn wait_until_gone(&self, id: &JobId) -> Result<(), Refusal> {
        let jobs = watcher::watch_object(self.jobs(), &id.name).backoff(Again);
        let mut jobs = std::pin::pin!(jobs);
        while let Some(job) = jobs.next().await {
            match job {
                Ok(Some(job)) if job.metadata.uid.as_deref() == Some(&id.uid) => {}
                Ok(_) => return Ok(()),
                Err(error) => {
                    if let Some(error) = lasting(&error) {
                        let message = format!("its Job {} cannot be watched: {error}", id.name);
                        return Err(Refusal::error("JobUnreadable", message));
                    }
                }
            }
        }
        Ok(())
    }
}

/// A watch's error that will not pass by itself: the client has waited for what may.
fn lasting(error: &watcher::Error) -> Option<String> {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) =
        error
    else {
        // A watch that broke or is too old is begun anew.
        return None;
    };
    match error {
        kube::Error::Api(status) if status.code == 410 => None,
        kube::Error::Api(status) => Some(one_line(&status.message)),
        other => Some(one_line(&other.to_string())),
    }
}

impl Run<'_> {
    /// Takes in what comes until it says how the task ended.
    async fn end(&mut self, last: Instant) -> End {
        let namespace = self.tasks.cluster.namespace();
        let pods: Api<Pod> = Api::namespaced(self.tasks.cluster.client(), namespace);
        let labels = format!("batch.kubernetes.io/controller-uid={}", self.id.uid);
        let config = watcher::Config::default()
            .labels(&labels)
            // Whatever is not in the API server's cache yet comes with the watch.
            .list_semantic(ListSemantic::Any)
            .timeout(WATCH_SECONDS);
        let mut pod_events = watcher(pods.clone(), config).backoff(Again).boxed();
        let config = watcher::Config::default()
            .fields(&format!("metadata.name={}", self.id.name))
            .timeout(WATCH_SECONDS);
        let mut job_events = watcher(self.tasks.jobs(), config).backoff(Again).boxed();
        let mut events: Option<Events> = None;
        let mut is_listed = false;
        loop {
            if let Some(end) = self.verdict(&pods).await {
                return end;
            }
            self.look_at_events(&mut events);
            let wake = self.wake(last, events.is_some());
            tokio::select! {
                event = pod_events.next() => match event {
                    Some(Ok(event)) => self.pod_event(event, &pods).await,
                    Some(Err(error)) => if let Some(end) = self.watch_error(&error) { return end; },
                    None => {}
                },
                event = job_events.next() => match event {
                    Some(Ok(event)) => self.job_event(event, &mut is_listed),
                    Some(Err(error)) => if let Some(end) = self.watch_error(&error) { return end; },
                    None => {}
                },
                hindrance = next(&mut events) => match hindrance {
                    Some(Ok(hindrance)) => self.hinder(Some(hindrance)),
                    Some(Err(error)) if lasting(&error).is_none() => {}
                    _ => {
                        events = None;
                        self.is_blind = true;
                    }
                },
                () = sleep_until(wake) => if let Some(end) = self.time_is_up(last) { return end; },
            }
        }
    }

    /// The next time at which something is to be done though nothing has happened.
    fn wake(&self, last: Instant, has_events: bool) -> Instant {
        let hindered = self
            .hindrance
            .as_ref()
            .and_then(|(hindrance, since)| Some(*since + self.grace(hindrance.kind)?));
        let events =
            (!self.has_started && !self.is_blind && !has_events).then(|| self.begun + EVENTS_AFTER);
        [hindered, events]
            .into_iter()
            .flatten()
            .fold(last, Instant::min)
    }

    fn grace(&self, kind: HindranceKind) -> Option<Duration> {
        match kind {
            HindranceKind::Final => Some(Duration::ZERO),
            HindranceKind::Image => Some(self.tasks.settings.image_grace),
            HindranceKind::Missing => Some(self.tasks.settings.start_grace),
            HindranceKind::Waiting => None,
        }
    }

    fn time_is_up(&mut self, last: Instant) -> Option<End> {
        let now = Instant::now();
        if let Some((hindrance, since)) = &self.hindrance
            && self
                .grace(hindrance.kind)
                .is_some_and(|grace| now >= *since + grace)
        {
            return Some(End::NotStarted {
                hindrance: hindrance.clone(),
                timeout: None,
            });
        }
        (now >= last).then(|| End::Error {
            reason: "DeadlineExceeded",
            message: format!(
                "Job {} was not ended by the cluster {} s after its timeout of {}",
                self.id.name,
                DEADLINE_GRACE.as_secs(),
                self.timeout
            ),
        })
    }

    /// Watches the events about the pod, else about the Job, if nothing has started for a while.
    fn look_at_events(&self, events: &mut Option<Events>) {
        if self.has_started {
            *events = None;
            return;
        }
        if self.is_blind || Instant::now() < self.begun + EVENTS_AFTER {
            return;
        }
        let pod = self.pods.values().find(|pod| pod.disrupted.is_none());
        let subject = pod.map_or(&self.id.uid, |pod| &pod.uid);
        if events
            .as_ref()
            .is_none_or(|events| events.subject != *subject)
        {
            *events = Some(Events::about(&self.tasks.cluster, subject));
        }
    }

    fn watch_error(&mut self, error: &watcher::Error) -> Option<End> {
        let why = lasting(error)?;
        let now = Instant::now();
        let since = *self.refused_since.get_or_insert(now);
        let is_answer = matches!(
            error,
            watcher::Error::InitialListFailed(kube::Error::Api(_))
                | watcher::Error::WatchStartFailed(kube::Error::Api(_))
        );
        if is_answer && now < since + REFUSAL_GRACE {
            return None;
        }
        Some(End::Error {
            reason: "JobUnwatched",
            message: format!("its Job {} cannot be watched: {why}", self.id.name),
        })
    }

    fn words<'b>(&'b self, pods: &'b Api<Pod>) -> Words<'b> {
        Words {
            cluster: &self.tasks.cluster,
            pods,
            container: &self.container,
            named: &self.named,
        }
    }

    fn tell(&self, line: &str) {
        (self.tasks.settings.tell)(self.task, line);
    }
}

/// The next event; never, if none are watched.
async fn next(events: &mut Option<Events>) -> Option<Result<Hindrance, watcher::Error>> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}
