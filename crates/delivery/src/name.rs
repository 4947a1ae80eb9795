//! Names of Keptn's resources, as Keptn makes them (`lifecycle-operator/common/common.go`). Its spans and
//! events have them too.

use sha2::{Digest as _, Sha256};

/// A Kubernetes name may have this many bytes.
const MAXIMUM: usize = 253;
/// No part is cut below this, unless there are too many parts.
const MINIMUM_PART: usize = 80;

/// `<check type>-<definition>-<five digits>`, lowercase, `_` as `-`, cut where too long.
pub(crate) fn item_name(check_type: &str, definition: &str, suffix: u32) -> String {
    resource_name(&[check_type, definition, &suffix.to_string()])
}

/// Joins parts with `-`, lowercase, `_` as `-`; when that is too long for Kubernetes, parts are cut
/// from the first on. Keptn names its resources, and after them its spans, in this way.
pub fn resource_name(parts: &[&str]) -> String {
    let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
    let mut minimum = MINIMUM_PART;
    while parts.len() * minimum > MAXIMUM {
        minimum /= 2;
    }
    let separators = parts.len().saturating_sub(1);
    let mut excess =
        (parts.iter().map(String::len).sum::<usize>() + separators).saturating_sub(MAXIMUM);
    for part in &mut parts {
        let cut = excess.min(part.len().saturating_sub(minimum));
        let mut end = part.len() - cut;
        while !part.is_char_boundary(end) {
            end -= 1;
        }
        part.truncate(end);
        excess -= cut;
    }
    parts.join("-").to_lowercase().replace('_', "-")
}

/// Name of the KeptnAppVersion, `<app>-<version>-<hash8>`. Keptn hashes the app's generation; here
/// the number of the delivery stands for it, which counts the same changes.
pub fn app_version_name(app: &str, version: &str, delivery: u64) -> String {
    let hash = Sha256::digest(delivery.to_string());
    let hash: String = hash[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    resource_name(&[app, version, &hash])
}

/// Name of the KeptnWorkload, `<app>-<workload>`.
pub fn workload_name(app: &str, workload: &str) -> String {
    resource_name(&[app, workload])
}

/// Name of the KeptnWorkloadVersion, `<app>-<workload>-<version>`.
pub fn workload_version_name(app: &str, workload: &str, version: &str) -> String {
    resource_name(&[app, workload, version])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_versions_are_keptns() {
        // Keptn's own example; the first generation has the hash 6b86b273.
        assert_eq!(
            app_version_name("podtato-head", "v0.3.0", 1),
            "podtato-head-v0.3.0-6b86b273"
        );
        assert_eq!(app_version_name("a", "b", 2), "a-b-d4735e3a");
        assert_eq!(workload_name("My_App", "web"), "my-app-web");
        assert_eq!(workload_version_name("app", "web", "V1"), "app-web-v1");
    }

    #[test]
    fn names_are_keptns() {
        assert_eq!(item_name("pre", "Check_It", 12345), "pre-check-it-12345");
        let long = item_name("post-eval", &"x".repeat(300), 10000);
        assert_eq!(long.len(), MAXIMUM);
        assert!(long.starts_with("post-eval-xxx") && long.ends_with("x-10000"));
    }
}
