use stagelink_delivery::CheckType;
use stagelink_delivery::ports::KeptnContext;
use stagelink_plan::Plan;

use super::*;

const TRACE: &str = "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01";
const CONTEXT: &str = r#"{"workloadName":"","appName":"podtato-head","appVersion":"1.0.0","workloadVersion":"","taskType":"pre","objectType":"App","metadata":{"commit-id":"1234"}}"#;

fn plan() -> Plan {
    let digest = format!("sha256:{}", "0".repeat(64));
    serde_json::from_value(json!({
        "version": 1, "app": "podtato-head", "appVersion": "1.0.0", "stage": "dev",
        "application": "dev", "namespace": "podtato", "digest": digest,
    }))
    .unwrap()
}

fn app_context() -> KeptnContext {
    serde_json::from_str(CONTEXT).unwrap()
}

/// The Job of a definition, with what the definition is labelled with.
fn job_of(definition: Value, metadata: Value, context: KeptnContext) -> Value {
    let plan = plan();
    let reports = BTreeMap::new();
    let definition: TaskDefinitionSpec = serde_json::from_value(definition).unwrap();
    let task = task(&plan, "pre-check-12345", context, &reports);
    let function = definition.resolve_function("check", |_| None).unwrap();
    let program = match (&definition.container, &function) {
        (Some(container), _) => Program::Container(container),
        (None, Some(function)) => Program::Function {
            function,
            image: "runtime:1",
        },
        _ => panic!("neither container nor function"),
    };
    let owners: Vec<OwnerReference> = serde_json::from_value(json!([
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "ledger", "uid": "1-2"},
    ]))
    .unwrap();
    job(&JobParts {
        task: &task,
        definition: &definition,
        metadata: &DefinitionMetadata::of(&metadata),
        program,
        namespace: "podtato",
        owners: &owners,
    })
    .unwrap()
}

fn task<'a>(
    plan: &'a Plan,
    name: &'a str,
    context: KeptnContext,
    reports: &'a BTreeMap<String, stagelink_delivery::ledger::ItemReport>,
) -> TaskRequest<'a> {
    TaskRequest {
        plan,
        name,
        definition_name: "check",
        definition: None,
        delivery: 1,
        attempt: 1,
        begun_before: None,
        check_type: CheckType::Pre,
        context,
        trace_parent: TRACE.parse().unwrap(),
        reports,
    }
}

#[test]
fn a_containers_job_is_keptns() {
    let definition = json!({
        "container": {
            "name": "testy-test", "image": "busybox:1.37.0", "command": ["sh", "-c", "sleep 30"],
            "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            "resources": {"limits": {"memory": "64Mi"}},
            "securityContext": {"runAsNonRoot": true},
            "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}, {"name": "other", "mountPath": "/o"}],
        },
        "retries": 3, "timeout": "1m30s", "ttlSecondsAfterFinished": 100,
        "serviceAccount": {"name": "checker"}, "automountServiceAccountToken": {"type": false},
        "imagePullSecrets": [{"name": "my-registry-secret"}],
    });
    let metadata = json!({
        "labels": {"team": "shop"},
        "annotations": {"container": "test", "keptn.sh/app": "overwritten"},
    });
    let context = KeptnContext {
        workload_name: "waiter-waiter".to_owned(),
        app_name: "waiter".to_owned(),
        workload_version: "0.4".to_owned(),
        task_type: "pre".to_owned(),
        object_type: "Workload".to_owned(),
        ..KeptnContext::default()
    };
    let keptn_context = r#"{"workloadName":"waiter-waiter","appName":"waiter","appVersion":"","workloadVersion":"0.4","taskType":"pre","objectType":"Workload"}"#;
    assert_eq!(
        job_of(definition, metadata, context),
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": "pre-check-12345-21790",
                "namespace": "podtato",
                "labels": {"team": "shop"},
                "annotations": {
                    "container": "test",
                    "keptn.sh/app": "waiter",
                    "keptn.sh/workload": "waiter-waiter",
                    "keptn.sh/version": "0.4",
                    "keptn.sh/task-name": "pre-check-12345",
                    "traceparent": TRACE,
                },
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "ConfigMap", "name": "ledger", "uid": "1-2"},
                ],
            },
            "spec": {
                "backoffLimit": 3,
                "activeDeadlineSeconds": 90,
                "ttlSecondsAfterFinished": 100,
                "template": {
                    "metadata": {
                        "labels": {"team": "shop"},
                        "annotations": {"container": "test", "keptn.sh/app": "overwritten"},
                    },
                    "spec": {
                        "restartPolicy": "OnFailure",
                        "serviceAccountName": "checker",
                        "automountServiceAccountToken": false,
                        "imagePullSecrets": [{"name": "my-registry-secret"}],
                        "containers": [{
                            "name": "testy-test", "image": "busybox:1.37.0",
                            "command": ["sh", "-c", "sleep 30"],
                            "env": [
                                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                                {"name": "KEPTN_CONTEXT", "value": keptn_context},
                                {"name": "TRACEPARENT", "value": TRACE},
                            ],
                            "resources": {"limits": {"memory": "64Mi"}},
                            "securityContext": {"runAsNonRoot": true},
                            "volumeMounts": [
                                {"name": "scratch", "mountPath": "/scratch"},
                                {"name": "other", "mountPath": "/o"},
                            ],
                        }],
                        "volumes": [
                            {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
                        ],
                    },
                },
            },
        })
    );
}

