//! What a delivery costs beside its tasks, through the real programs: the wall time of PreSync and
//! PostSync minus the longest chain of tasks. 10 built-in tasks that find what they wait for at once.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench may fail, and prints what it measured"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Deliveries that are measured.
const DELIVERIES: usize = 20;

fn main() {
    let url = serve();
    let mut walls = Vec::new();
    let mut overheads = Vec::new();
    for _ in 0..DELIVERIES {
        let (wall, tasks) = deliver(&url);
        walls.push(wall);
        overheads.push(wall.saturating_sub(tasks));
    }
    let floor = (0..DELIVERIES).map(|_| two_empty_programs()).collect();
    let (wall, overhead, floor) = (median(walls), median(overheads), median(floor));
    println!("two hooks with 10 tasks, wall time    {wall:>8.1?}");
    println!("  beside the longest chain of tasks   {overhead:>8.1?}");
    println!("  starting two empty programs         {floor:>8.1?}");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// A server that answers everything at once.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while stream.read(&mut request).is_ok_and(|length| length > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    if stream.write_all(answer).is_err() {
                        break;
                    }
                }
            });
        }
    });
    format!("http://{address}/")
}

fn deliver(url: &str) -> (Duration, Duration) {
    let folder = tempfile::tempdir().expect("there is room");
    let path = |name: &str| folder.path().join(name);
    let names: Vec<String> = (0..10).map(|number| format!("task-{number}")).collect();
    let definitions: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| {
            let arguments = ["wait-for-target".to_owned(), format!("--url={url}")];
            let container = json!({"name": "task", "image": "ghcr.io/stagelink/stagelink-task:1", "args": arguments});
            (name.clone(), json!({"retries": 0, "container": container}))
        })
        .collect();
    let plan = json!({
        "version": 1, "app": "shop", "appVersion": "v1", "stage": "dev",
        "application": "shop-dev", "namespace": "shop", "digest": "sha256:00",
        "phases": {"preDeploymentTasks": names[..5], "postDeploymentTasks": names[5..]},
        "taskDefinitions": definitions,
    });
    fs::write(path("plan.json"), plan.to_string()).expect("the plan can be written");
    let start = Instant::now();
    for (hook, program) in [
        ("PreSync", env!("CARGO_BIN_EXE_stagelink-presync")),
        ("PostSync", env!("CARGO_BIN_EXE_stagelink-postsync")),
    ] {
        let status = Command::new(program)
            .arg("--plan")
            .arg(path("plan.json"))
            .arg("--ledger")
            .arg(path("ledger.json"))
            .arg("--spans-file")
            .arg(path("spans.jsonl"))
            .args(["--operation", "bench", "--job-uid", hook])
            .stderr(Stdio::null())
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "{hook} did not pass"
        );
    }
    let wall = start.elapsed();
    let ledger = fs::read(path("ledger.json")).expect("the hooks left a ledger");
    let ledger: Value = serde_json::from_slice(&ledger).expect("the ledger is JSON");
    let phases = &ledger["deliveries"][0]["attempts"][0]["phases"];
    let tasks = phases
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|phase| phase["items"].as_array()?.iter().map(length).max())
        .sum();
    (wall, tasks)
}

/// How long a task took, from the ledger.
fn length(item: &Value) -> Duration {
    let time = |key: &str| {
        item[key]
            .as_str()
            .and_then(|text| text.parse::<jiff::Timestamp>().ok())
    };
    match (time("startedAt"), time("endedAt")) {
        (Some(start), Some(end)) => end.duration_since(start).unsigned_abs(),
        _ => Duration::ZERO,
    }
}

fn two_empty_programs() -> Duration {
    let start = Instant::now();
    for _ in 0..2 {
        let status = Command::new("true").status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "`true` cannot be run"
        );
    }
    start.elapsed()
}
