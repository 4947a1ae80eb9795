//! What a task knows about the delivery that it is part of.

use stagelink_delivery::ports::{KeptnContext, TaskRequest};
use stagelink_http::Resolve;
use stagelink_plan::TraceParent;
use stagelink_promotion::Secret;

/// What a task knows beside its arguments: what a pod under Keptn's operator has in its environment,
/// and what only a hook knows.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `KEPTN_CONTEXT`.
    pub context: KeptnContext,
    /// The span of the task's phase: `TRACEPARENT`, else `traceparent` of the context's metadata.
    pub trace_parent: Option<TraceParent>,
    /// `SECURE_DATA`.
    pub secure_data: Option<Secret>,
    /// Servers whose requests go to another address; the task's own `--resolve` wins.
    pub resolve: Resolve,
    /// The plan's stage.
    pub stage: Option<String>,
    /// The plan's `source.repo_url`.
    pub repository: Option<String>,
    /// The plan's revision, else `commitID` of the context's metadata.
    pub revision: Option<String>,
    /// `<number of the delivery>.<number of the attempt>`.
    pub delivery: Option<String>,
}

/// Why the environment of a task cannot be read. Never repeats what was read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// Not the JSON that Keptn gives.
    #[error("KEPTN_CONTEXT is not Keptn's JSON: {0}")]
    Context(#[source] serde_json::Error),
}

impl Environment {
    /// From a task's environment variables, as `get` gives them.
    ///
    /// # Errors
    /// [`EnvironmentError`] naming the variable that cannot be read.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let get = |name| get(name).filter(|value| !value.is_empty());
        let context: KeptnContext = match get("KEPTN_CONTEXT") {
            Some(json) => serde_json::from_str(&json).map_err(EnvironmentError::Context)?,
            None => KeptnContext::default(),
        };
        // What is malformed counts as absent, as W3C's Trace Context wants it.
        let named = get("TRACEPARENT").and_then(|text| text.parse().ok());
        let in_context = || context.metadata.get("traceparent")?.parse().ok();
        let trace_parent = named.or_else(in_context);
        Ok(Self {
            trace_parent,
            revision: commit(&context),
            secure_data: get("SECURE_DATA").map(Secret::new),
            context,
            ..Self::default()
        })
    }

    /// What a hook knows of the task that it is to run; `secure_data` and `resolve` are left to be
    /// set.
    pub fn for_task(request: &TaskRequest<'_>) -> Self {
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            context: request.context.clone(),
            trace_parent: Some(request.trace_parent),
            delivery: Some(format!("{}.{}", request.delivery, request.attempt)),
            stage: known(&request.plan.stage),
            repository: known(&request.plan.source.repo_url),
            revision: request
                .plan
                .revision
                .clone()
                .or_else(|| commit(&request.context)),
            ..Self::default()
        }
    }
}

fn commit(context: &KeptnContext) -> Option<String> {
    context
        .metadata
        .get("commitID")
        .filter(|commit| !commit.is_empty())
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: &str = r#"{"workloadName":"","appName":"shop","appVersion":"v1","workloadVersion":"","taskType":"promotion","objectType":"App","metadata":{"commitID":"c0ffee","traceparent":"00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01"}}"#;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, EnvironmentError> {
        Environment::from_variables(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_of_a_pod_is_read() {
        let environment = read(&[("KEPTN_CONTEXT", CONTEXT), ("SECURE_DATA", "s3cret")]).unwrap();
        assert_eq!(environment.context.app_name, "shop");
        assert_eq!(environment.revision.as_deref(), Some("c0ffee"));
        let link = environment.trace_parent.unwrap().to_string();
        assert_eq!(
            link,
            "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01"
        );
        assert!(!format!("{environment:?}").contains("s3cret"));

        let other = "00-11111111111111111111111111111111-2222222222222222-01";
        let environment = read(&[("KEPTN_CONTEXT", CONTEXT), ("TRACEPARENT", other)]).unwrap();
        assert_eq!(environment.trace_parent.unwrap().to_string(), other);
        let environment = read(&[("KEPTN_CONTEXT", CONTEXT), ("TRACEPARENT", "00-1")]).unwrap();
        assert_eq!(environment.trace_parent.unwrap().to_string(), link);
        assert!(read(&[]).unwrap().trace_parent.is_none());
    }

    #[test]
    fn a_broken_context_is_named_and_not_repeated() {
        let error = read(&[("KEPTN_CONTEXT", "s3cret")])
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("KEPTN_CONTEXT is not") && !error.contains("s3cret"),
            "{error}"
        );
    }
}
