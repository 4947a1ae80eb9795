//! An API server that hangs, is away, or comes back: nothing is lost, and nothing waits for ever.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod rig;

use std::time::{Duration, Instant};

use rig::{plan, rig};
use stagelink_delivery::ports::LedgerStore as _;
use stagelink_kubernetes::LedgerConfigMap;

/// What a test does to the API server must not meet another.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn an_api_server_that_hangs_is_waited_for() {
    let Some(rig) = rig("an API server that hangs").await else {
        return;
    };
    let _turn = TURN.lock().await;
    let cluster = rig.cluster().await;
    let store = LedgerConfigMap::new(&cluster, "ledger");
    let plan = plan(&rig.namespace);
    let (ledger, version) = store.load(&plan).await.unwrap();
    let server = rig.api_server();
    let start = Instant::now();
    server.signal("STOP");
    let (saved, ()) = tokio::join!(store.save(&ledger, &version), async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        server.signal("CONT");
    });
    let waited = start.elapsed();
    assert_eq!(store.load(&plan).await.unwrap(), (ledger, saved.unwrap()));
    assert!(
        waited >= Duration::from_secs(4) && waited < Duration::from_secs(8),
        "{waited:?}"
    );
    // One request, that waited: nothing was sent twice.
    assert_eq!(cluster.calls().counts()["patch configmaps"], 1);
}

#[tokio::test]
async fn an_api_server_that_is_away_comes_back() {
    let Some(rig) = rig("an API server that is killed").await else {
        return;
    };
    let _turn = TURN.lock().await;
    let cluster = rig.cluster().await;
    let store = LedgerConfigMap::new(&cluster, "ledger");
    let plan = plan(&rig.namespace);
    let (ledger, version) = store.load(&plan).await.unwrap();
    let server = rig.api_server();
    server.signal("KILL");
    let (saved, back) = tokio::join!(store.save(&ledger, &version), async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        server.start_again(&rig);
        Instant::now()
    });
    let late = back.elapsed();
    assert_eq!(store.load(&plan).await.unwrap(), (ledger, saved.unwrap()));
    assert!(
        late < Duration::from_secs(20),
        "{late:?} after it was started again"
    );
    assert!(
        cluster.calls().counts()["patch configmaps"] > 3,
        "{}",
        cluster.calls()
    );
}
