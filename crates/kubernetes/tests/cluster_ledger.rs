//! The ledger in a ConfigMap of a real cluster.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod rig;

use std::sync::{Arc, Mutex};

use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams};
use rig::{Rig, plan, rig};
use serde_json::{Value, json};
use stagelink_delivery::ledger::{Delivery, Ledger};
use stagelink_delivery::ports::{LedgerStore as _, StoreError, StoreVersion};
use stagelink_kubernetes::LedgerConfigMap;

const NAME: &str = "shop-stagelink-ledger";

async fn store(rig: &Rig) -> LedgerConfigMap {
    LedgerConfigMap::new(&rig.cluster().await, NAME)
}

fn deliver(ledger: &mut Ledger, number: u64) {
    let delivery = json!({
        "number": number, "digest": format!("sha256:{}", "0".repeat(64)), "appVersion": "v1",
        "attempts": [{
            "number": 1, "operation": {"name": "0a1b2c3-1"}, "application": "shop-dev",
            "startedAt": "2026-01-01T00:00:00Z",
        }],
    });
    ledger
        .deliveries
        .push(serde_json::from_value::<Delivery>(delivery).unwrap());
}

async fn map(rig: &Rig) -> ConfigMap {
    rig.api().get(NAME).await.unwrap()
}

