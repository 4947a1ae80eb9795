//! What the plugin printed: the manifests of a stage, with the plan and the hooks among them.

use anyhow::{Context as _, anyhow};
use serde_json::Value;
use stagelink_plan::Plan;
use stagelink_yaml::Document;

use crate::exit::{CommandError, OrFault as _};

/// The plugin's output, sorted by what Argo CD does with it.
#[derive(Debug)]
pub(crate) struct Rendered {
    /// The plan, as the hooks read it.
    pub(crate) plan: Plan,
    /// The plan's own text.
    pub(crate) plan_json: String,
    /// What the sync applies: everything that is no hook.
    pub(crate) resources: Vec<Value>,
    /// True if a PreSync hook Job is among the manifests.
    pub(crate) has_pre_sync: bool,
}

impl Rendered {
    /// Reads the plugin's output.
    pub(crate) fn parse(manifests: &str) -> Result<Self, CommandError> {
        let documents: Vec<Value> = Document::parse_all(manifests)
            .and_then(|documents| documents.iter().map(Document::to_json).collect())
            .context("the plugin printed no valid YAML")
            .or_environment()?;
        let plan_json = documents
            .iter()
            .find_map(|document| {
                let data = document["data"]["plan.json"].as_str()?;
                (document["kind"] == "ConfigMap").then_some(data)
            })
            .ok_or_else(|| {
                anyhow!("the rendered manifests hold no plan; was it switched off by a parameter?")
            })
            .or_input()?
            .to_owned();
        let plan = Plan::from_json(&plan_json).or_environment()?;
        let has_pre_sync = documents
            .iter()
            .any(|document| document["kind"] == "Job" && hook(document) == Some("PreSync"));
        let resources = documents
            .into_iter()
            .filter(|document| hook(document).is_none())
            .collect();
        Ok(Self {
            plan,
            plan_json,
            resources,
            has_pre_sync,
        })
    }
}

fn hook(document: &Value) -> Option<&str> {
    document["metadata"]["annotations"]["argocd.argoproj.io/hook"].as_str()
}
