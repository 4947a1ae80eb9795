use super::*;
use serde_json::json;

fn settings() -> PlanSettings {
    PlanSettings {
        application: "demo-dev".to_owned(),
        stage: "dev".to_owned(),
        namespace: "simple-go".to_owned(),
        revision: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
        source: Source::default(),
        digest: ContentDigest::of([b"x".as_slice()]),
        trace_parent: None,
        block_deployment: None,
        observability_timeout: None,
    }
}

pub(super) fn built(resources: &[Value]) -> BuiltPlan {
    built_with(resources, &settings())
}

fn built_with(resources: &[Value], settings: &PlanSettings) -> BuiltPlan {
    let sources: Vec<String> = (1..=resources.len()).map(|n| format!("{n}.yaml")).collect();
    let manifests: Vec<Manifest<'_>> = resources
        .iter()
        .zip(&sources)
        .map(|(resource, source)| Manifest { source, resource })
        .collect();
    build(&manifests, settings)
}

fn messages(built: &BuiltPlan) -> Vec<String> {
    built
        .findings
        .iter()
        .map(|finding| format!("{}: {finding}", finding.severity))
        .collect()
}

fn keptn(kind: &str, name: &str, spec: Value) -> Value {
    let group = match kind {
        "KeptnMetric" | "KeptnMetricsProvider" => "metrics.keptn.sh",
        "KeptnConfig" => "options.keptn.sh",
        _ => "lifecycle.keptn.sh",
    };
    json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn deployment(name: &str, pod: Value, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"template": {"metadata": pod, "spec": {"containers": [{"name": "c", "image": image}]}}}
    })
}

const LINK: &str = "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01";

#[test]
fn a_whole_app_becomes_a_plan() {
    let built = built(&[
        keptn(
            "KeptnAppContext",
            "simple-go",
            json!({
                "preDeploymentTasks": ["wait"], "postDeploymentEvaluations": ["fast"], "promotionTasks": ["promote"],
                "metadata": {"commitID": "abc", "team": "a"}, "spanLinks": [LINK]
            }),
        ),
        keptn(
            "KeptnTaskDefinition",
            "wait",
            json!({"container": {"name": "w", "image": "i"}}),
        ),
        keptn(
            "KeptnTaskDefinition",
            "promote",
            json!({"deno": {"inline": {"code": "1"}}}),
        ),
        keptn(
            "KeptnEvaluationDefinition",
            "fast",
            json!({"objectives": [{"keptnMetricRef": {"name": "m"}, "evaluationTarget": "<1"}]}),
        ),
        keptn(
            "KeptnMetric",
            "m",
            json!({"provider": {"name": "p"}, "query": "up"}),
        ),
        keptn(
            "KeptnMetricsProvider",
            "p",
            json!({"type": "prometheus", "targetServer": "http://p"}),
        ),
        deployment(
            "one",
            json!({"labels": {"app.kubernetes.io/name": "One", "app.kubernetes.io/part-of": "simple_go", "app.kubernetes.io/version": "V1"},
                   "annotations": {"keptn.sh/post-deployment-tasks": "wait, wait", "keptn.sh/metadata": "a=b,c=d=e,f"}}),
            "x:9",
        ),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"SECURE_DATA": "hunter2"}}),
    ]);
    assert_eq!(
        messages(&built),
        ["warning: 7.yaml: Deployment/one: it belongs to the app \"simple-go\" and is not"; 0]
    );
    let plan = &built.plan;
    assert_eq!(
        (
            plan.app.as_str(),
            plan.app_version.as_str(),
            plan.stage.as_str()
        ),
        ("simple-go", "v1", "dev")
    );
    assert_eq!(plan.metadata["commitID"], "abc");
    assert_eq!(plan.links[0].to_string(), LINK);
    assert_eq!(plan.phases.promotion_tasks, ["promote"]);
    assert_eq!(plan.task_definitions.len(), 2);
    assert!(
        plan.metrics.contains_key("simple-go/m")
            && plan.metrics_providers.contains_key("simple-go/p")
    );
    let workload = &plan.workloads[0];
    assert_eq!(
        (
            workload.name.as_str(),
            workload.version.as_str(),
            workload.resource.as_str()
        ),
        ("one", "v1", "one")
    );
    assert_eq!(workload.phases.post_deployment_tasks, ["wait", "wait"]);
    assert_eq!(
        workload.metadata.iter().collect::<Vec<_>>(),
        [(&"a".to_owned(), &"b".to_owned())]
    );
    let json = plan.to_json().unwrap();
    assert!(
        !json.contains("hunter2"),
        "a secret must not enter the plan"
    );
    assert_eq!(&Plan::from_json(&json).unwrap(), plan);
}

