//! Commit and traceparent: into the chart's values, and into the KeptnAppContext.

use serde_json::{Map, Value, json};
use stagelink_keptn::KeptnKind;
use stagelink_plan::{COMMIT_ID, TraceParent};

/// What is injected into a render.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Injection {
    /// The revision, if there is one.
    pub revision: Option<String>,
    /// The traceparent, if there is a valid one.
    pub trace_parent: Option<TraceParent>,
}

/// `{"a": {"b": text}}` for the value named `a.b`.
pub(crate) fn value_tree(name: &str, text: &str) -> Value {
    name.rsplit('.')
        .fold(json!(text), |inner, part| json!({ part: inner }))
}

/// The value named `a.b`.
pub(crate) fn value_at<'a>(values: &'a Value, name: &str) -> Option<&'a Value> {
    name.split('.')
        .try_fold(values, |value, part| value.get(part))
}

/// True for a KeptnAppContext of any version.
pub(crate) fn is_app_context(document: &Value) -> bool {
    let text = |key: &str| document[key].as_str().unwrap_or_default();
    KeptnKind::of(text("apiVersion"), text("kind")) == Some(KeptnKind::APP_CONTEXT)
}

/// Puts commit and link into a KeptnAppContext where the chart has not put them itself, and takes
/// out links that are none: Keptn's CRD refuses a `null`, and its operator makes an invalid link of
/// an empty text. Says what was taken out.
pub(crate) fn inject_context(
    context: &mut Value,
    injection: &Injection,
    inject: bool,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let Some(document) = context.as_object_mut() else {
        return warnings;
    };
    let spec = document.entry("spec").or_insert_with(|| json!({}));
    if spec.is_null() {
        *spec = json!({});
    }
    let Some(spec) = spec.as_object_mut() else {
        return warnings;
    };
    clean_links(spec, &mut warnings);
    warn_of_empty_items(spec, &mut warnings);
    if !inject {
        return warnings;
    }
    if let Some(revision) = &injection.revision {
        let metadata = spec.entry("metadata").or_insert_with(|| json!({}));
        if metadata.is_null() {
            *metadata = json!({});
        }
        if let Some(metadata) = metadata.as_object_mut() {
            let commit = metadata.entry(COMMIT_ID).or_insert(Value::Null);
            if commit.is_null() || commit == "" {
                *commit = json!(revision);
            }
        }
    }
    if let Some(link) = injection.trace_parent.map(|link| json!(link.to_string())) {
        let links = spec.entry("spanLinks").or_insert_with(|| json!([]));
        if let Some(links) = links.as_array_mut().filter(|links| !links.contains(&link)) {
            links.push(link);
        }
    }
    warnings
}

/// An empty item names nothing; whoever wrote it meant something.
fn warn_of_empty_items(spec: &Map<String, Value>, warnings: &mut Vec<String>) {
    for (key, value) in spec.iter().filter(|(key, _)| *key != "spanLinks") {
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            if item.is_null() {
                warnings.push(format!(
                    "KeptnAppContext spec.{key}[{index}] is empty, so nothing runs for it; give it a name, or remove it"
                ));
            }
        }
    }
}

fn clean_links(spec: &mut Map<String, Value>, warnings: &mut Vec<String>) {
    let Some(links) = spec.get_mut("spanLinks") else {
        return;
    };
    if let Some(items) = links.as_array_mut() {
        let mut index = 0;
        items.retain(|item| {
            let place = format!("spec.spanLinks[{index}]");
            index += 1;
            let problem = match item.as_str() {
                Some("") => "it is empty".to_owned(),
                None => "it is no text".to_owned(),
                Some(text) => match text.parse::<TraceParent>() {
                    Ok(_) => return true,
                    Err(error) => error.to_string(),
                },
            };
            warnings.push(format!("KeptnAppContext {place} is left out: {problem}"));
            false
        });
    }
    if links.is_null() || links.as_array().is_some_and(Vec::is_empty) {
        spec.remove("spanLinks");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01";
    const OTHER: &str = "00-c088f5c586bab8649159ccc39a9862f7-aaaaaaaaaaaaaaaa-01";

    fn injected(spec: Value, trace_parent: Option<&str>) -> (Value, usize) {
        let mut context = json!({"kind": "KeptnAppContext", "spec": spec});
        let injection = Injection {
            revision: Some("abc".to_owned()),
            trace_parent: trace_parent.map(|text| text.parse().unwrap()),
        };
        let warnings = inject_context(&mut context, &injection, true).len();
        (context["spec"].take(), warnings)
    }

    #[test]
    fn what_the_chart_left_open_is_filled_in() {
        for (spec, link, result) in [
            (
                json!({}),
                Some(LINK),
                json!({"metadata": {"commitID": "abc"}, "spanLinks": [LINK]}),
            ),
            (json!(null), None, json!({"metadata": {"commitID": "abc"}})),
            (
                json!({"metadata": {"commitID": ""}}),
                None,
                json!({"metadata": {"commitID": "abc"}}),
            ),
            (
                json!({"metadata": {"commitID": "mine", "a": "b"}}),
                None,
                json!({"metadata": {"commitID": "mine", "a": "b"}}),
            ),
            (
                json!({"metadata": null, "spanLinks": null}),
                None,
                json!({"metadata": {"commitID": "abc"}}),
            ),
            (
                json!({"spanLinks": [LINK]}),
                Some(LINK),
                json!({"metadata": {"commitID": "abc"}, "spanLinks": [LINK]}),
            ),
            (
                json!({"spanLinks": [OTHER]}),
                Some(LINK),
                json!({"metadata": {"commitID": "abc"}, "spanLinks": [OTHER, LINK]}),
            ),
        ] {
            assert_eq!(injected(spec, link), (result, 0));
        }
    }

    #[test]
    fn links_that_are_none_are_taken_out_and_said() {
        let (spec, warnings) = injected(
            json!({"spanLinks": [null, "", "<no value>", LINK, 7]}),
            None,
        );
        assert_eq!(spec["spanLinks"], json!([LINK]));
        assert_eq!(warnings, 4);
        let (spec, warnings) = injected(json!({"spanLinks": [null]}), None);
        assert_eq!((spec.get("spanLinks"), warnings), (None, 1));
    }

    #[test]
    fn without_injection_only_bad_links_go() {
        let mut context = json!({"spec": {"spanLinks": [""]}});
        let injection = Injection {
            revision: Some("abc".to_owned()),
            trace_parent: LINK.parse().ok(),
        };
        assert_eq!(inject_context(&mut context, &injection, false).len(), 1);
        assert_eq!(context, json!({"spec": {}}));
    }

    #[test]
    fn a_value_may_be_deep() {
        let tree = value_tree("global.commitID", "abc");
        assert_eq!(tree, json!({"global": {"commitID": "abc"}}));
        assert_eq!(value_at(&tree, "global.commitID"), Some(&json!("abc")));
        assert_eq!(value_at(&tree, "global.other"), None);
    }
}
