//! Which of Keptn's kinds are emitted: only what the cluster has, or a sync is refused as a whole.

use serde_json::Value;
use stagelink_keptn::{KeptnKind, ProviderType};

use crate::options::KeptnResources;

/// Decides for each resource whether it is emitted.
#[derive(Debug)]
pub(crate) struct KeptnFilter<'a> {
    pub choice: KeptnResources,
    /// API versions of the cluster; empty when they are not known.
    pub api_versions: &'a [String],
}

impl KeptnFilter<'_> {
    /// True if the resource is emitted; everything that is not Keptn's always is.
    pub(crate) fn emits(&self, document: &Value) -> bool {
        let text = |key: &str| document[key].as_str().unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        if !KeptnKind::is_keptn_group(api_version) {
            return true;
        }
        match self.choice {
            KeptnResources::Emit => true,
            KeptnResources::Omit => false,
            KeptnResources::Auto => {
                !is_embedded_provider(document) && self.cluster_has(api_version, kind)
            }
        }
    }

    /// Argo CD lists `group/version` and `group/version/Kind`; other lists may have just the former.
    fn cluster_has(&self, api_version: &str, kind: &str) -> bool {
        if self.api_versions.is_empty() {
            return true;
        }
        let kinds = format!("{api_version}/");
        let mut has_kinds = false;
        for known in self.api_versions {
            if let Some(known_kind) = known.strip_prefix(&kinds) {
                if known_kind == kind {
                    return true;
                }
                has_kinds = true;
            }
        }
        !has_kinds && self.api_versions.iter().any(|known| known == api_version)
    }
}

/// Keptn's CRD refuses the type of Stagelink's own provider.
fn is_embedded_provider(document: &Value) -> bool {
    document["kind"] == "KeptnMetricsProvider"
        && document["spec"]["type"]
            .as_str()
            .and_then(ProviderType::from_name)
            == Some(ProviderType::Stagelink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keptns_kinds_are_emitted_where_they_are_known() {
        use KeptnResources::{Auto, Emit, Omit};
        let context = json!({"apiVersion": "lifecycle.keptn.sh/v1", "kind": "KeptnAppContext"});
        let embedded = json!({"apiVersion": "metrics.keptn.sh/v1", "kind": "KeptnMetricsProvider", "spec": {"type": "stagelink"}});
        let other = json!({"apiVersion": "v1", "kind": "Service"});
        for (choice, versions, document, emitted) in [
            (Auto, &[][..], &context, true),
            (
                Auto,
                &[
                    "v1",
                    "lifecycle.keptn.sh/v1",
                    "lifecycle.keptn.sh/v1/KeptnAppContext",
                ],
                &context,
                true,
            ),
            (
                Auto,
                &[
                    "v1",
                    "lifecycle.keptn.sh/v1",
                    "lifecycle.keptn.sh/v1/KeptnApp",
                ],
                &context,
                false,
            ),
            (Auto, &["v1", "lifecycle.keptn.sh/v1"], &context, true),
            (Auto, &["v1", "lifecycle.keptn.sh/v1beta1"], &context, false),
            (Auto, &["v1"], &context, false),
            (Auto, &["v1"], &other, true),
            (Auto, &["v1", "metrics.keptn.sh/v1"], &embedded, false),
            (Emit, &["v1"], &context, true),
            (Emit, &["v1"], &embedded, true),
            (Omit, &["v1", "lifecycle.keptn.sh/v1"], &context, false),
            (Omit, &["v1"], &other, true),
        ] {
            let api_versions: Vec<String> = versions
                .iter()
                .map(|version| (*version).to_owned())
                .collect();
            let filter = KeptnFilter {
                choice,
                api_versions: &api_versions,
            };
            assert_eq!(
                filter.emits(document),
                emitted,
                "{choice:?} {versions:?} {document}"
            );
        }
    }
}
