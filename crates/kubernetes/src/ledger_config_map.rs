//! The ledger in a ConfigMap: one per app and namespace, readable by a person.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use stagelink_delivery::identity::LedgerId;
use stagelink_delivery::ledger::{LEDGER_VERSION, Ledger};
use stagelink_delivery::ports::{LedgerStore, StoreError, StoreVersion};
use stagelink_plan::Plan;

use crate::ledger_spool::Spool;
use crate::ledger_summary::summary;
use crate::{ApiError, Cluster};

/// Key of the ledger.
const LEDGER: &str = "ledger.json";

/// Key of what a person reads first.
const SUMMARY: &str = "summary";

/// Annotation with the version of the ledger's form: there has been one, so that a ConfigMap whose
/// data is gone is not taken for a new one.
const FORM: &str = "stagelink/ledger-version";

/// Argo CD's annotation of what it has applied for an Application.
const TRACKING_ID: &str = "argocd.argoproj.io/tracking-id";

/// Who writes, in `managedFields`.
pub(crate) const MANAGER: &str = "stagelink";

/// Bytes of a ledger, laid out for people, above which it is compacted; what is still longer, because
/// its newest attempt is, is written on one line. A ConfigMap holds 1 MiB with everything.
const ROOM: usize = 700_000;

/// Bytes above which a ledger cannot be written.
const LIMIT: usize = 1_000_000;

/// How often a ConfigMap is looked for that is deleted as soon as it is there.
const TRIES: usize = 5;

/// Told what happens to spans that the ledger has no room for.
type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// A ledger in a ConfigMap of the cluster's namespace.
#[derive(Clone)]
pub struct LedgerConfigMap {
    api: Api<ConfigMap>,
    namespace: String,
    name: String,
    tracking_id: Option<String>,
    spool: Spool,
    seen: Arc<Mutex<Seen>>,
    tell: Tell,
}

/// What is known since the ledger was first read.
#[derive(Debug, Default)]
struct Seen {
    /// UID of the ConfigMap.
    uid: Option<String>,
    /// Attempts that were put into the spool, by delivery and attempt.
    spooled: BTreeSet<(u64, u64)>,
}

impl fmt::Debug for LedgerConfigMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerConfigMap")
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn patching() -> PatchParams {
    PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    }
}

impl LedgerConfigMap {
    /// The ledger in the ConfigMap of this name. Nothing is asked yet.
    pub fn new(cluster: &Cluster, name: &str) -> Self {
        let api: Api<ConfigMap> = Api::namespaced(cluster.client(), cluster.namespace());
        Self {
            spool: Spool {
                api: api.clone(),
                name: format!("{name}-spans"),
            },
            api,
            namespace: cluster.namespace().to_owned(),
            name: name.to_owned(),
            tracking_id: None,
            seen: Arc::default(),
            tell: Arc::new(|_| {}),
        }
    }

