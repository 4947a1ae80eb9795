//! Versions of workloads and apps, computed as Keptn computes them.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::Workload;

/// What [`of_containers`] found.
pub(super) struct ContainerVersion {
    pub version: String,
    /// True if a container was asked for that is not there.
    pub unknown_container: bool,
}

/// The version of a workload that states none (Keptn: `objectmeta.go`, `calculateVersion`): the tag
/// of the image of the named or the only container, unless it is `latest`; else an FNV-1a hash over
/// names, images and environment of all containers.
///
/// Different from Keptn: the port of a registry is not taken for a tag.
pub(super) fn of_containers(pod: &Value, container: Option<&str>) -> ContainerVersion {
    let containers = pod["containers"].as_array().map_or(&[][..], Vec::as_slice);
    let wanted = match container {
        Some(name) => containers.iter().find(|item| item["name"] == name),
        None if containers.len() == 1 => containers.first(),
        None => None,
    };
    let unknown_container = container.is_some() && wanted.is_none();
    if let Some(tag) = wanted.and_then(|item| item["image"].as_str()).and_then(tag) {
        return ContainerVersion {
            version: tag.to_owned(),
            unknown_container,
        };
    }
    let mut text = String::new();
    for item in containers {
        text.push_str(item["name"].as_str().unwrap_or_default());
        text.push_str(item["image"].as_str().unwrap_or_default());
        for variable in item["env"].as_array().into_iter().flatten() {
            text.push_str(variable["name"].as_str().unwrap_or_default());
            text.push_str(variable["value"].as_str().unwrap_or_default());
        }
    }
    ContainerVersion {
        version: fnv32a(text.as_bytes()).to_string(),
        unknown_container,
    }
}

/// Tag of an image, or the digits of its digest.
fn tag(image: &str) -> Option<&str> {
    let (_, tag) = image.rsplit_once(':')?;
    (!tag.is_empty() && tag != "latest" && !tag.contains('/')).then_some(tag)
}

/// 32-bit FNV-1a: <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>.
fn fnv32a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// The version of an app that states none (Keptn: `keptnappcreationrequest/controller.go`): that of
/// the only workload, else the first 10 hex digits of SHA-256 over `<app>-<workload>-<version>` of
/// all, here in the order of their names.
pub(super) fn of_app(app: &str, workloads: &[Workload]) -> String {
    if let [only] = workloads {
        return only.version.clone();
    }
    let mut parts: Vec<String> = workloads
        .iter()
        .map(|workload| format!("{app}-{}-{}", workload.name, workload.version))
        .collect();
    parts.sort();
    let mut version = String::new();
    for byte in Sha256::digest(parts.concat().as_bytes()).iter().take(5) {
        // Writing to a String cannot fail.
        let _ = write!(version, "{byte:02x}");
    }
    version
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_version_is_the_images_tag_or_a_hash() {
        let one = |image: &str| json!({"containers": [{"name": "a", "image": image}]});
        for (image, version) in [
            ("nginx:1.27", "1.27"),
            ("localhost:5000/nginx:1.27", "1.27"),
            ("nginx@sha256:00ff", "00ff"),
        ] {
            assert_eq!(of_containers(&one(image), None).version, version);
        }
        for image in ["nginx", "nginx:latest", "localhost:5000/nginx", "nginx:"] {
            let hash = of_containers(&one(image), None).version;
            assert_eq!(hash, fnv32a(format!("a{image}").as_bytes()).to_string());
        }
    }

    #[test]
    fn fnv_is_the_published_one() {
        // Test vectors of the FNV draft, appendix C.
        assert_eq!(fnv32a(b""), 0x811c_9dc5);
        assert_eq!(fnv32a(b"a"), 0xe40c_292c);
        assert_eq!(fnv32a(b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn a_named_container_decides() {
        let pod = json!({"containers": [
            {"name": "a", "image": "x:1"}, {"name": "b", "image": "y:2", "env": [{"name": "N", "value": "v"}]}
        ]});
        assert_eq!(of_containers(&pod, Some("b")).version, "2");
        assert_eq!(
            of_containers(&pod, None).version,
            fnv32a(b"ax:1by:2Nv").to_string()
        );
        let lost = of_containers(&pod, Some("c"));
        assert!(lost.unknown_container && lost.version == fnv32a(b"ax:1by:2Nv").to_string());
    }
}
