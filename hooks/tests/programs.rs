//! The hooks as the separate programs that they are: a plan file, a ledger file, exit codes.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A stage's folder with its plan.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new(plan: &Value) -> Self {
        let stage = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        stage.plan(plan);
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn plan(&self, plan: &Value) {
        fs::write(self.path("plan.json"), plan.to_string()).unwrap();
    }

    fn command(&self, hook: &str, operation: &str, uid: &str) -> Command {
        let program = match hook {
            "presync" => env!("CARGO_BIN_EXE_stagelink-presync"),
            "postsync" => env!("CARGO_BIN_EXE_stagelink-postsync"),
            _ => env!("CARGO_BIN_EXE_stagelink-syncfail"),
        };
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("OTEL_") || text.starts_with("STAGELINK_") {
                command.env_remove(&name);
            }
        }
        command
            .arg("--plan")
            .arg(self.path("plan.json"))
            .arg("--ledger")
            .arg(self.path("ledger.json"))
            .arg("--spans-file")
            .arg(self.path("spans.jsonl"))
            .args([
                "--operation",
                operation,
                "--job-uid",
                &format!("{hook}-{uid}"),
            ])
            .arg("--allow-local-commands")
            .current_dir(self.folder.path());
        command
    }

    fn hook(&self, hook: &str, operation: &str, uid: &str) -> Output {
        self.command(hook, operation, uid).output().unwrap()
    }

    fn ledger(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("ledger.json")).unwrap()).unwrap()
    }

    /// Lines that tasks wrote into `ran`.
    fn ran(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("ran")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn roots(&self) -> usize {
        let text = fs::read_to_string(self.path("spans.jsonl")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("each line is whole"))
            .flat_map(|request| {
                request["resourceSpans"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default()
            })
            .flat_map(|resource| {
                resource["scopeSpans"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default()
            })
            .flat_map(|scope| scope["spans"].as_array().cloned().unwrap_or_default())
            .filter(|span| span["parentSpanId"].as_str().is_none_or(str::is_empty))
            .count()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn last_line(output: &Output) -> String {
    stderr(output).lines().last().unwrap_or_default().to_owned()
}

/// A task that runs a shell command on this machine.
fn task(command: &str) -> Value {
    json!({
        "retries": 0, "timeout": "20s",
        "container": {"name": "task", "image": "local", "command": ["sh", "-c", command]},
    })
}

fn plan(pre: &str, post: &str) -> Value {
    json!({
        "version": 1, "app": "shop", "appVersion": "v1", "stage": "dev", "application": "shop-dev",
        "namespace": "shop", "revision": "0123456789", "digest": "sha256:one",
        "metadata": {"commitID": "0123456789"},
        "phases": {"preDeploymentTasks": ["before"], "postDeploymentTasks": ["after"], "promotionTasks": ["promote"]},
        "taskDefinitions": {"before": task(pre), "after": task(post), "promote": task("echo promote >> ran")},
    })
}

#[test]
fn a_delivery_passes_and_leaves_one_root_span() {
    let stage = Stage::new(&plan("echo before >> ran", "echo after >> ran"));
    let before = stage.hook("presync", "op-1", "a");
    assert_eq!(before.status.code(), Some(0), "{}", stderr(&before));
    assert_eq!(stage.roots(), 0);
    let after = stage.hook("postsync", "op-1", "a");
    assert_eq!(after.status.code(), Some(0), "{}", stderr(&after));
    assert!(last_line(&after).contains("pass"), "{}", stderr(&after));
    assert_eq!(stage.ran(), ["before", "after", "promote"]);
    assert_eq!(stage.roots(), 1);
    assert!(after.stdout.is_empty());
    // The same content again: nothing runs, nothing is written.
    let ledger = stage.ledger();
    for hook in ["presync", "postsync"] {
        let again = stage.hook(hook, "op-2", "b");
        assert_eq!(again.status.code(), Some(0));
        assert!(
            last_line(&again).contains("already passed"),
            "{}",
            stderr(&again)
        );
    }
    assert_eq!(stage.ran().len(), 3);
    assert_eq!(stage.ledger(), ledger);
    assert_eq!(stage.roots(), 1);
}

#[test]
fn a_failure_says_why_in_one_line_and_in_the_termination_log() {
    let stage = Stage::new(&plan("echo the pump is dry >&2; exit 3", "true"));
    let output = stage
        .command("presync", "op-1", "a")
        .arg("--termination-log")
        .arg(stage.path("termination"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let reason = "before: the command ended with exit code 3: the pump is dry";
    assert!(last_line(&output).ends_with(reason), "{}", stderr(&output));
    assert!(
        fs::read_to_string(stage.path("termination"))
            .unwrap()
            .ends_with(reason)
    );
    let closed = stage.hook("syncfail", "op-1", "a");
    assert_eq!(closed.status.code(), Some(1));
    assert_eq!(stage.roots(), 1);
    let attempt = &stage.ledger()["deliveries"][0]["attempts"][0];
    assert_eq!(attempt["outcome"], "fail");
    // An automatic retry remembers the verdict.
    let retry = stage.hook("presync", "op-1", "retry");
    assert_eq!(retry.status.code(), Some(1));
    assert!(last_line(&retry).ends_with(reason), "{}", stderr(&retry));
    assert_eq!(
        stage.ledger()["deliveries"][0]["attempts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn tasks_get_keptns_environment_and_no_other() {
    let mut plan = plan("env | sort > environment", "true");
    plan["taskDefinitions"]["before"]["container"]["env"] = json!([{"name": "OWN", "value": "1"}, {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "key"}}}]);
    let stage = Stage::new(&plan);
    fs::create_dir_all(stage.path("secrets/token")).unwrap();
    fs::write(stage.path("secrets/token/key"), "s3cret").unwrap();
    let output = stage
        .command("presync", "op-1", "a")
        .arg("--secrets")
        .arg(stage.path("secrets"))
        .env("UNRELATED", "x")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let environment = fs::read_to_string(stage.path("environment")).unwrap();
    let value = |name: &str| {
        environment
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    };
    assert_eq!(value("OWN"), Some("1"));
    assert_eq!(value("TOKEN"), Some("s3cret"));
    assert_eq!(value("UNRELATED"), None);
    let context = value("KEPTN_CONTEXT").unwrap();
    assert!(
        context.starts_with(r#"{"workloadName":"","appName":"shop","appVersion":"v1","workloadVersion":"","taskType":"pre","objectType":"App","metadata":{"commitID":"0123456789","traceparent":"00-"#),
        "{context}"
    );
    assert!(context.contains(value("TRACEPARENT").unwrap()));
    for file in ["ledger.json", "spans.jsonl"] {
        assert!(
            !fs::read_to_string(stage.path(file))
                .unwrap()
                .contains("s3cret"),
            "{file}"
        );
    }
}

#[test]
fn a_secret_in_a_tasks_log_is_masked() {
    let mut plan = plan("echo the token is $TOKEN >&2; exit 1", "true");
    plan["taskDefinitions"]["before"]["container"]["env"] =
        json!([{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "key"}}}]);
    let stage = Stage::new(&plan);
    fs::create_dir_all(stage.path("secrets/token")).unwrap();
    fs::write(stage.path("secrets/token/key"), "s3cret").unwrap();
    let output = stage
        .command("presync", "op-1", "a")
        .arg("--secrets")
        .arg(stage.path("secrets"))
        .output()
        .unwrap();
    assert!(
        last_line(&output).ends_with("the token is •••"),
        "{}",
        stderr(&output)
    );
    assert!(
        !fs::read_to_string(stage.path("ledger.json"))
            .unwrap()
            .contains("s3cret")
    );
    // Without the secret the task is not run at all.
    let missing = Stage::new(&plan);
    let output = missing.hook("presync", "op-1", "a");
    assert!(
        last_line(&output).contains("Secret token has no key key"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn functions_run_with_the_runtime_of_this_machine() {
    let mut plan = plan("true", "true");
    plan["taskDefinitions"]["before"] = json!({
        "retries": 0,
        "python": {
            "inline": {"code": "import json, os\ndata = json.loads(os.environ['DATA'])\nopen('ran', 'a').write(data['word'] + os.environ['CMD_ARGS'] + '\\n')\nassert os.environ['SCRIPT'].endswith('function.py')\n"},
            "parameters": {"map": {"word": "<&>"}},
        },
    });
    let stage = Stage::new(&plan);
    let output = stage.hook("presync", "op-1", "a");
    let python = Command::new("python3").arg("--version").output().is_ok();
    if python {
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stage.ran(), ["<&>"]);
    } else {
        assert!(last_line(&output).contains("python3, which is not on this machine"));
    }
}

#[test]
fn what_may_not_run_is_not_run() {
    let stage = Stage::new(&plan("echo before >> ran", "true"));
    let mut command = stage.command("presync", "op-1", "a");
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let program = command.get_program().to_owned();
    let output = Command::new(program)
        .args(
            arguments
                .iter()
                .filter(|argument| *argument != "--allow-local-commands"),
        )
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        last_line(&output).contains("--allow-local-commands allows it"),
        "{}",
        stderr(&output)
    );
    assert!(stage.ran().is_empty());
    drop(command.output());
    for (container, expected) in [
        (
            json!({"image": "busybox"}),
            "runs the image busybox, which needs a cluster",
        ),
        (
            json!({"image": "x", "command": ["/no/such/program"]}),
            "is not on this machine",
        ),
    ] {
        let mut plan = plan("true", "true");
        plan["taskDefinitions"]["before"]["container"] = container;
        let output = Stage::new(&plan).hook("presync", "op-1", "a");
        assert_eq!(output.status.code(), Some(1));
        assert!(last_line(&output).contains(expected), "{}", stderr(&output));
    }
    let mut plan = plan("true", "true");
    plan["taskDefinitions"]
        .as_object_mut()
        .unwrap()
        .remove("before");
    let output = Stage::new(&plan).hook("presync", "op-1", "a");
    assert!(
        last_line(&output).contains("there is no KeptnTaskDefinition before"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_task_that_takes_too_long_is_stopped_with_its_children() {
    let mut plan = plan("sleep 60 & echo $! > child; wait", "true");
    plan["taskDefinitions"]["before"]["timeout"] = json!("1s");
    let stage = Stage::new(&plan);
    let output = stage.hook("presync", "op-1", "a");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        last_line(&output).contains("longer than its timeout of 1s"),
        "{}",
        stderr(&output)
    );
    let child = fs::read_to_string(stage.path("child")).unwrap();
    wait_until("the child is gone", || {
        !Path::new("/proc").join(child.trim()).join("cwd").exists() || zombie(child.trim())
    });
}

fn zombie(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim().starts_with('Z'))
    })
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_task_outlives_a_killed_hook_and_runs_once() {
    let stage = Stage::new(&plan(
        "echo before >> ran; while [ ! -e go ]; do sleep 0.02; done",
        "echo after >> ran",
    ));
    let mut hook = spawn(&stage, "presync");
    wait_until("the task runs", || stage.ran() == ["before"]);
    hook.kill().unwrap();
    hook.wait().unwrap();
    let hook = spawn(&stage, "presync");
    sleep(Duration::from_millis(100));
    assert_eq!(stage.ran(), ["before"]);
    fs::write(stage.path("go"), "").unwrap();
    let output = hook.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stage.hook("postsync", "op-1", "a").status.code(), Some(0));
    assert_eq!(stage.ran(), ["before", "after", "promote"]);
    assert_eq!(stage.roots(), 1);
}

fn spawn(stage: &Stage, hook: &str) -> Child {
    stage
        .command(hook, "op-1", "a")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The hook is killed after ever longer times, and started again until it ends.
#[test]
fn kills_at_any_moment_lose_and_double_nothing() {
    for step in 0..25 {
        let stage = Stage::new(&plan("echo before >> ran", "echo after >> ran"));
        for hook in ["presync", "postsync"] {
            let mut child = spawn(&stage, hook);
            sleep(Duration::from_millis(step * 3));
            // It may have ended already.
            let _ = child.kill();
            child.wait().unwrap();
            let output = stage.hook(hook, "op-1", "a");
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        }
        assert_eq!(
            stage.ran(),
            ["before", "after", "promote"],
            "killed after {} ms",
            step * 3
        );
        assert_eq!(stage.roots(), 1);
        let ledger = stage.ledger();
        assert_eq!(ledger["deliveries"].as_array().unwrap().len(), 1);
        assert_eq!(
            ledger["deliveries"][0]["attempts"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }
}

#[test]
fn sigterm_stops_the_task_and_leaves_the_attempt_open() {
    let stage = Stage::new(&plan("echo before >> ran; [ -e go ] || sleep 60", "true"));
    let hook = spawn(&stage, "presync");
    wait_until("the task runs", || stage.ran() == ["before"]);
    let pid = hook.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let output = hook.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(
        last_line(&output).contains("goes on when this hook runs again"),
        "{}",
        stderr(&output)
    );
    assert_eq!(
        stage.ledger()["deliveries"][0]["attempts"][0]["outcome"],
        Value::Null
    );
    fs::write(stage.path("go"), "").unwrap();
    let output = stage.hook("presync", "op-1", "a");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn bad_input_is_an_error_that_loses_nothing() {
    // A ledger that is in use.
    let stage = Stage::new(&plan("while [ ! -e go ]; do sleep 0.02; done", "true"));
    let hook = spawn(&stage, "presync");
    wait_until("the first hook holds the ledger", || {
        stage.path("ledger.json").exists()
    });
    let output = stage.hook("presync", "op-2", "b");
    assert_eq!(output.status.code(), Some(3));
    assert!(
        last_line(&output).contains(&format!(
            "is in use by another delivery (process {})",
            hook.id()
        )),
        "{}",
        stderr(&output)
    );
    fs::write(stage.path("go"), "").unwrap();
    assert!(hook.wait_with_output().unwrap().status.success());

    // A ledger that is damaged, truncated or from the future.
    let good = fs::read_to_string(stage.path("ledger.json")).unwrap();
    for (content, expected) in [
        ("", "is damaged"),
        (&good[..good.len() / 2], "is damaged"),
        (
            "{\"version\": 7}",
            "has version 7, newer than this program reads",
        ),
    ] {
        fs::write(stage.path("ledger.json"), content).unwrap();
        let output = stage.hook("postsync", "op-1", "a");
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert!(last_line(&output).contains(expected), "{}", stderr(&output));
        assert_eq!(
            fs::read_to_string(stage.path("ledger.json")).unwrap(),
            content
        );
    }

    // A plan that is missing, broken or from the future.
    for (content, expected) in [
        (None, "plan.json cannot be read"),
        (Some("{"), "plan.json: the plan cannot be read"),
        (Some("{\"version\": 9}"), "the plan has version 9"),
    ] {
        let stage = Stage::new(&json!({}));
        match content {
            Some(content) => fs::write(stage.path("plan.json"), content).unwrap(),
            None => fs::remove_file(stage.path("plan.json")).unwrap(),
        }
        let output = stage.hook("presync", "op-1", "a");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(last_line(&output).contains(expected), "{}", stderr(&output));
        assert!(!stage.path("ledger.json").exists());
    }
}

#[test]
fn a_tracing_backend_that_is_not_there_changes_nothing() {
    let stage = Stage::new(&plan("true", "true"));
    for hook in ["presync", "postsync"] {
        let output = stage
            .command(hook, "op-1", "a")
            // Nothing listens on port 9 of loopback.
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
            .args(["--export-timeout", "1"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("kept in the ledger"),
            "{}",
            stderr(&output)
        );
    }
    // The file has everything, the backend nothing: what it did not take is still to be sent.
    let exported = &stage.ledger()["deliveries"][0]["attempts"][0]["exported"];
    assert!(exported["otlp"].is_null(), "{exported}");
    assert_eq!(stage.roots(), 1);
}

#[test]
fn a_full_disk_is_an_error_that_keeps_the_ledger() {
    let stage = Stage::new(&plan("echo before >> ran", "echo after >> ran"));
    assert_eq!(stage.hook("presync", "op-1", "a").status.code(), Some(0));
    let before = fs::read(stage.path("ledger.json")).unwrap();
    let command = stage.command("postsync", "op-1", "a");
    // No file may grow any more, and the signal that would say so is ignored: writes fail.
    let output = Command::new("bash")
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "bash"])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(stage.folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(
        last_line(&output).contains("ledger.json cannot be written: File too large"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read(stage.path("ledger.json")).unwrap(), before);
    assert!(!stage.path("ledger.new").exists());
    // There is room again.
    assert_eq!(stage.hook("postsync", "op-1", "a").status.code(), Some(0));
    assert_eq!(stage.ran(), ["before", "after", "promote"]);
    assert_eq!(stage.roots(), 1);
}

#[test]
fn a_task_that_fails_is_tried_again_as_often_as_its_definition_says() {
    let mut plan = plan("echo try >> ran; [ $(wc -l < ran) = 3 ]", "false");
    plan["taskDefinitions"]["before"]["retries"] = json!(5);
    plan["taskDefinitions"]["after"]["retries"] = json!(1);
    let stage = Stage::new(&plan);
    let before = stage.hook("presync", "op-1", "a");
    assert_eq!(before.status.code(), Some(0), "{}", stderr(&before));
    assert_eq!(stage.ran(), ["try", "try", "try"]);
    let after = stage.hook("postsync", "op-1", "a");
    assert_eq!(after.status.code(), Some(1), "{}", stderr(&after));
    assert!(
        last_line(&after).ends_with("after: the command ended with exit code 1 after 2 tries"),
        "{}",
        stderr(&after)
    );
}

/// What is written where a task runs as its supervisor's number.
fn supervisor(stage: &Stage) -> Option<String> {
    let traces = fs::read_dir(stage.path("runs")).ok()?;
    traces
        .flatten()
        .flat_map(|trace| fs::read_dir(trace.path()).into_iter().flatten())
        .flatten()
        .find_map(|run| fs::read_to_string(run.path().join("pid")).ok())
        .filter(|pid| !pid.is_empty())
}

#[test]
fn a_task_never_runs_beside_itself_though_its_supervisor_is_killed() {
    let stage = Stage::new(&plan(
        "echo $$ >> ran; while [ ! -e go ]; do sleep 0.02; done",
        "true",
    ));
    let hook = spawn(&stage, "presync");
    wait_until("the task runs", || stage.ran().len() == 1);
    let pid = supervisor(&stage).unwrap();
    let killed = Command::new("kill").args(["-KILL", &pid]).status().unwrap();
    assert!(killed.success());
    wait_until("the task runs again", || stage.ran().len() == 2);
    let first = stage.ran()[0].clone();
    wait_until("the first run is gone", || {
        !Path::new("/proc").join(&first).join("cwd").exists() || zombie(&first)
    });
    fs::write(stage.path("go"), "").unwrap();
    let output = hook.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stage.ran().len(), 2);
}