    /// Says, in a line for people, when spans are lost.
    #[must_use]
    pub fn with_tell(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.tell = Arc::new(tell);
        self
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes it with Argo CD's note of the Application that it belongs to, and goes with: one whose first sync
    /// never got beyond its PreSync hooks has nothing else that says so.
    #[must_use]
    pub fn with_tracking_id(mut self, id: Option<&str>) -> Self {
        self.tracking_id = id.map(str::to_owned);
        self
    }

    fn location(&self) -> String {
        format!("ConfigMap {}/{}", self.namespace, self.name)
    }

    fn unavailable(&self, action: &'static str, error: impl Into<ApiError>) -> StoreError {
        StoreError::Unavailable {
            location: self.location(),
            action,
            source: Box::new(error.into()),
        }
    }

    fn damaged(&self, detail: impl Into<String>) -> StoreError {
        StoreError::Damaged {
            location: self.location(),
            detail: detail.into(),
        }
    }

    /// What a ConfigMap begins with. Its UID is the ledger's id, so that this is only known once it
    /// is there.
    fn empty(&self) -> ConfigMap {
        let mut map = ConfigMap::default();
        map.metadata.name = Some(self.name.clone());
        map.metadata.labels = Some(
            [
                ("app.kubernetes.io/managed-by", "stagelink"),
                ("app.kubernetes.io/component", "ledger"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        );
        map.metadata.annotations = self
            .tracking_id
            .clone()
            .map(|id| [(TRACKING_ID.to_owned(), id)].into());
        map
    }

    /// The ConfigMap, made if there is none; two hooks may do so at once.
    async fn map(&self) -> Result<ConfigMap, StoreError> {
        let creation = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        for _ in 0..TRIES {
            match self.api.get(&self.name).await.map_err(ApiError::from) {
                Ok(map) => return self.kept(map).await,
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(self.unavailable("read", error)),
            }
            match self
                .api
                .create(&creation, &self.empty())
                .await
                .map_err(ApiError::from)
            {
                Ok(map) => return Ok(map),
                Err(error) if error.is_already_exists() => {}
                Err(error) => return Err(self.unavailable("written", error)),
            }
        }
        Err(StoreError::Conflict)
    }

    /// The ledger's ConfigMap as the owner of what lies beside it.
    async fn owner(&self) -> Result<OwnerReference, StoreError> {
        let known = self.seen().uid.clone();
        let uid = match known {
            Some(uid) => uid,
            None => self.map().await?.metadata.uid.unwrap_or_default(),
        };
        Ok(OwnerReference {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            name: self.name.clone(),
            uid,
            ..OwnerReference::default()
        })
    }

    /// One that is to be kept is no longer the Application's to delete, if it ever was.
    async fn kept(&self, map: ConfigMap) -> Result<ConfigMap, StoreError> {
        let annotations = map.metadata.annotations.as_ref();
        let is_tracked = annotations.is_some_and(|all| all.contains_key(TRACKING_ID));
        if self.tracking_id.is_some() || !is_tracked {
            return Ok(map);
        }
        let patch = json!({"metadata": {"annotations": {TRACKING_ID: null}}});
        self.api
            .patch(&self.name, &patching(), &Patch::Merge(&patch))
            .await
            .map_err(|error| self.unavailable("written", error))
    }

    fn parse(&self, json: &str) -> Result<Ledger, StoreError> {
        #[derive(serde::Deserialize)]
        struct Version {
            version: u32,
        }
        let damaged = |error: serde_json::Error| self.damaged(format!("key {LEDGER}: {error}"));
        let Version { version } = serde_json::from_str(json).map_err(damaged)?;
        if version > LEDGER_VERSION {
            return Err(StoreError::Newer {
                location: self.location(),
                found: version,
            });
        }
        serde_json::from_str(json).map_err(damaged)
    }

    /// The ledger in a ConfigMap.
    fn read(&self, map: &ConfigMap, plan: &Plan) -> Result<Ledger, StoreError> {
        if let Some(json) = map.data.as_ref().and_then(|data| data.get(LEDGER)) {
            return self.parse(json);
        }
        let annotations = map.metadata.annotations.as_ref();
        let has_form = annotations.is_some_and(|annotations| annotations.contains_key(FORM));
        if has_form || map.data.as_ref().is_some_and(|data| !data.is_empty()) {
            return Err(self.damaged(format!("it has no key {LEDGER}")));
        }
        let uid = map.metadata.uid.as_deref().unwrap_or_default();
        if uid.is_empty() {
            return Err(self.damaged("it has no UID"));
        }
        // One that lost all it held (`kubectl replace`) begins again, with other traces than before.
        let id = LedgerId(format!("{uid}-{}", self.version(map)?.0));
        Ok(Ledger::new(id, &plan.app, &plan.stage, &plan.namespace))
    }

    fn version(&self, map: &ConfigMap) -> Result<StoreVersion, StoreError> {
        match &map.metadata.resource_version {
            Some(version) if !version.is_empty() => Ok(StoreVersion(version.clone())),
            _ => Err(self.damaged("it has no resourceVersion")),
        }
    }

    /// The ledger's keys, for a patch.
    async fn data(&self, ledger: &Ledger) -> Result<serde_json::Value, StoreError> {
        let failed = |error| self.unavailable("written", kube::Error::SerdeError(error));
        let mut json = serde_json::to_string_pretty(ledger).map_err(failed)?;
        if json.len() > ROOM {
            let mut smaller = ledger.clone();
            let unsent = smaller.compact_to(ROOM);
            if !unsent.deliveries.is_empty() && self.spool(&unsent).await {
                smaller.note_spooled(&unsent);
            }
            json = serde_json::to_string_pretty(&smaller).map_err(failed)?;
            if json.len() > ROOM {
                json = serde_json::to_string(&smaller).map_err(failed)?;
            }
        }
        if json.len() > LIMIT {
            return Err(StoreError::TooLarge {
                location: self.location(),
                size: json.len(),
                limit: LIMIT,
            });
        }
        Ok(json!({LEDGER: json, SUMMARY: summary(ledger)}))
    }

    /// Writes a ledger whose ConfigMap somebody deleted while a delivery is at work with it: what it
    /// holds, its id too, is still known here.
    async fn restore(&self, data: serde_json::Value) -> Result<StoreVersion, StoreError> {
        let creation = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        let mut map = self.empty();
        let annotations = map.metadata.annotations.get_or_insert_default();
        annotations.insert(FORM.to_owned(), LEDGER_VERSION.to_string());
        map.data = serde_json::from_value(data).ok();
        match self
            .api
            .create(&creation, &map)
            .await
            .map_err(ApiError::from)
        {
            Ok(map) => self.version(&map),
            Err(error) if error.is_already_exists() => Err(StoreError::Conflict),
            Err(error) => Err(self.unavailable("written", error)),
        }
    }
}

#[async_trait]
impl LedgerStore for LedgerConfigMap {
    async fn load(&self, plan: &Plan) -> Result<(Ledger, StoreVersion), StoreError> {
        let map = self.map().await?;
        self.seen().uid.clone_from(&map.metadata.uid);
        Ok((self.read(&map, plan)?, self.version(&map)?))
    }

    async fn save(
        &self,
        ledger: &Ledger,
        version: &StoreVersion,
    ) -> Result<StoreVersion, StoreError> {
        let data = self.data(ledger).await?;
        // A patch with a version is refused if the object has another one, and touches nothing that
        // others have put beside the ledger.
        let patch = json!({
            "metadata": {
                "resourceVersion": version.0,
                "annotations": {FORM: LEDGER_VERSION.to_string()},
            },
            "data": data,
        });
        match self
            .api
            .patch(&self.name, &patching(), &Patch::Merge(&patch))
            .await
            .map_err(ApiError::from)
        {
            Ok(map) => self.version(&map),
            Err(error) if error.is_conflict() => Err(StoreError::Conflict),
            Err(error) if error.is_not_found() => self.restore(data).await,
            Err(error) => Err(self.unavailable("written", error)),
        }
    }

    async fn spool(&self, unsent: &Ledger) -> bool {
        let new = |number: &(u64, u64)| !self.seen().spooled.contains(number);
        let numbers: BTreeSet<(u64, u64)> = unsent.numbers().filter(new).collect();
        // A ledger that goes on growing gives the same away with each write.
        if numbers.is_empty() {
            return true;
        }
        let added = match self.owner().await {
            Ok(owner) => self.spool.add(unsent, &owner).await,
            Err(error) => {
                (self.tell)(&format!("spans of old deliveries are lost: {error}"));
                return false;
            }
        };
        match added {
            Ok(dropped) => {
                self.seen().spooled.extend(numbers);
                if dropped > 0 {
                    (self.tell)(&format!(
                        "spans of the {dropped} oldest attempts are lost: nobody has taken them, and ConfigMap {} is full",
                        self.spool.name
                    ));
                }
                true
            }
            Err(error) => {
                (self.tell)(&format!(
                    "spans of old deliveries are lost: ConfigMap {} cannot be written: {error}",
                    self.spool.name
                ));
                false
            }
        }
    }

    async fn spooled(&self, ledger: &Ledger) -> Result<Ledger, StoreError> {
        let read = self.spool.read(ledger).await;
        read.map_err(|error| StoreError::Unavailable {
            location: format!("ConfigMap {}/{}", self.namespace, self.spool.name),
            action: "read",
            source: Box::new(error),
        })
    }

    async fn unspool(&self, sent: &[(u64, u64)]) -> Result<(), StoreError> {
        let removed = self.spool.remove(sent).await;
        removed.map_err(|error| StoreError::Unavailable {
            location: format!("ConfigMap {}/{}", self.namespace, self.spool.name),
            action: "written",
            source: Box::new(error),
        })
    }
}
