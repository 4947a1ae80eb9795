use super::tests::built;
use super::*;
use crate::Plan;
use proptest::prelude::*;

/// Any JSON, with the words that the builder looks for.
fn json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "apiVersion",
        "kind",
        "metadata",
        "name",
        "namespace",
        "labels",
        "annotations",
        "spec",
        "template",
        "containers",
        "image",
        "items",
        "objectives",
        "keptnMetricRef",
        "evaluationTarget",
        "preDeploymentTasks",
        "spanLinks",
        "deno",
        "functionRef",
        "keptn.sh/workload",
        "keptn.sh/container",
        "keptn.sh/metadata",
        "app.kubernetes.io/part-of",
        "Deployment",
        "List",
        "KeptnAppContext",
        "KeptnTaskDefinition",
        "KeptnEvaluationDefinition",
        "KeptnMetric",
        "lifecycle.keptn.sh/v1",
        "metrics.keptn.sh/v1",
        "a",
        "",
    ])
    .prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(word.clone(), inner, 0..8).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn any_manifests_give_a_plan_that_can_be_read(
        resources in prop::collection::vec(json(), 0..4),
        kind in prop::sample::select(vec!["Deployment", "KeptnAppContext", "KeptnTaskDefinition", "KeptnEvaluationDefinition", "List"]),
    ) {
        let mut resources = resources;
        for resource in &mut resources {
            if let Some(map) = resource.as_object_mut() {
                map.insert("kind".to_owned(), Value::from(kind));
                map.insert("apiVersion".to_owned(), Value::from("lifecycle.keptn.sh/v1"));
            }
        }
        let plan = built(&resources).plan;
        let read = Plan::from_json(&plan.to_json().unwrap()).unwrap();
        prop_assert_eq!(read, plan);
    }
}