async fn edit(rig: &Rig, patch: Value) {
    let api: kube::Api<ConfigMap> = rig.api();
    api.patch(NAME, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_ledger_is_made_kept_and_readable() {
    let Some(rig) = rig("the ledger in a ConfigMap").await else {
        return;
    };
    let store = store(&rig).await;
    let plan = plan(&rig.namespace);
    let (mut ledger, version) = store.load(&plan).await.unwrap();
    let made = map(&rig).await;
    let begun = format!(
        "{}-{}",
        made.metadata.uid.as_deref().unwrap(),
        made.metadata.resource_version.as_deref().unwrap()
    );
    assert_eq!(ledger.id.0, begun);
    assert_eq!(
        (ledger.app.as_str(), ledger.stage.as_str()),
        ("shop", "dev")
    );
    let labels = made.metadata.labels.unwrap();
    assert_eq!(labels["app.kubernetes.io/managed-by"], "stagelink");

    // What a person adds stays.
    edit(
        &rig,
        json!({"metadata": {"labels": {"team": "shop"}}, "data": {"note": "mine"}}),
    )
    .await;
    let error = store.save(&ledger, &version).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict), "{error}");
    let error = store.load(&plan).await.unwrap_err();
    assert!(
        error.to_string().contains("it has no key ledger.json"),
        "{error}"
    );
    edit(&rig, json!({"data": {"note": null}})).await;

    let (_, version) = store.load(&plan).await.unwrap();
    deliver(&mut ledger, 1);
    let version = store.save(&ledger, &version).await.unwrap();
    edit(&rig, json!({"data": {"note": "mine"}})).await;
    let (read, newer) = store.load(&plan).await.unwrap();
    assert_eq!(read, ledger);
    assert_ne!(newer, version);
    deliver(&mut ledger, 2);
    store.save(&ledger, &newer).await.unwrap();
    let kept = map(&rig).await;
    assert_eq!(kept.metadata.labels.unwrap()["team"], "shop");
    let data = kept.data.unwrap();
    assert_eq!(data["note"], "mine");
    assert!(data["ledger.json"].contains("\n      \"number\": 2,\n"));
    let lines: Vec<&str> = data["summary"].lines().collect();
    assert!(
        lines[0].starts_with("2.1 open v1 - 2026-01-01T00:00:00Z - "),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn of_many_who_make_or_write_at_once_one_does() {
    let Some(rig) = rig("hooks that share a ledger").await else {
        return;
    };
    let plan = plan(&rig.namespace);
    let mut stores = Vec::new();
    for _ in 0..8 {
        stores.push(store(&rig).await);
    }
    let loaded = join_all(stores.iter().map(|store| store.load(&plan))).await;
    let loaded: Vec<_> = loaded.into_iter().map(Result::unwrap).collect();
    assert!(loaded.iter().all(|one| *one == loaded[0]));

    let saved = join_all(stores.iter().zip(&loaded).enumerate().map(
        |(number, (store, (ledger, version)))| async move {
            let mut ledger = ledger.clone();
            deliver(&mut ledger, number as u64);
            store.save(&ledger, version).await
        },
    ))
    .await;
    let written: Vec<usize> = (0..8).filter(|index| saved[*index].is_ok()).collect();
    assert_eq!(written.len(), 1, "{saved:?}");
    assert!(
        saved
            .iter()
            .all(|one| matches!(one, Ok(_) | Err(StoreError::Conflict))),
        "{saved:?}"
    );
    let (ledger, version) = stores[0].load(&plan).await.unwrap();
    assert_eq!(ledger.deliveries[0].number, written[0] as u64);
    assert_eq!(saved[written[0]].as_ref().ok(), Some(&version));
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_is_never_replaced() {
    let Some(rig) = rig("damaged ledgers").await else {
        return;
    };
    let store = store(&rig).await;
    let plan = plan(&rig.namespace);
    let (mut ledger, version) = store.load(&plan).await.unwrap();
    deliver(&mut ledger, 1);
    store.save(&ledger, &version).await.unwrap();
    let whole = map(&rig).await.data.unwrap()["ledger.json"].clone();
    let location = format!("ConfigMap {}/{NAME}", rig.namespace);
    let mut newer: Value = serde_json::from_str(&whole).unwrap();
    newer["version"] = json!(99);
    for (broken, expected) in [
        (
            json!({"ledger.json": whole[..whole.len() / 2]}),
            "is damaged: key ledger.json: EOF",
        ),
        (
            json!({"ledger.json": ""}),
            "is damaged: key ledger.json: EOF",
        ),
        (
            json!({"ledger.json": "{\"version\": 1}"}),
            "is damaged: key ledger.json: missing field",
        ),
        (
            json!({"ledger.json": newer.to_string()}),
            "has version 99, newer than this program reads",
        ),
        (
            json!({"ledger.json": null, "summary": null}),
            "is damaged: it has no key ledger.json",
        ),
    ] {
        edit(&rig, json!({"data": broken})).await;
        let before = map(&rig).await;
        let text = store.load(&plan).await.unwrap_err().to_string();
        assert!(
            text.contains(&location) && text.contains(expected),
            "{text}"
        );
        assert_eq!(map(&rig).await, before);
    }
    // A hook that has read it before does not write over it either.
    let error = store.save(&ledger, &version).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict), "{error}");

    edit(&rig, json!({"data": {"ledger.json": whole}})).await;
    assert_eq!(store.load(&plan).await.unwrap().0, ledger);
    edit(&rig, json!({"immutable": true})).await;
    let (_, version) = store.load(&plan).await.unwrap();
    deliver(&mut ledger, 2);
    let error = store.save(&ledger, &version).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(error.to_string().contains("cannot be written"), "{error}");
    assert!(cause.contains("immutable"), "{cause}");
}

#[tokio::test]
async fn a_ledger_deleted_under_a_delivery_is_written_again() {
    let Some(rig) = rig("a deleted ledger").await else {
        return;
    };
    let (one, other) = (store(&rig).await, store(&rig).await);
    let plan = plan(&rig.namespace);
    let (mut ledger, version) = one.load(&plan).await.unwrap();
    deliver(&mut ledger, 1);
    let version = one.save(&ledger, &version).await.unwrap();
    let api: kube::Api<ConfigMap> = rig.api();
    api.delete(NAME, &DeleteParams::default()).await.unwrap();
    let again = one.save(&ledger, &version).await.unwrap();
    // With its id, so that the delivery's trace stays one.
    assert_eq!(one.load(&plan).await.unwrap(), (ledger.clone(), again));
    let uid = map(&rig).await.metadata.uid.unwrap();
    assert!(!ledger.id.0.starts_with(&uid));

    // Made anew by somebody else: theirs is read, not replaced.
    api.delete(NAME, &DeleteParams::default()).await.unwrap();
    let (fresh, _) = other.load(&plan).await.unwrap();
    assert_ne!(fresh.id, ledger.id);
    let error = one.save(&ledger, &version).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict), "{error}");
    assert_eq!(one.load(&plan).await.unwrap().0, fresh);
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let Some(rig) = rig("ledgers without rights").await else {
        return;
    };
    let plan = plan(&rig.namespace);
    let cause = |error: StoreError| std::error::Error::source(&error).unwrap().to_string();
    let stranger = rig.cluster_as("stranger").await;
    let store = LedgerConfigMap::new(&stranger, NAME);
    let error = store.load(&plan).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(
        text,
        format!(
            "the ledger ConfigMap {}/{NAME} cannot be read",
            rig.namespace
        )
    );
    let cause_text = cause(error);
    let expected = format!(
        "configmaps \"{NAME}\" is forbidden: User \"system:serviceaccount:{}:stranger\" cannot get resource",
        rig.namespace
    );
    assert!(cause_text.starts_with(&expected), "{cause_text}");
    assert_eq!(stranger.calls().to_string(), "1 API call: get configmaps 1");

    let unknown = rig.cluster_with_wrong_token().await;
    let store = LedgerConfigMap::new(&unknown, NAME);
    let cause_text = cause(store.load(&plan).await.unwrap_err());
    assert!(cause_text.contains("401 Unauthorized"), "{cause_text}");

    // Whoever may read but not write learns it when it writes.
    LedgerConfigMap::new(&rig.cluster().await, NAME)
        .load(&plan)
        .await
        .unwrap();
    rig.create::<k8s_openapi::api::rbac::v1::Role>(json!({
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
    }))
    .await;
    rig.create::<k8s_openapi::api::rbac::v1::RoleBinding>(json!({
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": rig.namespace}],
    }))
    .await;
    let reader = LedgerConfigMap::new(&rig.cluster_as("reader").await, NAME);
    let mut loaded = reader.load(&plan).await;
    // The API server's authorizer learns of the role in a moment.
    for _ in 0..50 {
        if loaded.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        loaded = reader.load(&plan).await;
    }
    let (ledger, version) = loaded.unwrap();
    let error = reader.save(&ledger, &version).await.unwrap_err();
    assert!(error.to_string().ends_with("cannot be written"), "{error}");
    assert!(cause(error).contains("cannot patch resource"));
    let _: StoreVersion = version;
}

