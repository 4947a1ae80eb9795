//! Names of Keptn's resources, after which it names its spans.

use sha2::{Digest as _, Sha256};
use stagelink_delivery::resource_name;

/// Name of the KeptnAppVersion, `<app>-<version>-<hash8>`. Keptn hashes the app's generation; here
/// the number of the delivery stands for it, which counts the same changes.
pub(crate) fn app_version(app: &str, version: &str, delivery: u64) -> String {
    let hash = Sha256::digest(delivery.to_string());
    let hash: String = hash[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    resource_name(&[app, version, &hash])
}

/// Name of the KeptnWorkload, `<app>-<workload>`.
pub(crate) fn workload(app: &str, workload: &str) -> String {
    resource_name(&[app, workload])
}

/// Name of the KeptnWorkloadVersion, `<app>-<workload>-<version>`.
pub(crate) fn workload_version(app: &str, workload: &str, version: &str) -> String {
    resource_name(&[app, workload, version])
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
}
