//! Links that Argo CD shows at a hook's Job: to the page of the delivery's trace, and to what it promoted.
//!
//! Argo CD makes a link of each annotation `link.argocd.argoproj.io/<name>`. Only a hook has them: on any other
//! resource they would be a difference to git.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use stagelink_delivery::engine::HookEnd;
use stagelink_delivery::identity::AttemptId;
use stagelink_kubernetes::Cluster;

use crate::report::Lines;

/// What stands for the trace's id.
const TRACE_ID: &str = "{traceId}";

/// How long a delivery waits for its links.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a tracing backend shows a trace, for example `https://jaeger.example.com/trace/{traceId}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceUrl(String);

impl FromStr for TraceUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !is_link(text) || !text.contains(TRACE_ID) {
            return Err(format!(
                "it is no http or https URL with {TRACE_ID} in it; give one like https://jaeger.example.com/trace/{TRACE_ID}"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A browser must not be sent to anything else; a forge's answer may say anything.
fn is_link(text: &str) -> bool {
    ["https://", "http://"]
        .iter()
        .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
        && !text.contains(|character: char| character.is_whitespace() || character == '|')
}

/// The annotations for a hook that has ended.
fn annotations(end: &HookEnd, trace_url: Option<&TraceUrl>) -> BTreeMap<String, String> {
    let mut links = BTreeMap::new();
    let mut link = |name: &str, url: &str| {
        links.insert(format!("link.argocd.argoproj.io/{name}"), url.to_owned());
    };
    if let Some(TraceUrl(template)) = trace_url {
        let attempt = AttemptId {
            ledger: &end.ledger.id,
            delivery: end.delivery,
            attempt: end.attempt,
        };
        let id = attempt.trace_id().to_string();
        link("trace", &template.replace(TRACE_ID, &id));
    }
    let attempt = end.ledger.attempt(end.delivery, end.attempt);
    let items = attempt
        .into_iter()
        .flat_map(|attempt| &attempt.phases)
        .flat_map(|phase| &phase.items);
    let mut promoted = items.filter_map(|item| item.report.details.get("promotion.url"));
    if let Some(url) = promoted.rfind(|url| is_link(url)) {
        link("promotion", url);
    }
    links
}

/// Puts the links on the hook's Job, if there are any. A delivery is what it is without them.
pub(crate) async fn link(
    cluster: &Cluster,
    job: &str,
    end: &HookEnd,
    trace_url: Option<&TraceUrl>,
) {
    let annotations = annotations(end, trace_url);
    if annotations.is_empty() {
        return;
    }
    let annotated = stagelink_kubernetes::annotate_job(cluster, job, &annotations);
    match tokio::time::timeout(PATIENCE, annotated).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => Lines.line(&format!("warning: Job {job} gets no links: {error}")),
        Err(_) => Lines.line(&format!(
            "warning: Job {job} gets no links: no answer within {} s",
            PATIENCE.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_url_is_a_link_with_the_traces_id() {
        for text in [
            "https://jaeger.example.com/trace/{traceId}",
            "http://t/{traceId}?x=1",
        ] {
            assert!(text.parse::<TraceUrl>().is_ok(), "{text}");
        }
        for text in [
            "",
            "https://",
            "https://jaeger.example.com/trace/",
            "javascript:alert('{traceId}')",
            "https://a b/{traceId}",
            "https://a|b/{traceId}",
        ] {
            assert!(text.parse::<TraceUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_hook_links_to_its_trace_and_to_what_it_promoted() {
        let end = |url: &str| {
            let ledger = serde_json::from_value(serde_json::json!({
                "version": 1, "id": "i", "app": "shop", "stage": "dev", "namespace": "shop",
                "deliveries": [{"number": 1, "appVersion": "v1", "digest": format!("sha256:{}", "0".repeat(64)), "attempts": [{
                    "number": 1, "application": "shop-dev", "operation": {"name": "a-1"}, "startedAt": "2026-01-01T00:00:00Z",
                    "phases": [{"phase": "PromotionTasks", "state": "Succeeded", "items": [{
                        "definition": "promote", "name": "promote-1", "outcome": "pass", "startedAt": "2026-01-01T00:00:00Z",
                        "details": {"promotion.url": url},
                    }]}],
                }]}],
            }))
            .unwrap();
            HookEnd {
                outcome: stagelink_delivery::Outcome::Pass,
                reason: None,
                delivery: 1,
                attempt: 1,
                ran: true,
                noticed: Vec::new(),
                ledger,
            }
        };
        let template = "https://t/{traceId}".parse().unwrap();
        let found = annotations(&end("https://forge/pull/7"), Some(&template));
        let trace = &found["link.argocd.argoproj.io/trace"];
        assert!(
            trace.starts_with("https://t/") && trace.len() == "https://t/".len() + 32,
            "{trace}"
        );
        assert_eq!(
            found["link.argocd.argoproj.io/promotion"],
            "https://forge/pull/7"
        );
        assert!(annotations(&end("javascript:alert(1)"), None).is_empty());
    }
}
