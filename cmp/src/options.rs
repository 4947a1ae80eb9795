//! What the parameters mean, with their defaults.

use std::path::Path;
use std::time::Duration;

use stagelink_keptn::GoDuration;

use crate::{Environment, Parameters, PluginError};

/// Image of the hooks when nothing else is said.
pub const HOOK_IMAGE: &str = concat!(
    "ghcr.io/stagelink/stagelink-hooks:",
    env!("CARGO_PKG_VERSION")
);

/// Where commit and traceparent are put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inject {
    pub values: bool,
    pub context: bool,
}

/// Whether Keptn's kinds are emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeptnResources {
    Auto,
    Emit,
    Omit,
}

/// How the KeptnAppContext is emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AppContext {
    Hook,
    Resource,
}

/// What a hook runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookKind {
    Job,
    Pod,
}

/// How the hooks reach the collector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Collector {
    pub endpoint: Option<String>,
    pub protocol: Option<String>,
    pub headers_secret: Option<String>,
}

/// Everything about the hooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HookOptions {
    pub kind: HookKind,
    pub image: String,
    pub image_pull_secrets: Vec<String>,
    pub service_account: Option<String>,
    pub timeout: Duration,
    pub task_image: Option<String>,
    /// The images that run functions, if not Keptn's.
    pub deno_image: Option<String>,
    pub python_image: Option<String>,
    pub deliver_again: bool,
    /// The ledger outlives the Application.
    pub keep_ledger: bool,
    pub retry_failed: bool,
    pub keptn_namespace: Option<String>,
    pub collector: Collector,
    /// Where a trace can be seen.
    pub trace_url: Option<String>,
}

/// The parameters, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub stage: String,
    /// Instance name of the Application, the base of our resources' names.
    pub instance: String,
    pub application: String,
    pub namespace: String,
    pub release_name: String,
    pub trace_parent: Option<String>,
    pub inject: Inject,
    pub commit_id_value: String,
    pub trace_parent_value: String,
    pub app_context: AppContext,
    pub keptn_resources: KeptnResources,
    /// `None` when plan and hooks are switched off.
    pub hooks: Option<HookOptions>,
    pub block_deployment: Option<bool>,
    pub observability_timeout: Option<Duration>,
    pub skip_crds: bool,
    pub skip_tests: bool,
    pub skip_schema_validation: bool,
    pub kube_version: Option<String>,
    pub api_versions: Vec<String>,
}

impl Options {
    /// Reads the parameters; `directory` gives the stage its name when nothing else does.
    pub(crate) fn read(
        parameters: &Parameters,
        environment: &Environment,
        directory: &Path,
    ) -> Result<Self, PluginError> {
        let substituted = |name: &str| {
            parameters
                .text(name)
                .map(|text| environment.substitute(text))
                .filter(|text| !text.is_empty())
        };
        let folder = directory
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_else(|| "app".to_owned());
        let instance = environment.instance_name().unwrap_or(&folder).to_owned();
        let application = environment.application().unwrap_or(&folder).to_owned();
        let flag = |name: &str| parameters.flag(name).map(|flag| flag.unwrap_or(false));
        let inject = parameters
            .choice(
                "inject",
                &[
                    (
                        "both",
                        Inject {
                            values: true,
                            context: true,
                        },
                    ),
                    (
                        "values",
                        Inject {
                            values: true,
                            context: false,
                        },
                    ),
                    (
                        "context",
                        Inject {
                            values: false,
                            context: true,
                        },
                    ),
                    (
                        "none",
                        Inject {
                            values: false,
                            context: false,
                        },
                    ),
                ],
            )?
            .unwrap_or(Inject {
                values: true,
                context: true,
            });
        let hooks = if parameters.flag("hooks")?.unwrap_or(true) {
            Some(HookOptions {
                kind: parameters
                    .choice(
                        "hook-kind",
                        &[("job", HookKind::Job), ("pod", HookKind::Pod)],
                    )?
                    .unwrap_or(HookKind::Job),
                image: substituted("hook-image").unwrap_or_else(|| HOOK_IMAGE.to_owned()),
                image_pull_secrets: parameters.list("hook-image-pull-secrets").to_vec(),
                service_account: substituted("hook-service-account"),
                timeout: duration(parameters, "hook-timeout")?.unwrap_or(Duration::from_secs(3600)),
                task_image: substituted("task-image"),
                deno_image: substituted("deno-image"),
                python_image: substituted("python-image"),
                deliver_again: flag("deliver-again")?,
                keep_ledger: flag("keep-ledger")?,
                retry_failed: flag("retry-failed")?,
                keptn_namespace: substituted("keptn-namespace"),
                collector: Collector {
                    endpoint: substituted("otlp-endpoint"),
                    protocol: parameters
                        .choice(
                            "otlp-protocol",
                            &[("grpc", "grpc"), ("http/protobuf", "http/protobuf")],
                        )?
                        .map(str::to_owned),
                    headers_secret: substituted("otlp-headers-secret"),
                },
                trace_url: substituted("trace-url"),
            })
        } else {
            None
        };
        let api_versions = match parameters.list("api-versions") {
            [] => environment.api_versions(),
            stated => stated.to_vec(),
        };
        Ok(Self {
            stage: substituted("stage").unwrap_or(folder),
            release_name: substituted("release-name").unwrap_or_else(|| application.clone()),
            namespace: substituted("namespace")
                .or_else(|| environment.namespace().map(str::to_owned))
                .unwrap_or_else(|| "default".to_owned()),
            instance,
            application,
            trace_parent: substituted("trace-parent").map(|text| text.trim().to_owned()),
            inject,
            commit_id_value: value_name(parameters, "commit-id-value", "commitID")?,
            trace_parent_value: value_name(parameters, "trace-parent-value", "traceParent")?,
            app_context: parameters
                .choice(
                    "app-context",
                    &[
                        ("hook", AppContext::Hook),
                        ("resource", AppContext::Resource),
                    ],
                )?
                .unwrap_or(AppContext::Hook),
            keptn_resources: parameters
                .choice(
                    "keptn-resources",
                    &[
                        ("auto", KeptnResources::Auto),
                        ("emit", KeptnResources::Emit),
                        ("omit", KeptnResources::Omit),
                    ],
                )?
                .unwrap_or(KeptnResources::Auto),
            hooks,
            block_deployment: parameters.flag("block-deployment")?,
            observability_timeout: duration(parameters, "observability-timeout")?,
            skip_crds: flag("skip-crds")?,
            skip_tests: flag("skip-tests")?,
            skip_schema_validation: flag("skip-schema-validation")?,
            kube_version: substituted("kube-version")
                .or_else(|| environment.kube_version().map(str::to_owned)),
            api_versions,
        })
    }
}

