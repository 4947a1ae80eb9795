//! A delivery with just the rights that the plugin gives the hooks.

use std::collections::BTreeSet;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use stagelink_tests::{stderr, wait_until};

use crate::application::{application, parameters};
use crate::killed::check;

/// `<verb> <resource>` of what a hook says that it has asked the API server for.
fn calls(output: &Output) -> BTreeSet<String> {
    let text = stderr(output);
    let line = text
        .lines()
        .find(|line| line.contains(" API calls: "))
        .unwrap_or_default();
    let (_, counts) = line.split_once(": ").unwrap_or_default();
    let named = counts
        .split(", ")
        .map(|count| count.rsplit_once(' ').unwrap().0.to_owned());
    named.collect()
}

/// The same of what a role allows.
fn granted(resources: &[Value]) -> BTreeSet<String> {
    let texts = |value: &Value| -> Vec<String> {
        let texts = value.as_array().unwrap().iter();
        texts
            .map(|text| text.as_str().unwrap().to_owned())
            .collect()
    };
    let roles = resources
        .iter()
        .filter(|resource| resource["kind"] == "Role");
    roles
        .flat_map(|role| role["rules"].as_array().unwrap())
        .flat_map(|rule| {
            let verbs = texts(&rule["verbs"]);
            let named = |resource: String| {
                verbs
                    .iter()
                    .map(move |verb| format!("{verb} {resource}"))
                    .collect::<Vec<_>>()
            };
            texts(&rule["resources"])
                .into_iter()
                .flat_map(named)
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_delivery_passes_with_just_the_rights_that_its_plan_needs() {
    let Some(application) = application("plugin and hooks in a cluster") else {
        return;
    };
    let start = jiff::Timestamp::now().as_second();
    let sync = application.sync(
        json!([{"name": "keptn-resources", "string": "omit"}]),
        start,
    );

    let before = sync.hook("PreSync");
    assert!(before.status.success(), "{}", stderr(&before));
    sync.apply(&["Deployment"]);
    let after = sync.hook("PostSync");
    assert!(after.status.success(), "{}", stderr(&after));
    let last = stderr(&after).lines().last().unwrap_or_default().to_owned();
    assert_eq!(last, "PostSync: pass, delivery 1 attempt 1");

    let ledger = application.ledger();
    let attempt = &ledger["deliveries"][0]["attempts"][0];
    assert_eq!(attempt["outcome"], "pass");
    assert_eq!(
        attempt["operation"]["name"],
        format!("{}-{start}", &application.revision[..7])
    );
    let started: jiff::Timestamp = attempt["startedAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(started.as_second(), start);
    let deployed = &attempt["workloads"][0]["phases"].as_array().unwrap();
    let deployed = deployed
        .iter()
        .find(|phase| phase["phase"] == "WorkloadDeploy")
        .unwrap();
    assert!(
        deployed["startedAt"].as_str() < deployed["endedAt"].as_str(),
        "{deployed}"
    );

    // Jobs of tasks go with the hook's.
    let jobs: Value =
        serde_json::from_str(&application.kubectl(&["get", "jobs", "-o", "json"], None)).unwrap();
    let jobs = jobs["items"].as_array().unwrap();
    let owned = |job: &&Value| job["metadata"]["ownerReferences"].is_array();
    assert_eq!((jobs.len(), jobs.iter().filter(owned).count()), (4, 2));
    for job in jobs.iter().filter(|job| !owned(job)) {
        let name = job["metadata"]["name"].as_str().unwrap();
        application.kubectl(&["delete", "job", name], None);
    }
    wait_until("the tasks' Jobs are gone", || {
        application
            .kubectl(&["get", "jobs", "-o", "name"], None)
            .is_empty()
    });

    // The same again is known, and costs a look at the ledger, and one at what it deployed.
    let again = application.sync(
        json!([{"name": "keptn-resources", "string": "omit"}]),
        start + 60,
    );
    let known = again.hook("PreSync");
    assert!(stderr(&known).contains("PreSync: pass, delivery 1 attempt 1 had already passed"));
    let looks = ["get configmaps", "get deployments"].map(str::to_owned);
    assert_eq!(calls(&known), BTreeSet::from(looks));

    // What the hooks did is what they may do, but for what only troubles need.
    let mut unused = granted(&sync.resources);
    for call in calls(&before).union(&calls(&after)) {
        assert!(
            unused.remove(call),
            "{call} is not allowed, and yet was done"
        );
    }
    // On a busy machine a task is slow to begin, so that its events are looked at, and the workload is healthy
    // before the hook looks, so that it is not watched. A proposal that is only a branch has no link to show.
    let by_chance = ["list events", "watch events", "watch deployments"];
    let unused: Vec<&str> = unused
        .iter()
        .map(String::as_str)
        .filter(|call| !by_chance.contains(call))
        .collect();
    assert_eq!(
        unused,
        [
            "create configmaps",
            "delete jobs",
            "get jobs",
            "get pods/log",
            "get secrets",
            "patch jobs",
        ]
    );
    for (verb, what) in [
        ("get", "configmap/other"),
        ("list", "configmaps"),
        ("update", "configmap/shop-dev-stagelink-ledger"),
        ("delete", "configmap/shop-dev-stagelink-ledger"),
        ("get", "secret/other"),
        ("list", "secrets"),
        ("get", "deployment/other"),
        ("list", "deployments"),
        ("patch", "deployment/web"),
        ("create", "pods"),
        ("create", "pods/exec"),
        ("delete", "pods"),
        ("update", "jobs"),
        ("get", "events"),
        ("patch", "events"),
        ("delete", "events"),
        ("get", "roles"),
        ("impersonate", "users"),
        ("get", "nodes"),
        ("create", "serviceaccounts/token"),
    ] {
        assert!(!application.may(verb, what), "{verb} {what}");
    }
    for (verb, what) in [
        ("get", "secret/token"),
        ("get", "deployment/web"),
        ("list", "pods"),
    ] {
        assert!(application.may(verb, what), "{verb} {what}");
    }
}

#[test]
fn a_delivery_passes_without_the_right_to_tell_of_it() {
    let Some(application) = application("hooks that may not write events") else {
        return;
    };
    let sync = application.sync(
        json!([{"name": "keptn-resources", "string": "omit"}]),
        jiff::Timestamp::now().as_second(),
    );
    assert!(application.may("create", "events"));
    let role = application.get("role", "shop-dev-stagelink");
    let rules = role["rules"].as_array().unwrap();
    let is_told = |rule: &&Value| rule["resources"] == json!(["events"]);
    let index = rules.iter().position(|rule| is_told(&rule)).unwrap();
    let patch = json!([{"op": "remove", "path": format!("/rules/{index}")}]).to_string();
    let patch = [
        "patch",
        "role",
        "shop-dev-stagelink",
        "--type=json",
        "-p",
        &patch,
    ];
    application.kubectl(&patch, None);
    wait_until("the hooks may not write events any more", || {
        !application.may("create", "events")
    });

    let before = sync.hook("PreSync");
    assert!(before.status.success(), "{}", stderr(&before));
    let text = stderr(&before);
    let warnings: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("warning: "))
        .collect();
    assert_eq!(warnings.len(), 1, "{text}");
    let why = "warning: 3 of 3 events were not written: events is forbidden: ";
    assert!(warnings[0].starts_with(why), "{text}");
    // It asked once.
    assert!(text.contains(" create events 1,"), "{text}");
}

#[test]
fn what_fails_is_said_in_the_last_line() {
    let Some(application) = application("failing deliveries in a cluster") else {
        return;
    };
    let start = jiff::Timestamp::now().as_second();
    let set = |name: &str, value: &str| json!({"name": name, "string": value});
    let values =
        |text: &str| json!([set("keptn-resources", "omit"), {"name": "values", "string": text}]);

    // A task fails: its log is told, and no secret in it.
    let sync = application.sync(
        values("tasks: {check: [/probe, die, '3', no database]}"),
        start,
    );
    let failed = sync.hook("PreSync");
    assert_eq!(failed.status.code(), Some(1), "{}", stderr(&failed));
    let text = stderr(&failed);
    let last = text.lines().last().unwrap().to_owned();
    assert!(
        last.starts_with("PreSync: fail, delivery 1 attempt 1: check: "),
        "{last}"
    );
    let closed = sync.hook("SyncFail");
    assert_eq!(closed.status.code(), Some(1), "{}", stderr(&closed));
    let events = application.kubectl(&["get", "events", "-o", "json"], None);
    assert!(events.contains("ReconcileTaskFailed"), "{events}");
    for told in [text, application.ledger().to_string(), events] {
        assert!(!told.contains("s3cret"), "{told}");
    }

    // Something else failed the sync, and nothing was applied.
    let sync = application.sync(values("{}"), start + 30);
    assert!(sync.hook("PreSync").status.success());
    let closed = sync.hook("SyncFail");
    let text = stderr(&closed);
    assert_eq!(closed.status.code(), Some(1), "{text}");
    assert_eq!(
        text.lines().last().unwrap(),
        "SyncFail: error, delivery 2 attempt 1: the sync failed; the Application's operation says why. \
         Deployment web was not deployed yet: it is not there"
    );

    // The image is not there: SyncFail says what Argo CD does not.
    let sync = application.sync(values("image: rig.local/absent:1"), start + 60);
    assert!(sync.hook("PreSync").status.success());
    sync.apply(&["Deployment"]);
    wait_until("the pod says that its image is not there", || {
        application
            .kubectl(&["get", "pods", "-l", "app=web", "-o", "json"], None)
            .contains("ErrImageNeverPull")
    });
    let closed = sync.hook("SyncFail");
    let text = stderr(&closed);
    let last = text.lines().last().unwrap();
    assert_eq!(closed.status.code(), Some(1), "{text}");
    assert!(
        last.starts_with("SyncFail: fail, delivery 3 attempt 1: Deployment web was not deployed: ")
            && last.contains("container main: ErrImageNeverPull"),
        "{last}"
    );
    let summary =
        application.get("configmap", "shop-dev-stagelink-ledger")["data"]["summary"].clone();
    let lines: Vec<&str> = summary.as_str().unwrap().lines().collect();
    assert!(
        lines[0].starts_with("3.1 fail ")
            && lines[1].starts_with("2.1 error ")
            && lines[2].starts_with("1.1 fail "),
        "{lines:?}"
    );
}

#[test]
fn rights_that_are_taken_away_midway_cost_nothing_but_time() {
    let Some(application) = application("hooks whose rights are taken away") else {
        return;
    };
    let mut parameters = parameters();
    let slow = "tasks: {check: [/probe, sleep, 6s], smoke: [/probe, sleep, 6s]}";
    let values = json!({"name": "values", "string": slow});
    parameters.as_array_mut().unwrap().push(values);
    let sync = application.sync(parameters, jiff::Timestamp::now().as_second());
    let binding = application.get("rolebinding", "shop-dev-stagelink");
    for (hook, task) in [("PreSync", "check"), ("PostSync", "smoke")] {
        if hook == "PostSync" {
            sync.apply(&["Deployment"]);
        }
        // While its task runs.
        let mut command = sync.hook_command(hook, &application.hooks_kubeconfig());
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        wait_until("the task runs", || {
            let running = ["get", "pods", "--field-selector=status.phase=Running"];
            let pods = application.kubectl(&[&running[..], &["-o", "name"]].concat(), None);
            pods.contains(&format!("-{task}-"))
        });
        application.kubectl(&["delete", "rolebinding", "shop-dev-stagelink"], None);
        // What cannot be written is no verdict, and the reason says what is missing.
        let denied = child.wait_with_output().unwrap();
        let text = stderr(&denied);
        assert_eq!(denied.status.code(), Some(3), "{text}");
        let ledger = "configmaps \"shop-dev-stagelink-ledger\" is forbidden";
        assert!(text.contains(ledger), "{text}");
        let denied = sync.hook(hook);
        let text = stderr(&denied);
        assert_eq!(denied.status.code(), Some(3), "{text}");
        assert!(
            text.contains(&format!("cannot be read: {ledger}")),
            "{text}"
        );

        application.kubectl(&["apply", "-f", "-"], Some(&binding.to_string()));
        wait_until("the hooks have their rights again", || {
            application.may("patch", "configmap/shop-dev-stagelink-ledger")
        });
        let output = sync.hook(hook);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    check(&application, &"rights taken away");
}
