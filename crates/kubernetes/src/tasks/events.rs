//! The Kubernetes events about a Job or a pod, which say what neither says itself: a pod that cannot
//! be made, a volume that cannot be mounted.

use std::pin::Pin;

use futures::{Stream, StreamExt as _, future};
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};

use super::run::WATCH_SECONDS;
use super::sight::{Hindrance, event_hindrance};
use crate::Cluster;

type Hindrances = Pin<Box<dyn Stream<Item = Result<Hindrance, watcher::Error>> + Send>>;

/// The events about one object.
pub(super) struct Events {
    pub(super) subject: String,
    hindrances: Hindrances,
}

impl Events {
    /// Those about the object of this UID.
    pub(super) fn about(cluster: &Cluster, uid: &str) -> Self {
        let api: Api<Event> = Api::namespaced(cluster.client(), cluster.namespace());
        let config = watcher::Config::default()
            .fields(&format!("involvedObject.uid={uid}"))
            .timeout(WATCH_SECONDS);
        let hindrances = watcher(api, config)
            .applied_objects()
            .filter_map(|event| {
                future::ready(match event {
                    Ok(event) => event_hindrance(
                        event.reason.as_deref().unwrap_or_default(),
                        event.message.as_deref().unwrap_or_default(),
                    )
                    .map(Ok),
                    Err(error) => Some(Err(error)),
                })
            })
            .boxed();
        Self {
            subject: uid.to_owned(),
            hindrances,
        }
    }

    /// The next thing that hinders. `None` if there is nothing to be known.
    pub(super) async fn next(&mut self) -> Option<Result<Hindrance, watcher::Error>> {
        self.hindrances.next().await
    }
}
