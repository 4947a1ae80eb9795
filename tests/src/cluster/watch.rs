//! Waiting by watching: no test asks the cluster again and again.

use std::io::BufReader;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Cluster;

/// Watches one resource until it is as wanted.
///
/// # Panics
/// When it never is.
pub(super) fn until(
    cluster: &Cluster,
    (namespace, kind, name): (&str, &str, &str),
    what: &str,
    patience: Duration,
    mut wanted: impl FnMut(&Value) -> bool,
) -> Value {
    let end = Instant::now() + patience;
    let mut last = Value::Null;
    // A watch may be ended by the API server, and begins with what is there.
    loop {
        let (mut child, seen) = watch(cluster, namespace, kind, name);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match seen.recv_timeout(left) {
                Ok(value) if wanted(&value) => {
                    stop(&mut child);
                    return value;
                }
                Ok(value) => last = value,
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    stop(&mut child);
                    panic_with(what, kind, name, &last);
                }
            }
        }
        stop(&mut child);
        if Instant::now() >= end {
            panic_with(what, kind, name, &last);
        }
        // kubectl ends at once for a kind that the cluster does not know yet.
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A running `kubectl get --watch`, and the states that it prints.
fn watch(
    cluster: &Cluster,
    namespace: &str,
    kind: &str,
    name: &str,
) -> (Child, mpsc::Receiver<Value>) {
    let chosen = format!("metadata.name={name}");
    let mut command = cluster.kubectl(&[
        "--namespace",
        namespace,
        "get",
        kind,
        "--field-selector",
        &chosen,
        "--watch",
        "-o",
        "json",
    ]);
    let mut child = match command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) => unreachable!("kubectl cannot be started: {error}"),
    };
    let (send, receive) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        // It ends with kubectl, or when nobody listens any more.
        std::thread::spawn(move || {
            let values = serde_json::Deserializer::from_reader(BufReader::new(stdout));
            for value in values.into_iter::<Value>() {
                if value.is_err() || value.is_ok_and(|value| send.send(value).is_err()) {
                    break;
                }
            }
        });
    }
    (child, receive)
}

fn stop(child: &mut Child) {
    // It may have ended already.
    let _ = child.kill();
    let _ = child.wait();
}

fn panic_with(what: &str, kind: &str, name: &str, last: &Value) -> ! {
    let last = if last["status"].is_null() {
        last
    } else {
        &last["status"]
    };
    unreachable!("{kind} {name} never: {what}; it was last {last:#}");
}
