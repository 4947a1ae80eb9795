//! Attempts that a ledger has no room for, while somebody still has to take their spans: a ConfigMap beside
//! the ledger's, with a key for each of them.
//!
//! A key says which attempt it is, so that writing one again changes nothing, whoever does it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use stagelink_delivery::ledger::{Delivery, Ledger};

use crate::ApiError;
use crate::ledger_config_map::MANAGER;

/// Bytes of keys and values that it holds; a ConfigMap holds 1 MiB with everything.
const ROOM: usize = 1_000_000;

/// How often it is written again when somebody else wrote in between.
const TRIES: usize = 10;

/// Number of a delivery, and of an attempt in it.
type Number = (u64, u64);

/// Where the attempts are.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    pub(crate) api: Api<ConfigMap>,
    pub(crate) name: String,
}

/// Why attempts are not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("it was changed by somebody else in the meantime")]
    Conflict,
    #[error("an attempt cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<kube::Error> for SpoolError {
    fn from(error: kube::Error) -> Self {
        Self::Api(error.into())
    }
}

impl Spool {
    /// Adds attempts; the oldest of all have to go where there is no room, and their number is given. It
    /// goes with its owner.
    pub(crate) async fn add(
        &self,
        unsent: &Ledger,
        owner: &OwnerReference,
    ) -> Result<usize, SpoolError> {
        let mut added = BTreeMap::new();
        for delivery in &unsent.deliveries {
            for attempt in &delivery.attempts {
                let number = (delivery.number, attempt.number);
                let alone = Delivery {
                    number: delivery.number,
                    digest: delivery.digest.clone(),
                    app_version: delivery.app_version.clone(),
                    attempts: vec![attempt.clone()],
                };
                added.insert(number, serde_json::to_string(&alone)?);
            }
        }
        for _ in 0..TRIES {
            let map = self.get().await?;
            let mut all: BTreeMap<Number, String> = map.as_ref().map(entries).unwrap_or_default();
            all.extend(added.clone());
            let dropped = drop_oldest(&mut all, ROOM);
            let written = match &map {
                Some(map) => {
                    let kept = added.iter().filter(|(number, _)| all.contains_key(number));
                    let mut data: BTreeMap<String, Value> = kept
                        .map(|(number, text)| (key(*number), json!(text)))
                        .collect();
                    data.extend(dropped.iter().map(|number| (key(*number), Value::Null)));
                    self.patch(map, data).await
                }
                None => self.create(&all, owner).await,
            };
            match written {
                Ok(()) => return Ok(dropped.len()),
                // Deleted or made since it was read, or changed.
                Err(error)
                    if error.is_conflict() || error.is_already_exists() || error.is_not_found() => {
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(SpoolError::Conflict)
    }

    /// All attempts, in a ledger that has nothing else. What cannot be read is left out.
    pub(crate) async fn read(&self, ledger: &Ledger) -> Result<Ledger, ApiError> {
        let mut read = ledger.emptied();
        let Some(map) = self.get().await? else {
            return Ok(read);
        };
        for text in entries(&map).values() {
            let Ok(mut one) = serde_json::from_str::<Delivery>(text) else {
                continue;
            };
            match read.deliveries.last_mut() {
                Some(last) if last.number == one.number => last.attempts.append(&mut one.attempts),
                _ => read.deliveries.push(one),
            }
        }
        Ok(read)
    }

    /// Takes attempts out.
    pub(crate) async fn remove(&self, sent: &[Number]) -> Result<(), ApiError> {
        let data: BTreeMap<String, Value> = sent
            .iter()
            .map(|number| (key(*number), Value::Null))
            .collect();
        // No version: nobody else can mean anything else by these keys.
        let patch = json!({"data": data});
        let parameters = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patched = self
            .api
            .patch(&self.name, &parameters, &Patch::Merge(&patch))
            .await;
        match patched.map_err(ApiError::from) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    async fn get(&self) -> Result<Option<ConfigMap>, ApiError> {
        Ok(self.api.get_opt(&self.name).await?)
    }

    async fn patch(&self, map: &ConfigMap, data: BTreeMap<String, Value>) -> Result<(), ApiError> {
        let version = &map.metadata.resource_version;
        let patch = json!({"metadata": {"resourceVersion": version}, "data": data});
        let parameters = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(&patch);
        self.api.patch(&self.name, &parameters, &patch).await?;
        Ok(())
    }

    async fn create(
        &self,
        all: &BTreeMap<Number, String>,
        owner: &OwnerReference,
    ) -> Result<(), ApiError> {
        let creation = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        let mut map = ConfigMap::default();
        map.metadata.name = Some(self.name.clone());
        map.metadata.owner_references = Some(vec![owner.clone()]);
        map.metadata.labels = Some(
            [
                ("app.kubernetes.io/managed-by", "stagelink"),
                ("app.kubernetes.io/component", "spans"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        );
        let data = all
            .iter()
            .map(|(number, text)| (key(*number), text.clone()));
        map.data = Some(data.collect());
        self.api.create(&creation, &map).await?;
        Ok(())
    }
}

/// `<delivery>.<attempt>`.
fn key((delivery, attempt): Number) -> String {
    format!("{delivery}.{attempt}")
}

/// What people have put beside the attempts is no number.
fn entries(map: &ConfigMap) -> BTreeMap<Number, String> {
    let entries = map.data.iter().flatten().filter_map(|(key, text)| {
        let (delivery, attempt) = key.split_once('.')?;
        let number = (delivery.parse().ok()?, attempt.parse().ok()?);
        Some((number, text.clone()))
    });
    entries.collect()
}

/// Drops the oldest until all others have room; gives their numbers.
fn drop_oldest(all: &mut BTreeMap<Number, String>, room: usize) -> Vec<Number> {
    let size = |number: &Number, text: &String| key(*number).len() + text.len();
    let mut total: usize = all.iter().map(|(number, text)| size(number, text)).sum();
    let mut dropped = Vec::new();
    while total > room
        && let Some((number, text)) = all.pop_first()
    {
        total -= size(&number, &text);
        dropped.push(number);
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_where_there_is_no_room() {
        let text = "x".repeat(10);
        let all: BTreeMap<Number, String> = [(9, 1), (9, 2), (10, 1), (11, 1)]
            .map(|number| (number, text.clone()))
            .into();
        // Keys have three or four bytes.
        for (room, dropped) in [
            (54, vec![]),
            (53, vec![(9, 1)]),
            (41, vec![(9, 1)]),
            (40, vec![(9, 1), (9, 2)]),
            (0, vec![(9, 1), (9, 2), (10, 1), (11, 1)]),
        ] {
            let mut kept = all.clone();
            assert_eq!(drop_oldest(&mut kept, room), dropped, "{room}");
            assert_eq!(kept.len(), 4 - dropped.len());
        }
    }

    #[test]
    fn what_is_no_attempt_is_left_alone() {
        let map = ConfigMap {
            data: Some(
                ["1.2", "note", "1.x", "3.1"]
                    .map(|key| (key.to_owned(), "{}".to_owned()))
                    .into(),
            ),
            ..ConfigMap::default()
        };
        let found: Vec<Number> = entries(&map).into_keys().collect();
        assert_eq!(found, [(1, 2), (3, 1)]);
    }
}