#[test]
fn annotations_of_keptn_beat_labels_and_the_common_names() {
    let annotations = json!({"keptn.sh/workload": "a", "keptn.sh/version": "1"});
    let labels = json!({"keptn.sh/workload": "b", "keptn.sh/version": "2"});
    let common = json!({"app.kubernetes.io/name": "c", "app.kubernetes.io/version": "3"});
    for (pod, owner, expected) in [
        (
            json!({"annotations": annotations, "labels": labels}),
            json!({}),
            ("a", "1"),
        ),
        (
            json!({"annotations": common, "labels": labels}),
            json!({}),
            ("b", "2"),
        ),
        (
            json!({"annotations": common}),
            json!({"annotations": annotations}),
            ("c", "3"),
        ),
        (
            json!({"labels": {"x": "y"}}),
            json!({"labels": common}),
            ("c", "3"),
        ),
        (
            json!({"labels": {"keptn.sh/workload": ""}}),
            json!({}),
            ("name", "tag"),
        ),
    ] {
        let mut resource = deployment("name", pod, "image:tag");
        for (key, value) in owner.as_object().unwrap() {
            resource["metadata"][key] = value.clone();
        }
        let plan = built(&[resource]).plan;
        let workload = &plan.workloads[0];
        assert_eq!(
            (workload.name.as_str(), workload.version.as_str()),
            expected
        );
    }
}

#[test]
fn without_a_context_the_app_is_what_the_labels_say_else_the_application() {
    let part_of = |app: &str, name: &str| {
        deployment(
            name,
            json!({"labels": {"app.kubernetes.io/part-of": app, "app.kubernetes.io/name": name}}),
            "i:1",
        )
    };
    let plan = built(&[part_of("shop", "a"), part_of("shop", "b")]).plan;
    assert_eq!((plan.app.as_str(), plan.workloads.len()), ("shop", 2));
    assert_eq!(plan.metadata["commitID"], settings().revision.unwrap());
    assert!(plan.starts_at_sync());
    // sha256 of "shop-a-1shop-b-1"
    assert_eq!(plan.app_version.len(), 10);
    let plan = built(&[part_of("shop", "a"), part_of("bank", "b")]).plan;
    assert_eq!((plan.app.as_str(), plan.workloads.len()), ("demo-dev", 2));
    assert_eq!(built(&[]).plan.app, "demo-dev");
}

#[test]
fn the_app_version_is_independent_of_the_order() {
    let one = deployment("a", json!({}), "i:1");
    let two = deployment("b", json!({}), "i:2");
    assert_eq!(
        built(&[one.clone(), two.clone()]).plan.app_version,
        built(&[two, one]).plan.app_version
    );
}

#[test]
fn a_keptn_app_states_version_and_in_its_older_shape_the_phases() {
    let plan = built(&[
        keptn(
            "KeptnApp",
            "shop",
            json!({"version": "1.2", "preDeploymentTasks": ["t"], "workloads": []}),
        ),
        keptn(
            "KeptnTaskDefinition",
            "t",
            json!({"function": {"inline": {"code": "1"}}}),
        ),
    ])
    .plan;
    assert_eq!(
        (plan.app.as_str(), plan.app_version.as_str()),
        ("shop", "1.2")
    );
    assert_eq!(plan.phases.pre_deployment_tasks, ["t"]);
}

#[test]
fn two_contexts_are_an_error_that_names_both() {
    let found = built(&[
        keptn("KeptnAppContext", "a", json!({})),
        keptn("KeptnAppContext", "b", json!({})),
    ]);
    assert_eq!(
        messages(&found),
        [
            "error: 2.yaml: KeptnAppContext/b: there are two of this kind, KeptnAppContext/a in 1.yaml and \
          KeptnAppContext/b in 2.yaml, but a stage delivers one app; keep one of them, or make an Application for each"
        ]
    );
}

