//! What is seen of a Job and its pods, one event at a time.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::watcher::Event;
use tokio::time::Instant;

use super::Run;
use crate::tasks::end::{ToldFailure, one_line};
use crate::tasks::sight::{Failure, Hindrance, HindranceKind, PodSight, job_end, pod_sight};

impl Run<'_> {
    /// Takes in what the Job says.
    pub(super) fn job_event(&mut self, event: Event<Job>, is_listed: &mut bool) {
        self.refused_since = None;
        let is_ours = |job: &Job| job.metadata.uid.as_deref() == Some(&self.id.uid);
        match event {
            Event::Init => *is_listed = false,
            Event::InitApply(job) | Event::Apply(job) if is_ours(&job) => {
                *is_listed = true;
                self.job = job_end(&job);
            }
            Event::InitDone if !*is_listed => self.is_gone = true,
            Event::Delete(job) if is_ours(&job) => {
                self.job = job_end(&job);
                self.is_gone = true;
            }
            _ => {}
        }
    }

    /// Takes in what a pod says.
    pub(super) async fn pod_event(&mut self, event: Event<Pod>, pods: &Api<Pod>) {
        self.refused_since = None;
        match event {
            Event::InitApply(pod) | Event::Apply(pod) => {
                let mut sight = pod_sight(&pod, &self.container);
                if let Some(hindrance) = &mut sight.hindrance
                    && hindrance.may_hold_secrets()
                {
                    hindrance.message = self.words(pods).mask(&hindrance.message).await;
                }
                self.see(&sight, pods).await;
                self.pods.insert(sight.uid.clone(), sight);
            }
            Event::Delete(pod) => {
                if let Some(uid) = &pod.metadata.uid {
                    self.pods.remove(uid);
                }
            }
            Event::Init => {
                self.pods.clear();
                return;
            }
            Event::InitDone => {
                self.are_pods_known = true;
                return;
            }
        }
        if self.has_started {
            self.hindrance = None;
        } else {
            // A pod that is taken away has said what kept it; another one says it anew.
            let now = self.pods.values().filter(|pod| pod.disrupted.is_none());
            let Some(hindrance) = now.map(|pod| pod.hindrance.clone()).reduce(Option::or) else {
                return;
            };
            self.hinder(hindrance);
        }
    }

    /// Notes what a pod says.
    async fn see(&mut self, pod: &PodSight, pods: &Api<Pod>) {
        self.has_pod = true;
        self.has_started |= pod.has_started;
        // Of a pod that is taken away the Job's condition tells what it counts for.
        self.has_succeeded |= pod.has_succeeded && pod.disrupted.is_none();
        let Some(failure) = &pod.failure else {
            if let Some(why) = &pod.disrupted {
                self.disrupted = Some(why.clone());
            }
            return;
        };
        // A pod that has used up all tries is taken away for that.
        let is_used_up = self.retries > 0 && failure.times >= self.retries;
        if let Some(why) = &pod.disrupted
            && !is_used_up
        {
            self.disrupted = Some(why.clone());
            return;
        }
        if !self.failures.insert((pod.uid.clone(), failure.times)) {
            return;
        }
        let told = self
            .words(pods)
            .read(&pod.name, failure.is_previous, &failure.message)
            .await;
        let mut tries: BTreeMap<&str, u32> = BTreeMap::new();
        for (uid, times) in &self.failures {
            let most = tries.entry(uid).or_default();
            *most = (*most).max(*times);
        }
        let failed = ToldFailure {
            failure: Failure {
                message: String::new(),
                ..failure.clone()
            },
            tries: tries.values().sum(),
            told,
        };
        if self.retries > 0 {
            self.tell(&failed.sentence());
        }
        self.failure = Some(failed);
    }

    /// Notes what keeps the container from starting, or that nothing does any more. What only an event
    /// has told counts until the container starts.
    pub(super) fn hinder(&mut self, hindrance: Option<Hindrance>) {
        let Some(mut hindrance) = hindrance else {
            let is_over = self
                .hindrance
                .as_ref()
                .is_some_and(|(old, _)| !old.is_told_by_event(!self.pods.is_empty()));
            if is_over {
                self.hindrance = None;
            }
            return;
        };
        let mut since = Instant::now();
        if let Some((old, before)) = &self.hindrance
            && old.kind == hindrance.kind
            && old.reason == hindrance.reason
        {
            since = *before;
            // The kubelet says first what is wrong, and then that it waits.
            if hindrance.message.starts_with("Back-off") {
                hindrance.message.clone_from(&old.message);
            }
        }
        let is_new = self
            .hindrance
            .as_ref()
            .is_none_or(|(old, _)| *old != hindrance);
        if is_new && hindrance.kind != HindranceKind::Final {
            let line = format!(
                "waits: {}: {}",
                hindrance.reason,
                one_line(&hindrance.message)
            );
            self.tell(&line);
        }
        self.hindrance = Some((hindrance, since));
    }
}