#[test]
fn a_functions_job_is_keptns() {
    let path = "/var/data/function.ts";
    let expected = |script: &str, mounts: Value, volumes: Value| {
        let mut pod = json!({
            "restartPolicy": "OnFailure",
            "containers": [{
                "name": "keptn-function-runner",
                "image": "runtime:1",
                "imagePullPolicy": "IfNotPresent",
                "env": [
                    {"name": "KEPTN_CONTEXT", "value": CONTEXT},
                    {"name": "CMD_ARGS", "value": ""},
                    {"name": "SCRIPT", "value": script},
                    {"name": "TRACEPARENT", "value": TRACE},
                ],
            }],
        });
        if !mounts.is_null() {
            pod["containers"][0]["volumeMounts"] = mounts;
            pod["volumes"] = volumes;
        }
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": "pre-check-12345-21790",
                "namespace": "podtato",
                "annotations": {
                    "keptn.sh/app": "podtato-head",
                    "keptn.sh/version": "1.0.0",
                    "keptn.sh/task-name": "pre-check-12345",
                    "traceparent": TRACE,
                },
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "ConfigMap", "name": "ledger", "uid": "1-2"},
                ],
            },
            "spec": {
                "backoffLimit": 10,
                "activeDeadlineSeconds": 300,
                "ttlSecondsAfterFinished": 300,
                "template": {"spec": pod},
            },
        })
    };
    let mount = |path: &str| json!([{"name": "function-mount", "readOnly": true, "mountPath": path, "subPath": "code"}]);
    let volume = |map: &str| json!([{"name": "function-mount", "configMap": {"name": map}}]);
    let python = "/var/data/function.py";
    for (definition, expected) in [
        (
            json!({"deno": {"inline": {"code": "1"}}}),
            expected(path, mount(path), volume("pre-check-12345-21790")),
        ),
        (
            json!({"function": {"configMapRef": {"name": "code"}}}),
            expected(path, mount(path), volume("code")),
        ),
        (
            json!({"python": {"configMapRef": {"name": "code"}}}),
            expected(python, mount(python), volume("code")),
        ),
        (
            json!({"deno": {"httpRef": {"url": "https://example.com/f.ts"}}}),
            expected("https://example.com/f.ts", Value::Null, Value::Null),
        ),
    ] {
        assert_eq!(job_of(definition, json!({}), app_context()), expected);
    }
}

#[test]
fn retries_timeouts_and_volumes_without_a_number() {
    for (fields, policy, deadline) in [
        (json!({}), "OnFailure", json!(300)),
        (json!({"retries": 0}), "Never", json!(300)),
        (
            json!({"retries": 1, "timeout": "0"}),
            "OnFailure",
            Value::Null,
        ),
        (json!({"timeout": "1500ms"}), "OnFailure", json!(1)),
        (json!({"timeout": "1ms"}), "OnFailure", json!(1)),
    ] {
        let mut definition = fields;
        definition["container"] =
            json!({"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/v"}]});
        let job = job_of(definition, json!({}), app_context());
        let spec = &job["spec"];
        assert_eq!(spec["template"]["spec"]["restartPolicy"], policy);
        assert_eq!(spec["activeDeadlineSeconds"], deadline);
        assert_eq!(
            spec["template"]["spec"]["volumes"],
            json!([{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}])
        );
    }
}

#[test]
fn a_name_fits_and_is_the_attempts_own() {
    let plan = plan();
    let reports = BTreeMap::new();
    let name = |name: &str, trace: &str| {
        let mut request = task(&plan, name, app_context(), &reports);
        request.trace_parent = trace.parse().unwrap();
        job_name(&request)
    };
    assert_eq!(name("pre-check-12345", TRACE), "pre-check-12345-21790");
    // Another phase of the same attempt, then another attempt.
    let span = "00-c088f5c586bab8649159ccc39a9862f7-1111111111111111-01";
    assert_eq!(
        name("pre-check-12345", span),
        name("pre-check-12345", TRACE)
    );
    let attempt = "00-11111111111111111111111111111111-f862289833f1fba3-01";
    assert_ne!(
        name("pre-check-12345", attempt),
        name("pre-check-12345", TRACE)
    );

    let long = |last: &str| format!("pre-{}{last}-12345", "a".repeat(60));
    let (one, two) = (name(&long("x"), TRACE), name(&long("y"), TRACE));
    assert_ne!(one, two);
    assert_eq!(one.len(), LONGEST_NAME);
    assert!(
        one.starts_with("pre-aaa") && one.contains("-12345-"),
        "{one}"
    );
    assert_eq!(name(&"a".repeat(57), TRACE).len(), LONGEST_NAME);
    let dotted = name(&format!("pre-{}....-12345", "a".repeat(50)), TRACE);
    assert!(
        dotted.len() <= LONGEST_NAME && !dotted.contains(".-"),
        "{dotted}"
    );
}

#[test]
fn code_belongs_to_its_job() {
    assert_eq!(
        code_config_map("job-1", "shop", "1-2", "print(1)"),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "job-1",
                "namespace": "shop",
                "labels": {"app.kubernetes.io/managed-by": "stagelink"},
                "ownerReferences": [
                    {"apiVersion": "batch/v1", "kind": "Job", "name": "job-1", "uid": "1-2"},
                ],
            },
            "immutable": true,
            "data": {"code": "print(1)"},
        })
    );
}
