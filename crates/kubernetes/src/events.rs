//! Events of the cluster about a delivery, on the objects where people look for them: the workload that
//! they are about if it is there, else the hook's own Job or pod.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::Api;
use kube::api::PostParams;
use kube::core::DynamicObject;
use sha2::{Digest as _, Sha256};
use stagelink_delivery::event::DeliveryEvent;
use stagelink_delivery::ports::EventSender;
use stagelink_plan::Workload;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::workloads::Kind;
use crate::{ApiError, Cluster};

/// Events of one hook; warnings may be twice as many, so that they find room.
const MOST: usize = 250;

/// Characters of an object's name that an event's name begins with.
const LONGEST_NAME: usize = 200;

/// Who reports.
const REPORTER: &str = "stagelink";

/// Writes events, one after the other, while the delivery goes on.
///
/// Each has a name that is computed from its span and reason: a hook that runs again writes none twice.
#[derive(Debug)]
pub struct ClusterEvents {
    queue: UnboundedSender<DeliveryEvent>,
    worker: JoinHandle<()>,
    count: Arc<Mutex<Count>>,
}

#[derive(Debug, Default)]
struct Count {
    taken: usize,
    written: usize,
    /// Why one was not written, the first time.
    problem: Option<String>,
}

/// Events that were not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsLost {
    lost: usize,
    taken: usize,
    why: String,
}

impl fmt::Display for EventsLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, taken, why } = self;
        write!(f, "{lost} of {taken} events were not written: {why}")
    }
}

impl ClusterEvents {
    /// Begins to write events about a hook, and about workloads. It needs a tokio runtime.
    pub fn new(cluster: &Cluster, hook: OwnerReference) -> Self {
        let (queue, waiting) = unbounded_channel();
        let count = Arc::new(Mutex::new(Count::default()));
        let writer = Writer {
            cluster: cluster.clone(),
            hook: ObjectReference {
                api_version: Some(hook.api_version),
                kind: Some(hook.kind),
                name: Some(hook.name),
                namespace: Some(cluster.namespace().to_owned()),
                uid: Some(hook.uid),
                ..ObjectReference::default()
            },
            workloads: BTreeMap::new(),
            refused: BTreeSet::new(),
            count: Arc::clone(&count),
        };
        Self {
            queue,
            worker: tokio::spawn(writer.run(waiting)),
            count,
        }
    }

    /// Waits a while until all events are written.
    ///
    /// # Errors
    /// [`EventsLost`] if some are not; nobody writes them any more.
    pub async fn finish(self, patience: Duration) -> Result<(), EventsLost> {
        drop(self.queue);
        let abort = self.worker.abort_handle();
        let in_time = tokio::time::timeout(patience, self.worker).await.is_ok();
        abort.abort();
        let count = locked(&self.count);
        if count.written == count.taken {
            return Ok(());
        }
        let why = match &count.problem {
            Some(problem) => problem.clone(),
            None if in_time => "there are too many".to_owned(),
            None => format!("no answer within {} s", patience.as_secs()),
        };
        Err(EventsLost {
            lost: count.taken - count.written,
            taken: count.taken,
            why,
        })
    }
}

impl EventSender for ClusterEvents {
    fn send(&self, event: DeliveryEvent) {
        let mut count = locked(&self.count);
        let most = if event.warning { 2 * MOST } else { MOST };
        count.taken += 1;
        if count.taken <= most {
            // Who writes them ends only after this is gone.
            let _ = self.queue.send(event);
        }
    }
}

fn locked(count: &Mutex<Count>) -> MutexGuard<'_, Count> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Writer {
    cluster: Cluster,
    hook: ObjectReference,
    /// Workloads that were found, by kind, namespace and name.
    workloads: BTreeMap<(String, String, String), ObjectReference>,
    /// Namespaces in which events may not be written.
    refused: BTreeSet<String>,
    count: Arc<Mutex<Count>>,
}

