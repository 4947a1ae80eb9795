//! What a task finds in its environment, as Keptn's operator gives it
//! (`controllers/lifecycle/keptntask/{runtime,container}_builder.go`), and `TRACEPARENT` beside it.

use serde_json::json;
use stagelink_delivery::ports::TaskRequest;
use stagelink_keptn::{Container, EnvironmentVariable, ResolvedFunction};

use crate::json::go_json;

/// Which delivery the task is part of, as JSON.
const CONTEXT: &str = "KEPTN_CONTEXT";
/// The span of the task's phase, as OpenTelemetry's programs expect it.
const TRACE_PARENT: &str = "TRACEPARENT";
/// The secret parameters of a function; also the key in their Secret.
const SECURE_DATA: &str = "SECURE_DATA";

/// The variables of a container: its own in their order, then `KEPTN_CONTEXT` and `TRACEPARENT`.
///
/// A `KEPTN_CONTEXT` of its own is overwritten where it stands, as by Keptn. A `TRACEPARENT` of its
/// own is left as it is.
///
/// # Errors
/// Only if the context cannot be written as JSON.
pub fn container_variables(
    container: &Container,
    task: &TaskRequest<'_>,
) -> Result<Vec<EnvironmentVariable>, serde_json::Error> {
    let context = variable(CONTEXT, go_json(&task.context)?);
    let mut variables = container.env.clone();
    let mut is_known = false;
    for own in variables.iter_mut().filter(|own| own.name == CONTEXT) {
        own.clone_from(&context);
        is_known = true;
    }
    if !is_known {
        variables.push(context);
    }
    if !variables.iter().any(|own| own.name == TRACE_PARENT) {
        variables.push(trace_parent(task));
    }
    Ok(variables)
}

/// The variables of a function for Deno or Python in Keptn's order, then `TRACEPARENT`. `script` is
/// where its code is: a path or a URL.
///
/// # Errors
/// Only if parameters or context cannot be written as JSON.
pub fn function_variables(
    function: &ResolvedFunction<'_>,
    script: &str,
    task: &TaskRequest<'_>,
) -> Result<Vec<EnvironmentVariable>, serde_json::Error> {
    let mut variables = Vec::new();
    if !function.parameters.is_empty() {
        variables.push(variable("DATA", go_json(&function.parameters)?));
    }
    variables.push(variable(CONTEXT, go_json(&task.context)?));
    variables.push(variable("CMD_ARGS", function.cmd_parameters));
    if let Some(secret) = function.secret {
        variables.push(EnvironmentVariable {
            name: SECURE_DATA.to_owned(),
            value: None,
            value_from: Some(json!({"secretKeyRef": {"name": secret, "key": SECURE_DATA}})),
        });
    }
    variables.push(variable("SCRIPT", script));
    variables.push(trace_parent(task));
    Ok(variables)
}

fn trace_parent(task: &TaskRequest<'_>) -> EnvironmentVariable {
    variable(TRACE_PARENT, task.trace_parent.to_string())
}