#[test]
fn what_is_named_but_not_there_is_reported_with_what_is_like_it() {
    let found = built(&[
        keptn(
            "KeptnAppContext",
            "a",
            json!({"preDeploymentTasks": ["wiat"], "postDeploymentEvaluations": ["slow"]}),
        ),
        keptn(
            "KeptnTaskDefinition",
            "wait",
            json!({"container": {"name": "w"}}),
        ),
        keptn(
            "KeptnTaskDefinition",
            "child",
            json!({"deno": {"functionRef": {"name": "parent"}}}),
        ),
        keptn(
            "KeptnEvaluationDefinition",
            "e",
            json!({"objectives": [{"keptnMetricRef": {"name": "m", "namespace": "n"}, "evaluationTarget": "<1"}]}),
        ),
        keptn(
            "KeptnMetric",
            "x",
            json!({"provider": {"name": "p"}, "query": "up"}),
        ),
        deployment(
            "d",
            json!({"annotations": {"keptn.sh/pre-deployment-evaluations": "e2"}}),
            "i:1",
        ),
    ]);
    assert_eq!(
        messages(&found),
        [
            "unresolved: 1.yaml: KeptnAppContext/a spec.preDeploymentTasks: names the KeptnTaskDefinition \"wiat\", which the chart does not have; did you mean \"wait\"?",
            "unresolved: 1.yaml: KeptnAppContext/a spec.postDeploymentEvaluations: names the KeptnEvaluationDefinition \"slow\", which the chart does not have; add a KeptnEvaluationDefinition \"slow\" to the chart, unless the namespace \"simple-go\" or Keptn's own has it",
            "unresolved: 6.yaml: Deployment/d keptn.sh/pre-deployment-evaluations: names the KeptnEvaluationDefinition \"e2\", which the chart does not have; did you mean \"e\"?",
            "unresolved: 1.yaml: KeptnTaskDefinition/child: task definition \"child\" refers to the function of \"parent\", which is not there; add a KeptnTaskDefinition \"parent\" or correct functionRef.name",
            "unresolved: 1.yaml: KeptnEvaluationDefinition/e spec.objectives[0].keptnMetricRef: names the KeptnMetric \"n/m\", which the chart does not have; add it to the chart, unless the cluster has it",
            "unresolved: 1.yaml: KeptnMetric/x spec.provider.name: names the KeptnMetricsProvider \"simple-go/p\", which the chart does not have; add it to the chart, unless the cluster has it",
        ]
    );
}

#[test]
fn what_cannot_work_is_an_error() {
    for (resource, part) in [
        (
            keptn(
                "KeptnEvaluationDefinition",
                "e",
                json!({"objectives": [{"keptnMetricRef": {"name": "m"}, "evaluationTarget": ">=5"}]}),
            ),
            "1.yaml: KeptnEvaluationDefinition/e spec.objectives[0].evaluationTarget: the target \">=5\" is not supported",
        ),
        (
            keptn("KeptnTaskDefinition", "t", json!({})),
            "Either Container, Python, or Deno field must be defined",
        ),
        (
            keptn(
                "KeptnTaskDefinition",
                "t",
                json!({"deno": {}, "container": {}}),
            ),
            "Only one of Container, Python, or Deno field can be defined",
        ),
        (
            keptn(
                "KeptnTaskDefinition",
                "t",
                json!({"deno": {"functionRef": {"name": "t"}}}),
            ),
            "leads round in a circle",
        ),
        (
            keptn(
                "KeptnTaskDefinition",
                "t",
                json!({"container": {"name": "c"}, "timeout": "5 minutes"}),
            ),
            "it cannot be read: \"5 minutes\" is not a duration",
        ),
        (
            keptn("KeptnAppContext", "a", json!({"preDeploymentTasks": "one"})),
            "it cannot be read",
        ),
    ] {
        let found = built(&[resource]);
        let errors: Vec<String> = found
            .findings
            .iter()
            .filter(|finding| finding.is_error())
            .map(ToString::to_string)
            .collect();
        assert!(
            errors.iter().any(|error| error.contains(part)),
            "{errors:?}"
        );
    }
}

#[test]
fn broken_and_empty_links_are_left_out_and_the_injected_one_comes_once() {
    let mut settings = settings();
    settings.trace_parent = Some(LINK.parse().unwrap());
    let found = built_with(
        &[keptn(
            "KeptnAppContext",
            "a",
            json!({"spanLinks": [null, "", "<no value>", LINK, LINK]}),
        )],
        &settings,
    );
    assert_eq!(found.plan.links.len(), 1);
    assert_eq!(found.findings.len(), 2);
    assert!(
        found
            .findings
            .iter()
            .all(|finding| finding.severity == Severity::Warning)
    );
}

#[test]
fn workloads_that_share_a_name_go_by_their_resources() {
    let same = |name: &str, kind: &str| {
        let mut value = deployment(
            name,
            json!({"labels": {"app.kubernetes.io/name": "redis"}}),
            "i:1",
        );
        value["kind"] = json!(kind);
        value
    };
    let plan = built(&[
        same("redis-master", "Deployment"),
        same("redis-replica", "StatefulSet"),
        same("redis-replica", "DaemonSet"),
    ])
    .plan;
    let names: Vec<&str> = plan
        .workloads
        .iter()
        .map(|workload| workload.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "redis-master",
            "redis-replica",
            "redis-replica-daemonset-simple-go"
        ]
    );
}

#[test]
fn a_workload_of_another_app_is_left_out_and_said() {
    let found = built(&[
        keptn("KeptnAppContext", "a", json!({})),
        deployment(
            "d",
            json!({"labels": {"app.kubernetes.io/name": "d", "app.kubernetes.io/part-of": "b"}}),
            "i:1",
        ),
        deployment(
            "e",
            json!({"labels": {"app.kubernetes.io/name": "e"}}),
            "i:1",
        ),
    ]);
    assert_eq!(found.plan.workloads.len(), 1);
    assert_eq!(found.findings.len(), 1);
}