#[tokio::test]
async fn a_long_ledger_is_kept_small() {
    let Some(rig) = rig("a long ledger").await else {
        return;
    };
    let store = store(&rig).await;
    let plan = plan(&rig.namespace);
    let (mut ledger, version) = store.load(&plan).await.unwrap();
    let item = json!({
        "definition": "check", "name": "check-1", "startedAt": "2026-01-01T00:00:00Z",
        "endedAt": "2026-01-01T00:00:01Z", "outcome": "fail", "message": "x".repeat(5000),
    });
    let phase = |items: usize| {
        serde_json::from_value(json!({
            "phase": "AppPreDeployTasks", "outcome": "fail", "items": vec![item.clone(); items],
        }))
        .unwrap()
    };
    for number in 1..=30 {
        deliver(&mut ledger, number);
        ledger.deliveries[number as usize - 1].attempts[0].phases = vec![phase(10)];
    }
    let before = serde_json::to_vec_pretty(&ledger).unwrap().len();
    assert!(before > 1_500_000, "{before}");
    // More than an API server takes, had nothing been forgotten.
    for delivery in &mut ledger.deliveries[..29] {
        let attempt = &mut delivery.attempts[0];
        attempt.ended_at = Some(attempt.started_at);
        attempt.outcome = Some(stagelink_delivery::Outcome::Fail);
    }
    let version = store.save(&ledger, &version).await.unwrap();
    let (kept, _) = store.load(&plan).await.unwrap();
    assert_eq!(kept.deliveries.len(), 30);
    assert_eq!(kept.deliveries[29], ledger.deliveries[29]);
    assert_eq!(kept.deliveries[28], ledger.deliveries[28]);
    assert!(kept.deliveries[0].attempts[0].phases.is_empty());
    let size = map(&rig).await.data.unwrap()["ledger.json"].len();
    assert!(size < 700_000 && size > 600_000, "{size}");

    // What one attempt tells can be too much.
    ledger.deliveries[29].attempts[0].phases = vec![phase(160)];
    let version = store.save(&ledger, &version).await.unwrap();
    let text = map(&rig).await.data.unwrap()["ledger.json"].clone();
    assert!(
        text.len() > 800_000 && text.lines().count() == 1,
        "{}",
        text.len()
    );
    ledger.deliveries[29].attempts[0].phases = vec![phase(220)];
    let error = store.save(&ledger, &version).await.unwrap_err();
    assert!(
        error.to_string().contains("and may have 1000000"),
        "{error}"
    );
    assert_eq!(map(&rig).await.data.unwrap()["ledger.json"], text);
}