fn variable(name: &str, value: impl Into<String>) -> EnvironmentVariable {
    EnvironmentVariable {
        name: name.to_owned(),
        value: Some(value.into()),
        value_from: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;
    use stagelink_delivery::CheckType;
    use stagelink_delivery::ports::KeptnContext;
    use stagelink_keptn::TaskDefinitionSpec;
    use stagelink_plan::Plan;

    use super::*;

    const TRACE: &str = "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01";

    /// The variables of the task of a definition, as a pod has them.
    fn variables(definition: &Value) -> Value {
        let digest = format!("sha256:{}", "0".repeat(64));
        let plan = json!({
            "version": 1, "app": "shop", "appVersion": "1", "stage": "dev",
            "application": "shop-dev", "namespace": "shop", "digest": digest,
        });
        let plan = Plan::from_json(&plan.to_string()).unwrap();
        let definition: TaskDefinitionSpec = serde_json::from_value(definition.clone()).unwrap();
        let task = TaskRequest {
            plan: &plan,
            name: "pre-check-12345",
            definition_name: "check",
            definition: Some(&definition),
            delivery: 1,
            attempt: 1,
            begun_before: None,
            check_type: CheckType::Pre,
            context: KeptnContext {
                app_name: "podtato-head".to_owned(),
                app_version: "v0.3.1".to_owned(),
                task_type: "promotion".to_owned(),
                object_type: "App".to_owned(),
                metadata: [("commitID", "c0ffee"), ("traceparent", TRACE)]
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
                ..KeptnContext::default()
            },
            trace_parent: TRACE.parse().unwrap(),
            reports: &BTreeMap::new(),
        };
        let variables = match &definition.container {
            Some(container) => container_variables(container, &task),
            None => {
                let function = definition.resolve_function("check", |_| None).unwrap();
                function_variables(&function.unwrap(), "/var/data/function.py", &task)
            }
        };
        serde_json::to_value(variables.unwrap()).unwrap()
    }

    #[test]
    fn a_functions_environment_has_keptns_bytes_and_order() {
        let context = format!(
            r#"{{"workloadName":"","appName":"podtato-head","appVersion":"v0.3.1","workloadVersion":"","taskType":"promotion","objectType":"App","metadata":{{"commitID":"c0ffee","traceparent":"{TRACE}"}}}}"#
        );
        let full = json!({"python": {
            "inline": {"code": "1"}, "cmdParameters": "-v",
            "parameters": {"map": {"b": "<2>", "a": "1"}}, "secureParameters": {"secret": "token"},
        }});
        assert_eq!(
            variables(&full),
            json!([
                {"name": "DATA", "value": r#"{"a":"1","b":"\u003c2\u003e"}"#},
                {"name": "KEPTN_CONTEXT", "value": context},
                {"name": "CMD_ARGS", "value": "-v"},
                {"name": "SECURE_DATA", "valueFrom": {"secretKeyRef": {"name": "token", "key": "SECURE_DATA"}}},
                {"name": "SCRIPT", "value": "/var/data/function.py"},
                {"name": "TRACEPARENT", "value": TRACE},
            ])
        );
        assert_eq!(
            variables(&json!({"deno": {"inline": {"code": "1"}}})),
            json!([
                {"name": "KEPTN_CONTEXT", "value": context},
                {"name": "CMD_ARGS", "value": ""},
                {"name": "SCRIPT", "value": "/var/data/function.py"},
                {"name": "TRACEPARENT", "value": TRACE},
            ])
        );
    }

    #[test]
    fn a_container_keeps_its_own_environment() {
        let names = |own: Value| -> Vec<(String, bool)> {
            let all = variables(&json!({"container": {"name": "c", "env": own}}));
            let all = all.as_array().unwrap().iter();
            all.map(|variable| {
                let name = variable["name"].as_str().unwrap().to_owned();
                (
                    name,
                    variable["value"] == "own" || variable["valueFrom"].is_object(),
                )
            })
            .collect()
        };
        let expected = |pairs: &[(&str, bool)]| -> Vec<(String, bool)> {
            let own = pairs.iter();
            own.map(|(name, own)| ((*name).to_owned(), *own)).collect()
        };
        assert_eq!(
            names(json!([{"name": "A", "value": "own"}])),
            expected(&[
                ("A", true),
                ("KEPTN_CONTEXT", false),
                ("TRACEPARENT", false)
            ])
        );
        let secret = json!({"secretKeyRef": {"name": "s", "key": "k"}});
        assert_eq!(
            names(json!([
                {"name": "TRACEPARENT", "value": "own"},
                {"name": "KEPTN_CONTEXT", "valueFrom": secret},
                {"name": "B", "valueFrom": secret},
            ])),
            expected(&[("TRACEPARENT", true), ("KEPTN_CONTEXT", false), ("B", true)])
        );
    }
}
