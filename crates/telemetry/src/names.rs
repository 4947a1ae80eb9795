//! Names of Keptn's resources, after which it names its spans.

use sha2::{Digest as _, Sha256};

/// Kubernetes' limit for the name of a resource.
const MAX_LENGTH: usize = 253;
/// How much of a part is kept at least (`MinKeptnNameLen`).
const MIN_PART: usize = 80;

/// Name of the KeptnAppVersion, `<app>-<version>-<hash8>`. Keptn hashes the app's generation; here
/// the number of the delivery stands for it, which counts the same changes.
pub(crate) fn app_version(app: &str, version: &str, delivery: u64) -> String {
    let hash = Sha256::digest(delivery.to_string());
    let hash: String = hash[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    resource(&[app, version, &hash])
}

/// Name of the KeptnWorkload, `<app>-<workload>`.
pub(crate) fn workload(app: &str, workload: &str) -> String {
    resource(&[app, workload])
}

/// Name of the KeptnWorkloadVersion, `<app>-<workload>-<version>`.
pub(crate) fn workload_version(app: &str, workload: &str, version: &str) -> String {
    resource(&[app, workload, version])
}

/// Joins parts as Keptn does (`lifecycle-operator/common/common.go`, `CreateResourceName`): the
/// first parts are cut first, each to [`MIN_PART`], until all is short enough.
fn resource(parts: &[&str]) -> String {
    let mut parts: Vec<&str> = parts.to_vec();
    for index in 0..parts.len().saturating_sub(1) {
        let length = parts.iter().map(|part| part.len() + 1).sum::<usize>() - 1;
        let part = parts[index];
        if length > MAX_LENGTH && part.len() > MIN_PART {
            let keep = part.len().saturating_sub(length - MAX_LENGTH).max(MIN_PART);
            parts[index] = &part[..floor_char_boundary(part, keep)];
        }
    }
    parts.join("-").to_lowercase().replace('_', "-")
}

fn floor_char_boundary(text: &str, mut index: usize) -> usize {
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_keptn() {
        // Keptn's own example; the first generation has the hash 6b86b273.
        assert_eq!(
            app_version("podtato-head", "v0.3.0", 1),
            "podtato-head-v0.3.0-6b86b273"
        );
        assert_eq!(app_version("a", "b", 2), "a-b-d4735e3a");
        assert_eq!(workload("My_App", "web"), "my-app-web");
        assert_eq!(workload_version("app", "web", "V1"), "app-web-v1");
    }

    #[test]
    fn a_long_name_loses_the_end_of_its_first_part() {
        let (app, version) = ("a".repeat(200), "v".repeat(100));
        assert_eq!(
            resource(&[&app, &version, "12345678"]),
            format!("{}-{version}-12345678", "a".repeat(253 - 100 - 8 - 2))
        );
        // No part is cut below 80, so a name of many long parts stays too long, as in Keptn.
        let long = resource(&[&app, &app, &app]);
        assert_eq!(long.len(), 80 + 80 + 200 + 2);
        resource(&["é".repeat(120).as_str(), &version, "x"]);
    }
}