#[tokio::test]
async fn spans_that_nobody_took_are_kept_beside_a_ledger_that_is_full() {
    let Some(rig) = rig("a ledger with spans to be sent").await else {
        return;
    };
    let told = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&told);
    let store = store(&rig)
        .await
        .with_tell(move |line| lines.lock().unwrap().push(line.to_owned()));
    let plan = plan(&rig.namespace);
    let (mut ledger, version) = store.load(&plan).await.unwrap();
    let item = json!({
        "definition": "check", "name": "check-1", "startedAt": "2026-01-01T00:00:00Z",
        "endedAt": "2026-01-01T00:00:01Z", "outcome": "fail", "message": "x".repeat(5000),
    });
    let phase = json!({"phase": "AppPreDeployTasks", "outcome": "fail", "items": vec![item; 10]});
    for number in 1..=25 {
        deliver(&mut ledger, number);
        let attempt = &mut ledger.deliveries.last_mut().unwrap().attempts[0];
        attempt.phases = vec![serde_json::from_value(phase.clone()).unwrap()];
        attempt.ended_at = Some(attempt.started_at);
        attempt.outcome = Some(stagelink_delivery::Outcome::Fail);
        attempt.exported = [("otlp".to_owned(), Default::default())].into();
    }
    let version = store.save(&ledger, &version).await.unwrap();
    let (kept, _) = store.load(&plan).await.unwrap();
    let spooled = store.spooled(&kept).await.unwrap();
    let numbers: Vec<u64> = spooled.numbers().map(|(delivery, _)| delivery).collect();
    assert!(numbers.len() > 5, "{numbers:?}");
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    // What the ledger has lost is there, whole.
    assert_eq!(spooled.deliveries, ledger.deliveries[..numbers.len()]);
    assert!(kept.spooled);
    for delivery in &kept.deliveries {
        let attempt = &delivery.attempts[0];
        let is_away = numbers.contains(&delivery.number);
        assert_eq!(
            (attempt.spooled, attempt.phases.is_empty()),
            (is_away, is_away)
        );
    }
    let name = format!("{NAME}-spans");
    let api: kube::Api<ConfigMap> = rig.api();
    let beside = api.get(&name).await.unwrap();
    let owner = &beside.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!(Some(&owner.uid), map(&rig).await.metadata.uid.as_ref());
    assert_eq!(
        (owner.kind.as_str(), owner.name.as_str()),
        ("ConfigMap", NAME)
    );

    // A ledger that goes on growing does not write it each time.
    ledger.deliveries[24].attempts[0].reason = Some("changed".to_owned());
    store.save(&ledger, &version).await.unwrap();
    assert_eq!(api.get(&name).await.unwrap(), beside);
    // A hook that died before it had saved the ledger puts the same away, and so does another at once.
    let others = [self::store(&rig).await, self::store(&rig).await];
    for added in join_all(others.iter().map(|other| other.spool(&spooled))).await {
        assert!(added);
    }
    assert_eq!(store.spooled(&kept).await.unwrap(), spooled);

    // Where there is no room the oldest go, and that is said.
    let mut more = kept.emptied();
    more.deliveries = ledger.deliveries[..24].to_vec();
    assert!(store.spool(&more).await);
    let left: Vec<u64> = store
        .spooled(&kept)
        .await
        .unwrap()
        .numbers()
        .map(|(delivery, _)| delivery)
        .collect();
    let dropped = 24 - left.len() as u64;
    assert!(dropped > 0 && left.len() > 15, "{left:?}");
    assert_eq!(left, (dropped + 1..=24).collect::<Vec<_>>());
    let told = told.lock().unwrap().clone();
    assert_eq!(
        told,
        [format!(
            "spans of the {dropped} oldest attempts are lost: nobody has taken them, and ConfigMap {name} is full"
        )]
    );

    // What was sent is taken out, and what people have put beside it stays.
    let note = json!({"data": {"note": "mine"}});
    api.patch(&name, &PatchParams::default(), &Patch::Merge(note))
        .await
        .unwrap();
    let sent: Vec<(u64, u64)> = left.iter().map(|number| (*number, 1)).collect();
    store.unspool(&sent[1..]).await.unwrap();
    let rest = store.spooled(&kept).await.unwrap();
    assert_eq!(rest.numbers().collect::<Vec<_>>(), sent[..1]);
    store.unspool(&sent[..1]).await.unwrap();
    let data = api.get(&name).await.unwrap().data.unwrap();
    assert_eq!(data.into_keys().collect::<Vec<_>>(), ["note"]);
    api.delete(&name, &DeleteParams::default()).await.unwrap();
    store.unspool(&sent).await.unwrap();
    assert_eq!(store.spooled(&kept).await.unwrap(), kept.emptied());

    // Who may not write it loses the spans, says so, and keeps the ledger.
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&lines);
    let stranger = LedgerConfigMap::new(&rig.cluster_as("stranger").await, NAME)
        .with_tell(move |line| heard.lock().unwrap().push(line.to_owned()));
    assert!(!stranger.spool(&spooled).await);
    let lines = lines.lock().unwrap().clone();
    assert!(
        lines.len() == 1 && lines[0].starts_with("spans of old deliveries are lost: "),
        "{lines:?}"
    );
}
