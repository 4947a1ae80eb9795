//! `KeptnTaskDefinition`: what a task does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Container, GoDuration, NameReference, lenient};

/// `KeptnTaskDefinition.spec`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskDefinitionSpec {
    /// A function for Deno as v1alpha1 and v1alpha2 have it; see [`deno`](Self::deno).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionSpec>,
    /// A function for Deno.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "deno")]
    pub deno_function: Option<FunctionSpec>,
    /// A function for Python.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<FunctionSpec>,
    /// A container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// How often a failed task is tried again; see [`retries`](Self::retries).
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "retries")]
    pub retry_limit: Option<i32>,
    /// How long the task may take, all tries together; see [`timeout`](Self::timeout).
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "timeout")]
    pub time_limit: Option<GoDuration>,
    /// Seconds that the finished Job is kept; see [`ttl_seconds`](Self::ttl_seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds_after_finished: Option<i32>,
    /// Service account of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<NameReference>,
    /// Whether the service account's token is mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<AutomountServiceAccountToken>,
    /// Secrets for pulling the image.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub image_pull_secrets: Vec<NameReference>,
}

/// Whether a service account's token is mounted; Keptn names the flag `type`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutomountServiceAccountToken {
    /// True to mount it.
    #[serde(rename = "type", default)]
    pub enabled: bool,
}

/// A function: code for Deno or Python, and what it is called with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionSpec {
    /// The code of another definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_ref: Option<NameReference>,
    /// The code itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<InlineFunction>,
    /// Where the code is fetched from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_ref: Option<UrlReference>,
    /// A ConfigMap with the code at its key `code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<NameReference>,
    /// What the code finds in `DATA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Parameters>,
    /// The Secret whose key `SECURE_DATA` the code finds in the variable of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure_parameters: Option<SecureParameters>,
    /// What the code finds in `CMD_ARGS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd_parameters: Option<String>,
}

/// Code within the resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InlineFunction {
    /// The code.
    #[serde(default)]
    pub code: String,
}

/// Code at a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlReference {
    /// The URL.
    #[serde(default)]
    pub url: String,
}

/// Parameters of a function or a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// Name and value of each.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "lenient::texts"
    )]
    pub map: BTreeMap<String, String>,
}

/// The name of a Secret with parameters; never its content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecureParameters {
    /// Name of the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// What runs a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// A function for Deno.
    Deno,
    /// A function for Python.
    Python,
    /// A container of the user.
    Container,
}

impl TaskDefinitionSpec {
    /// Tries again after a failure when nothing is said (the CRD's default).
    pub const DEFAULT_RETRIES: u32 = 10;
    /// Time limit when nothing is said (the CRD's default).
    pub const DEFAULT_TIMEOUT: GoDuration = GoDuration::from_seconds(300);
    /// Seconds that a finished Job is kept when nothing is said (the CRD's default).
    pub const DEFAULT_TTL_SECONDS: u32 = 300;

    /// The function for Deno, in today's shape or the older one.
    pub fn deno(&self) -> Option<&FunctionSpec> {
        self.deno_function.as_ref().or(self.function.as_ref())
    }

    /// What runs the task; `None` if the definition has neither container nor function.
    ///
    /// Keptn refuses a definition with several. Validation reports it; here the container wins,
    /// then Python.
    pub fn runtime(&self) -> Option<Runtime> {
        match (&self.container, &self.python, self.deno()) {
            (Some(_), _, _) => Some(Runtime::Container),
            (None, Some(_), _) => Some(Runtime::Python),
            (None, None, Some(_)) => Some(Runtime::Deno),
            (None, None, None) => None,
        }
    }

    /// The function for Deno or Python; `None` for a container.
    pub fn function_spec(&self) -> Option<&FunctionSpec> {
        match self.runtime()? {
            Runtime::Container => None,
            Runtime::Python => self.python.as_ref(),
            Runtime::Deno => self.deno(),
        }
    }

    /// How often a failed task is tried again (a Job's `backoffLimit`); a negative number is zero.
    pub fn retries(&self) -> u32 {
        self.retry_limit.map_or(Self::DEFAULT_RETRIES, |retries| {
            u32::try_from(retries).unwrap_or(0)
        })
    }

    /// How long the task may take, all tries together (a Job's `activeDeadlineSeconds`).
    pub fn timeout(&self) -> GoDuration {
        self.time_limit.unwrap_or(Self::DEFAULT_TIMEOUT)
    }

    /// Seconds that the finished Job is kept; a negative number is zero.
    pub fn ttl_seconds(&self) -> u32 {
        self.ttl_seconds_after_finished
            .map_or(Self::DEFAULT_TTL_SECONDS, |ttl| {
                u32::try_from(ttl).unwrap_or(0)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(value: serde_json::Value) -> TaskDefinitionSpec {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn defaults_are_those_of_the_crd() {
        let spec = spec(json!({}));
        assert_eq!((spec.retries(), spec.ttl_seconds()), (10, 300));
        assert_eq!(spec.timeout(), "5m".parse().unwrap());
        assert_eq!(spec.runtime(), None);
    }

    #[test]
    fn what_is_said_counts() {
        let spec = spec(
            json!({"retries": 0, "timeout": "30s", "ttlSecondsAfterFinished": 100, "python": {"inline": {"code": "1"}}}),
        );
        assert_eq!((spec.retries(), spec.ttl_seconds()), (0, 100));
        assert_eq!(spec.timeout().as_std().as_secs(), 30);
        assert_eq!(spec.runtime(), Some(Runtime::Python));
    }

    #[test]
    fn the_older_shape_is_a_deno_function() {
        let spec = spec(json!({"function": {"inline": {"code": "console.log(1)"}}}));
        assert_eq!(spec.runtime(), Some(Runtime::Deno));
        assert_eq!(
            spec.function_spec().unwrap().inline.as_ref().unwrap().code,
            "console.log(1)"
        );
    }

    #[test]
    fn a_null_is_an_absent_field() {
        let spec = spec(
            json!({"deno": null, "imagePullSecrets": [null, {"name": "a"}], "container": {"name": "c", "env": null}}),
        );
        assert_eq!(spec.runtime(), Some(Runtime::Container));
        assert_eq!(spec.image_pull_secrets.len(), 1);
    }

    #[test]
    fn a_definition_survives_the_plan() {
        let value = json!({
            "deno": {"functionRef": {"name": "a"}, "parameters": {"map": {"k": "v"}}, "secureParameters": {"secret": "s"}},
            "retries": 3, "timeout": "1m0s", "serviceAccount": {"name": "sa"}, "automountServiceAccountToken": {"type": false},
        });
        assert_eq!(serde_json::to_value(spec(value.clone())).unwrap(), value);
    }
}
