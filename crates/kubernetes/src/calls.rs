//! How often the API server was asked, for what.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::Method;
use stagelink_delivery::ports::CallCounter;

/// Counts requests to the API server by verb and resource, each try of a retried one too. Clones
/// count together.
#[derive(Debug, Clone, Default)]
pub struct ApiCalls {
    counts: Arc<Mutex<BTreeMap<(&'static str, String), u64>>>,
}

impl ApiCalls {
    pub(crate) fn count(&self, method: &Method, uri: &http::Uri) {
        let (verb, resource) = request_info(method, uri.path(), uri.query().unwrap_or_default());
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((verb, resource)).or_default() += 1;
    }

    /// The counts by `<verb> <resource>`, for example `patch configmaps`.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let named = |((verb, resource), count): (&(&str, String), &u64)| {
            (format!("{verb} {resource}"), *count)
        };
        counts.iter().map(named).collect()
    }

    /// All requests so far.
    pub fn total(&self) -> u64 {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.values().sum()
    }
}

impl CallCounter for ApiCalls {
    fn calls(&self) -> u64 {
        self.total()
    }
}

/// On one line: `12 API calls: get configmaps 2, patch configmaps 10`.
impl fmt::Display for ApiCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        write!(f, "{total} API call{}", if total == 1 { "" } else { "s" })?;
        for (index, (call, count)) in self.counts().iter().enumerate() {
            write!(f, "{} {call} {count}", if index == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

/// Verb and resource as RBAC names them (Kubernetes documentation, "Determine the Request Verb").
fn request_info(method: &Method, path: &str, query: &str) -> (&'static str, String) {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    // `/api/<version>` or `/apis/<group>/<version>`; anything else is no resource.
    let is_resource = match parts.next() {
        Some("api") => parts.next().is_some(),
        Some("apis") => parts.next().is_some() && parts.next().is_some(),
        _ => false,
    };
    let mut rest: Vec<&str> = parts.collect();
    if !is_resource || rest.is_empty() {
        return ("get", path.to_owned());
    }
    // `namespaces/<namespace>/<resource>…` is in a namespace, `namespaces/<namespace>` is one.
    if rest.len() > 2 && rest.first() == Some(&"namespaces") {
        rest.drain(..2);
    }
    let is_named = rest.len() > 1;
    let resource = match rest.as_slice() {
        [resource, _, subresource, ..] => format!("{resource}/{subresource}"),
        [resource, ..] => (*resource).to_owned(),
        [] => String::new(),
    };
    let is_watch = query
        .split('&')
        .any(|pair| matches!(pair, "watch=true" | "watch=1"));
    let verb = match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if is_named => "delete",
        Method::DELETE => "deletecollection",
        _ if is_watch => "watch",
        _ if is_named => "get",
        _ => "list",
    };
    (verb, resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_verbs_and_resources_of_rbac() {
        for (method, uri, expected) in [
            (
                "GET",
                "/api/v1/namespaces/shop/configmaps/x",
                "get configmaps",
            ),
            (
                "POST",
                "/api/v1/namespaces/shop/configmaps?fieldManager=a",
                "create configmaps",
            ),
            (
                "PUT",
                "/api/v1/namespaces/shop/configmaps/x",
                "update configmaps",
            ),
            (
                "PATCH",
                "/api/v1/namespaces/shop/configmaps/x?",
                "patch configmaps",
            ),
            (
                "DELETE",
                "/apis/batch/v1/namespaces/shop/jobs/x",
                "delete jobs",
            ),
            (
                "DELETE",
                "/apis/batch/v1/namespaces/shop/jobs",
                "deletecollection jobs",
            ),
            (
                "GET",
                "/apis/apps/v1/namespaces/shop/deployments?&fieldSelector=x",
                "list deployments",
            ),
            (
                "GET",
                "/apis/apps/v1/namespaces/shop/deployments?&watch=true&x=y",
                "watch deployments",
            ),
            (
                "GET",
                "/api/v1/namespaces/shop/pods/x/log?tailLines=5",
                "get pods/log",
            ),
            ("GET", "/api/v1/namespaces/shop", "get namespaces"),
            ("GET", "/api/v1/namespaces", "list namespaces"),
            ("GET", "/api/v1/nodes/one", "get nodes"),
            (
                "GET",
                "/apis/argoproj.io/v1alpha1",
                "get /apis/argoproj.io/v1alpha1",
            ),
            ("GET", "/version", "get /version"),
        ] {
            let calls = ApiCalls::default();
            calls.count(&method.parse().unwrap(), &uri.parse().unwrap());
            let counted: Vec<String> = calls.counts().into_keys().collect();
            assert_eq!(counted, [expected], "{method} {uri}");
        }
    }

    #[test]
    fn counts_are_told_on_one_line() {
        let calls = ApiCalls::default();
        assert_eq!(calls.to_string(), "0 API calls");
        let uri = "/api/v1/namespaces/shop/configmaps/x".parse().unwrap();
        calls.clone().count(&Method::GET, &uri);
        assert_eq!(calls.to_string(), "1 API call: get configmaps 1");
        calls.count(&Method::PATCH, &uri);
        calls.count(&Method::PATCH, &uri);
        let line = "3 API calls: get configmaps 1, patch configmaps 2";
        assert_eq!((calls.to_string().as_str(), calls.total()), (line, 3));
    }
}