impl Writer {
    async fn run(mut self, mut waiting: UnboundedReceiver<DeliveryEvent>) {
        while let Some(event) = waiting.recv().await {
            let about = self.about(&event).await;
            let namespace = about.namespace.clone().unwrap_or_default();
            if self.refused.contains(&namespace) {
                continue;
            }
            let written = self.write(&namespace, &made(&event, about)).await;
            let mut count = locked(&self.count);
            match written {
                Ok(()) => count.written += 1,
                Err(error) => {
                    if error.is_lasting() {
                        self.refused.insert(namespace);
                    }
                    count.problem.get_or_insert(error.to_string());
                }
            }
        }
    }

    async fn write(&self, namespace: &str, event: &Event) -> Result<(), ApiError> {
        let api: Api<Event> = Api::namespaced(self.cluster.client(), namespace);
        let written = api.create(&PostParams::default(), event).await;
        match written.map_err(ApiError::from) {
            // By this hook, before it was killed.
            Err(error) if error.is_already_exists() => Ok(()),
            written => written.map(drop),
        }
    }

    /// The object that an event is written about.
    async fn about(&mut self, event: &DeliveryEvent) -> ObjectReference {
        let Some(workload) = &event.workload else {
            return self.hook.clone();
        };
        let key = (
            workload.kind.clone(),
            workload.namespace.clone(),
            workload.resource.clone(),
        );
        if let Some(known) = self.workloads.get(&key) {
            return known.clone();
        }
        // Before its first sync it is not there, and may be the next time.
        let Some(found) = self.find(workload).await else {
            return self.hook.clone();
        };
        self.workloads.insert(key, found.clone());
        found
    }

    async fn find(&self, workload: &Workload) -> Option<ObjectReference> {
        let resource = Kind::of(&workload.kind)?.resource();
        let namespace = match workload.namespace.as_str() {
            "" => self.cluster.namespace(),
            namespace => namespace,
        };
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.cluster.client(), namespace, &resource);
        let found = api.get_metadata_opt(&workload.resource).await.ok()??;
        Some(ObjectReference {
            api_version: Some(resource.api_version.clone()),
            kind: Some(resource.kind.clone()),
            name: Some(workload.resource.clone()),
            namespace: Some(namespace.to_owned()),
            uid: found.metadata.uid,
            ..ObjectReference::default()
        })
    }
}

/// An event as kubectl and Argo CD show it.
fn made(event: &DeliveryEvent, about: ObjectReference) -> Event {
    let reason = event.reason();
    let at = Time(event.at);
    let mut made = Event {
        type_: Some(if event.warning { "Warning" } else { "Normal" }.to_owned()),
        message: Some(event.message()),
        source: Some(EventSource {
            component: Some(REPORTER.to_owned()),
            ..EventSource::default()
        }),
        reporting_component: Some(REPORTER.to_owned()),
        first_timestamp: Some(at.clone()),
        last_timestamp: Some(at),
        count: Some(1),
        ..Event::default()
    };
    made.metadata.name = Some(name(event, &reason, &about));
    made.metadata.namespace.clone_from(&about.namespace);
    made.metadata.annotations = Some(event.annotations());
    made.reason = Some(reason);
    made.involved_object = about;
    made
}

/// `<object>.<hash>`, as the names of events are, the same for the same event about the same object.
fn name(event: &DeliveryEvent, reason: &str, about: &ObjectReference) -> String {
    let hash = Sha256::new()
        .chain_update(event.trace_parent.to_string())
        .chain_update([0])
        .chain_update(reason)
        .chain_update([0])
        .chain_update(about.uid.as_deref().unwrap_or_default())
        .finalize();
    let hash: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let object: String = about.name.iter().flat_map(|name| name.chars()).collect();
    let object: String = object.chars().take(LONGEST_NAME).collect();
    let object = object.trim_end_matches(['-', '.']);
    format!("{object}.{hash}")
}