fn duration(parameters: &Parameters, name: &str) -> Result<Option<Duration>, PluginError> {
    let Some(text) = parameters.text(name) else {
        return Ok(None);
    };
    let duration: GoDuration = text
        .trim()
        .parse()
        .map_err(|error| PluginError::input(format!("parameter {name:?}: {error}")))?;
    if duration.as_std() < Duration::from_secs(1) {
        return Err(PluginError::input(format!(
            "parameter {name:?} is shorter than a second; write it like \"5m\""
        )));
    }
    Ok(Some(duration.as_std()))
}

/// The name of a value: words with dots between them.
fn value_name(parameters: &Parameters, name: &str, default: &str) -> Result<String, PluginError> {
    let Some(text) = parameters.text(name).map(str::trim) else {
        return Ok(default.to_owned());
    };
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || "-_".contains(character))
    };
    if text.split('.').all(is_word) {
        return Ok(text.to_owned());
    }
    Err(PluginError::input(format!(
        "parameter {name:?} is not the name of a value; write it like \"commitID\" or \"global.commitID\""
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: &str, variables: &[(&str, &str)]) -> Result<Options, String> {
        let mut all = vec![("ARGOCD_APP_PARAMETERS", parameters)];
        all.extend(variables);
        let environment: Environment = all.into_iter().collect();
        Parameters::read(&environment)
            .and_then(|parameters| Options::read(&parameters, &environment, Path::new("/w/dev")))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_gives_the_defaults() {
        let options = read(
            "null",
            &[
                ("ARGOCD_APP_NAME", "team_shop"),
                ("ARGOCD_APP_NAMESPACE", "ns"),
                ("KUBE_VERSION", "1.34.1"),
                ("KUBE_API_VERSIONS", "v1,apps/v1"),
            ],
        )
        .unwrap();
        assert_eq!(
            (options.instance.as_str(), options.application.as_str()),
            ("team_shop", "shop")
        );
        assert_eq!(
            (options.release_name.as_str(), options.stage.as_str()),
            ("shop", "dev")
        );
        assert_eq!(
            (options.namespace.as_str(), options.kube_version.as_deref()),
            ("ns", Some("1.34.1"))
        );
        assert_eq!(options.api_versions, ["v1", "apps/v1"]);
        assert_eq!(options.hooks.unwrap().image, HOOK_IMAGE);
    }

    #[test]
    fn texts_are_substituted() {
        let options = read(
            r#"[{"name":"release-name","string":"$ARGOCD_APP_NAME-x"},{"name":"stage","string":"${ARGOCD_APP_NAMESPACE}"},
                {"name":"hooks","string":"false"},{"name":"observability-timeout","string":"90s"}]"#,
            &[("ARGOCD_APP_NAME", "shop"), ("ARGOCD_APP_NAMESPACE", "ns")],
        )
        .unwrap();
        assert_eq!(
            (options.release_name.as_str(), options.stage.as_str()),
            ("shop-x", "ns")
        );
        assert_eq!(
            (options.hooks, options.observability_timeout),
            (None, Some(Duration::from_secs(90)))
        );
    }

    #[test]
    fn mistakes_name_the_parameter() {
        for (parameter, value, message) in [
            (
                "hook-timeout",
                "5",
                "parameter \"hook-timeout\": \"5\" is not a duration",
            ),
            ("hook-timeout", "0", "shorter than a second"),
            ("commit-id-value", "a b", "is not the name of a value"),
            (
                "otlp-protocol",
                "udp",
                "set it to one of grpc, http/protobuf",
            ),
            ("keptn-resources", "no", "set it to one of auto, emit, omit"),
            ("hook-kind", "cronjob", "set it to one of job, pod"),
            ("app-context", "x", "set it to one of hook, resource"),
        ] {
            let json = format!(r#"[{{"name":"{parameter}","string":"{value}"}}]"#);
            let error = read(&json, &[]).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
