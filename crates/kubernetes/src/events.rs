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
    /// Those that there was room for.
    queued: usize,
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
        if count.queued < most {
            count.queued += 1;
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

#[cfg(test)]
mod tests {
    use stagelink_delivery::Phase;
    use stagelink_delivery::event::{EventObject, EventPhase, EventState};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    fn event(warning: bool, number: usize) -> DeliveryEvent {
        let span = format!("00-c088f5c586bab8649159ccc39a9862f7-{:016x}-01", number + 1);
        DeliveryEvent {
            phase: EventPhase::Phase(Phase::AppDeploy),
            state: EventState::Started,
            text: "has started".to_owned(),
            warning,
            object: EventObject {
                name: "shop-v1-6b86b273".to_owned(),
                namespace: "shop".to_owned(),
                version: "v1".to_owned(),
                annotations: BTreeMap::new(),
            },
            workload: None,
            at: jiff::Timestamp::UNIX_EPOCH,
            trace_parent: span.parse().unwrap(),
        }
    }

    fn hook() -> OwnerReference {
        OwnerReference {
            api_version: "batch/v1".to_owned(),
            kind: "Job".to_owned(),
            name: "shop-presync-0a1b2c3-presync-1700000000".to_owned(),
            uid: "5d41402a".to_owned(),
            ..OwnerReference::default()
        }
    }

    /// A server that takes every event, or one that never answers; and what it was sent.
    async fn server(answers: bool) -> (Cluster, Arc<Mutex<Vec<Event>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&sent);
        tokio::spawn(async move {
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                if !answers {
                    silent.push(stream);
                    continue;
                }
                let mut request = Vec::new();
                let (event, body) = loop {
                    stream.read_buf(&mut request).await.unwrap();
                    let head = request.windows(4).position(|end| end == b"\r\n\r\n");
                    let body = head
                        .map(|end| request[end + 4..].to_vec())
                        .unwrap_or_default();
                    // Until all of it is there, it is no JSON.
                    if let Ok(event) = serde_json::from_slice::<Event>(&body) {
                        break (event, body);
                    }
                };
                all.lock().unwrap().push(event);
                let head = format!(
                    "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(&body).await.unwrap();
            }
        });
        let config = kube::Config::new(format!("http://{address}").parse().unwrap());
        (Cluster::with_config(config, Some("shop")).unwrap(), sent)
    }

    #[tokio::test]
    async fn events_are_about_the_hook_and_have_the_same_name_again() {
        let (cluster, sent) = server(true).await;
        for _ in 0..2 {
            let events = ClusterEvents::new(&cluster, hook());
            events.send(event(false, 1));
            events.send(event(true, 2));
            events.finish(Duration::from_secs(30)).await.unwrap();
        }
        let sent = sent.lock().unwrap();
        assert_eq!(sent.len(), 4);
        assert_eq!(sent[..2], sent[2..]);
        assert_ne!(sent[0].metadata.name, sent[1].metadata.name);
        let first = &sent[0];
        let name = first.metadata.name.as_deref().unwrap();
        assert!(name.starts_with("shop-presync-0a1b2c3-presync-1700000000."));
        let about = &first.involved_object;
        assert_eq!(
            (
                about.kind.as_deref(),
                about.uid.as_deref(),
                about.namespace.as_deref()
            ),
            (Some("Job"), Some("5d41402a"), Some("shop"))
        );
        assert_eq!(first.reason.as_deref(), Some("AppDeployStarted"));
        let types: Vec<_> = sent[..2].iter().map(|one| one.type_.as_deref()).collect();
        assert_eq!(types, [Some("Normal"), Some("Warning")]);
    }

    #[tokio::test]
    async fn there_are_only_so_many_and_warnings_find_room() {
        let (cluster, sent) = server(true).await;
        let events = ClusterEvents::new(&cluster, hook());
        for number in 0..MOST + 7 {
            events.send(event(false, number));
        }
        events.send(event(true, MOST + 7));
        let lost = events.finish(Duration::from_secs(60)).await.unwrap_err();
        let expected = format!(
            "7 of {} events were not written: there are too many",
            MOST + 8
        );
        assert_eq!(lost.to_string(), expected);
        let sent = sent.lock().unwrap();
        assert_eq!(sent.len(), MOST + 1);
        assert_eq!(sent[MOST].type_.as_deref(), Some("Warning"));
    }

    #[tokio::test]
    async fn nobody_waits_long_for_a_server_that_does_not_answer() {
        let (cluster, _) = server(false).await;
        let events = ClusterEvents::new(&cluster, hook());
        let begun = Instant::now();
        events.send(event(false, 1));
        let lost = events.finish(Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(
            lost.to_string(),
            "1 of 1 events were not written: no answer within 1 s"
        );
        // Far less than a request may take.
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