#[test]
fn beside_labelled_workloads_the_others_are_not_keptns() {
    let labelled = deployment(
        "a",
        json!({"labels": {"app.kubernetes.io/name": "a"}}),
        "i:1",
    );
    let plain = deployment("b", json!({}), "i:2");
    let context = keptn("KeptnAppContext", "a", json!({}));
    let names = |resources: &[Value]| -> Vec<String> {
        let workloads = built(resources).plan.workloads;
        workloads
            .into_iter()
            .map(|workload| workload.name)
            .collect()
    };
    assert_eq!(
        names(&[context.clone(), labelled.clone(), plain.clone()]),
        ["a"]
    );
    assert_eq!(names(&[context, plain.clone()]), ["b"]);
    assert_eq!(names(&[labelled, plain]), ["a", "b"]);
}

#[test]
fn the_app_lives_where_its_context_does() {
    let elsewhere = |mut resource: Value| {
        resource["metadata"]["namespace"] = json!("shop-prod");
        resource
    };
    let found = built(&[
        elsewhere(keptn(
            "KeptnAppContext",
            "a",
            json!({"postDeploymentEvaluations": ["e"]}),
        )),
        elsewhere(keptn(
            "KeptnEvaluationDefinition",
            "e",
            json!({"objectives": [{"keptnMetricRef": {"name": "m"}, "evaluationTarget": "<1"}]}),
        )),
        elsewhere(keptn(
            "KeptnMetric",
            "m",
            json!({"provider": {"name": "p"}, "query": "up"}),
        )),
        elsewhere(keptn(
            "KeptnMetricsProvider",
            "p",
            json!({"type": "prometheus"}),
        )),
    ]);
    assert_eq!(messages(&found), Vec::<String>::new());
    assert_eq!(found.plan.namespace, "shop-prod");
}

#[test]
fn lists_are_looked_into_and_hooks_and_jobs_are_no_workloads() {
    let mut hook = deployment("h", json!({}), "i:1");
    hook["metadata"]["annotations"] = json!({"helm.sh/hook": "pre-install"});
    let found = built(&[
        json!({"apiVersion": "v1", "kind": "List", "items": [deployment("d", json!({}), "i:1"), hook]}),
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}}),
        json!(null),
        json!("text"),
        json!([1]),
    ]);
    assert_eq!(found.plan.workloads.len(), 1);
}

#[test]
fn a_keptn_config_in_the_chart_counts_unless_a_parameter_says_else() {
    let config = keptn(
        "KeptnConfig",
        "c",
        json!({"blockDeployment": false, "observabilityTimeout": "10m"}),
    );
    let plan = built(std::slice::from_ref(&config)).plan;
    assert!(!plan.block_deployment && plan.observability_timeout == Duration::from_secs(600));
    let mut settings = settings();
    settings.block_deployment = Some(true);
    settings.observability_timeout = Some(Duration::from_secs(7));
    let plan = built_with(&[config], &settings).plan;
    assert!(plan.block_deployment && plan.observability_timeout == Duration::from_secs(7));
}

#[test]
fn labels_and_annotations_of_task_definitions_are_kept() {
    let mut labelled = keptn(
        "KeptnTaskDefinition",
        "t",
        json!({"container": {"name": "c"}}),
    );
    labelled["metadata"]["labels"] = json!({"team": "shop", "argocd.argoproj.io/instance": "shop"});
    labelled["metadata"]["annotations"] = json!({
        "container": "test", "number": 1, "helm.sh/hook": "pre-install",
        "argocd.argoproj.io/hook": "PreSync", "kubectl.kubernetes.io/last-applied-configuration": "{}",
    });
    let plain = keptn(
        "KeptnTaskDefinition",
        "u",
        json!({"container": {"name": "c"}}),
    );
    let plan = built(&[labelled, plain]).plan;
    assert_eq!(
        serde_json::to_value(&plan.task_metadata).unwrap(),
        json!({"t": {"labels": {"team": "shop"}, "annotations": {"container": "test"}}})
    );
}

#[test]
fn definitions_at_home_come_before_those_elsewhere() {
    let mut far = keptn(
        "KeptnTaskDefinition",
        "t",
        json!({"container": {"name": "far"}}),
    );
    far["metadata"]["namespace"] = json!("keptn-system");
    let near = keptn(
        "KeptnTaskDefinition",
        "t",
        json!({"container": {"name": "near"}}),
    );
    for order in [[far.clone(), near.clone()], [near, far]] {
        let plan = built(&order).plan;
        assert_eq!(
            plan.task_definitions["t"].container.as_ref().unwrap().name,
            "near"
        );
    }
}
