//! Calls the plugin as `argocd-cmp-server` does: by its command line, in the chart's folder, with
//! Argo CD's environment.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};

use crate::exit::{CommandError, OrFault as _};
use crate::programs;

/// What Argo CD would tell the plugin.
#[derive(Debug, Clone, Default)]
pub(crate) struct PluginInput {
    /// The chart's folder.
    pub(crate) chart: PathBuf,
    /// Name of the Application.
    pub(crate) application: String,
    /// Destination namespace.
    pub(crate) namespace: String,
    /// The resolved revision, if there is one.
    pub(crate) revision: Option<String>,
    /// URL of the repository.
    pub(crate) repo_url: String,
    /// Path of the chart in the repository.
    pub(crate) path: String,
    /// Branch or tag that the Application follows.
    pub(crate) target_revision: String,
    /// Kubernetes version; empty for the plugin's default.
    pub(crate) kube_version: String,
    /// API versions of the cluster, comma separated; empty for the plugin's default.
    pub(crate) api_versions: String,
    /// The Application's plugin parameters, as `{"name": …, "string" | "array" | "map": …}`.
    pub(crate) parameters: Vec<Value>,
    /// File with the seed of random texts; without one they differ at each render.
    pub(crate) seed: Option<PathBuf>,
}

impl PluginInput {
    /// Adds a parameter with a text.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.parameters
            .push(json!({ "name": name, "string": value }));
    }

    /// Adds a parameter with a list, unless it is empty.
    pub(crate) fn set_list(&mut self, name: &str, values: &[String]) {
        if !values.is_empty() {
            self.parameters
                .push(json!({ "name": name, "array": values }));
        }
    }

    /// Adds a parameter with a map, unless it is empty.
    pub(crate) fn set_map(&mut self, name: &str, values: &[(String, String)]) {
        if !values.is_empty() {
            let map: serde_json::Map<String, Value> = values
                .iter()
                .map(|(key, value)| (key.clone(), json!(value)))
                .collect();
            self.parameters.push(json!({ "name": name, "map": map }));
        }
    }

    /// The environment that Argo CD gives the plugin.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = vec![
            ("ARGOCD_APP_NAME", self.application.clone()),
            ("ARGOCD_APP_NAMESPACE", self.namespace.clone()),
            ("ARGOCD_APP_PROJECT_NAME", "default".to_owned()),
            ("ARGOCD_APP_SOURCE_REPO_URL", self.repo_url.clone()),
            ("ARGOCD_APP_SOURCE_PATH", self.path.clone()),
            (
                "ARGOCD_APP_SOURCE_TARGET_REVISION",
                self.target_revision.clone(),
            ),
            ("KUBE_VERSION", self.kube_version.clone()),
            ("KUBE_API_VERSIONS", self.api_versions.clone()),
            (
                "ARGOCD_APP_PARAMETERS",
                Value::from(self.parameters.clone()).to_string(),
            ),
            // A person names values files anywhere on the machine, by absolute paths.
            (stagelink_cmp::FILES_ROOT, "/".to_owned()),
        ];
        if let Some(seed) = &self.seed {
            environment.push((
                stagelink_cmp::SEED_FILE,
                seed.to_string_lossy().into_owned(),
            ));
        }
        if let Some(revision) = &self.revision {
            let short = |length| revision.chars().take(length).collect::<String>();
            environment.extend([
                ("ARGOCD_APP_REVISION", revision.clone()),
                ("ARGOCD_APP_REVISION_SHORT", short(7)),
                ("ARGOCD_APP_REVISION_SHORT_8", short(8)),
            ]);
        }
        environment
    }

    /// Runs `stagelink-cmp generate`; gives what it printed. Each line of its stderr goes to `line`.
    pub(crate) fn generate(&self, line: &mut dyn FnMut(&str)) -> Result<String, CommandError> {
        let mut command = programs::command(["cmp", "generate"])?;
        command
            .current_dir(&self.chart)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .envs(self.environment());
        let output = command
            .output()
            .with_context(|| format!("the plugin cannot be run in {}", self.chart.display()))
            .or_input()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            stderr.lines().for_each(line);
            return String::from_utf8(output.stdout)
                .context("the plugin printed no UTF-8")
                .or_environment();
        }
        let text = stderr
            .trim()
            .strip_prefix("error: ")
            .unwrap_or(stderr.trim())
            .to_owned();
        Err(CommandError::from_exit_code(
            output.status.code().unwrap_or(3),
            anyhow!(text),
        ))
    }
}
