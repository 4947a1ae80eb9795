//! `.Capabilities`: what the target cluster is and knows.

use std::any::Any;
use std::rc::Rc;

use stagelink_gotemplate::{Kind, List, ListKind, Object, Parameter, Value};

/// API versions that Helm 4.3 takes for known without a cluster: those of its Kubernetes client, in its order.
const API_VERSIONS: [&str; 57] = [
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

/// Kubernetes version that Helm 4.3 takes without being told.
const KUBE_VERSION: &str = "v1.37.0";

/// The cluster that a chart is rendered for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    kube_version: KubeVersion,
    api_versions: Rc<[String]>,
}

impl Default for Capabilities {
    /// As `helm template` without `--kube-version` and `--api-versions`.
    fn default() -> Self {
        let kube_version = KubeVersion {
            version: KUBE_VERSION.to_owned(),
            normalized: KUBE_VERSION.to_owned(),
            major: "1".to_owned(),
            minor: "37".to_owned(),
        };
        Self {
            kube_version,
            api_versions: API_VERSIONS.map(str::to_owned).into(),
        }
    }
}

impl Capabilities {
    /// As `helm template --kube-version … --api-versions …`: further API versions come after those that Helm knows.
    ///
    /// ```
    /// use stagelink_helm::Capabilities;
    ///
    /// let capabilities = Capabilities::new(Some("1.33.4-gke.1245000"), ["example.org/v1"])?;
    /// assert_eq!(capabilities.kube_version(), "v1.33.4");
    /// assert!(capabilities.has("example.org/v1") && capabilities.has("apps/v1"));
    /// assert!(Capabilities::new(Some("latest"), []).is_err());
    /// # Ok::<(), stagelink_helm::KubeVersionError>(())
    /// ```
    ///
    /// # Errors
    /// A version that is none.
    pub fn new<'a>(
        kube_version: Option<&str>,
        api_versions: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, KubeVersionError> {
        let mut capabilities = Self::default();
        if let Some(version) = kube_version.filter(|version| !version.is_empty()) {
            capabilities.kube_version = KubeVersion::parse(version)?;
        }
        let further: Vec<String> = api_versions.into_iter().map(str::to_owned).collect();
        if !further.is_empty() {
            capabilities.api_versions = capabilities
                .api_versions
                .iter()
                .cloned()
                .chain(further)
                .collect();
        }
        Ok(capabilities)
    }

    /// The Kubernetes version without what a vendor adds to it.
    #[must_use]
    pub fn kube_version(&self) -> &str {
        &self.kube_version.normalized
    }

    /// The Kubernetes version in full.
    #[must_use]
    pub fn full_kube_version(&self) -> &str {
        &self.kube_version.version
    }

    /// True if the cluster knows an API version (`apps/v1`) or a kind of one (`apps/v1/Deployment`).
    #[must_use]
    pub fn has(&self, api_version: &str) -> bool {
        self.api_versions.iter().any(|known| known == api_version)
    }

    /// `.Capabilities` of Go templates.
    pub(crate) fn object(&self) -> Value {
        Value::object(CapabilitiesObject {
            capabilities: self.clone(),
        })
    }

    /// `Capabilities` of Handlebars templates.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "KubeVersion": {"Version": self.kube_version.version, "Major": self.kube_version.major, "Minor": self.kube_version.minor},
            "APIVersions": *self.api_versions,
        })
    }
}

/// A text that is no Kubernetes version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid kube version '{0}': could not parse {0:?} as version; write it like 1.33.4")]
pub struct KubeVersionError(String);

/// `.Capabilities.KubeVersion`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KubeVersion {
    version: String,
    normalized: String,
    major: String,
    minor: String,
}

impl KubeVersion {
    fn parse(source: &str) -> Result<Self, KubeVersionError> {
        let fault = || KubeVersionError(source.to_owned());
        let trimmed = source.trim_start();
        let digits = trimmed.strip_prefix('v').unwrap_or(trimmed);
        let end = digits
            .find(|next: char| !next.is_ascii_digit() && next != '.')
            .unwrap_or(digits.len());
        let numbers: Vec<&str> = digits[..end].trim_end_matches('.').split('.').collect();
        let is_number = |number: &&str| {
            number.parse::<u64>().is_ok() && (*number == "0" || !number.starts_with('0'))
        };
        if numbers.len() < 2 || !numbers.iter().all(is_number) {
            return Err(fault());
        }
        let version = if source.starts_with('v') {
            source.to_owned()
        } else {
            format!("v{source}")
        };
        Ok(Self {
            version,
            normalized: format!("v{}", numbers.join(".")),
            major: numbers[0].to_owned(),
            minor: numbers[1].to_owned(),
        })
    }

    pub(crate) fn plain(&self) -> Value {
        Value::map([
            ("Version", Value::from(self.version.as_str())),
            ("Major", Value::from(self.major.as_str())),
            ("Minor", Value::from(self.minor.as_str())),
        ])
    }

    fn fields(&self) -> String {
        format!(
            "{{{} {} {} {}}}",
            self.version, self.normalized, self.major, self.minor
        )
    }
}

impl Object for KubeVersion {
    fn type_name(&self) -> &str {
        "common.KubeVersion"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Version" => Some(Value::from(self.version.as_str())),
            "Major" => Some(Value::from(self.major.as_str())),
            "Minor" => Some(Value::from(self.minor.as_str())),
            _ => None,
        }
    }

    fn has_method(&self, name: &str) -> bool {
        matches!(name, "String" | "GitVersion")
    }

    fn parameters(&self, _: &str) -> Option<&'static [Parameter]> {
        Some(&[])
    }

    fn call(&self, name: &str, _: &[Value]) -> Option<Result<Value, String>> {
        match name {
            "String" => Some(Ok(Value::from(self.normalized.as_str()))),
            "GitVersion" => Some(Ok(Value::from(self.version.as_str()))),
            _ => None,
        }
    }

    fn print(&self, verb: char) -> Vec<u8> {
        if verb == 'v' {
            self.normalized.clone().into_bytes()
        } else {
            self.fields().into_bytes()
        }
    }

    fn is_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }
}

/// `.Capabilities.APIVersions`: a list with the method `Has`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiVersions(Rc<[String]>);

impl ApiVersions {
    pub(crate) fn plain(&self) -> Value {
        let versions = self
            .0
            .iter()
            .map(|version| Value::from(version.as_str()))
            .collect();
        Value::List(List::with_kind(versions, ListKind::String))
    }
}

impl Object for ApiVersions {
    fn type_name(&self) -> &str {
        "common.VersionSet"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn has_method(&self, name: &str) -> bool {
        name == "Has"
    }

    fn parameters(&self, _: &str) -> Option<&'static [Parameter]> {
        Some(&[Parameter::String])
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        match (name, arguments) {
            ("Has", [Value::String(wanted)]) => Some(Ok(Value::Bool(
                self.0.iter().any(|known| *wanted == *known.as_str()),
            ))),
            _ => None,
        }
    }

    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        Some(
            self.0
                .iter()
                .enumerate()
                .map(|(index, version)| (Value::Int(index as i64), Value::from(version.as_str())))
                .collect(),
        )
    }

    fn print(&self, _: char) -> Vec<u8> {
        stagelink_gotemplate::fmt::display(&self.plain())
    }

    fn is_true(&self) -> bool {
        !self.0.is_empty()
    }

    fn is_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }
}

/// `.Capabilities.HelmVersion`: the Helm that this crate behaves like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HelmVersion;

impl HelmVersion {
    const FIELDS: [(&'static str, &'static str); 5] = [
        ("Version", "v4.3"),
        ("GitCommit", ""),
        ("GitTreeState", ""),
        ("GoVersion", "go1.26.8"),
        ("KubeClientVersion", "v1.37"),
    ];

    pub(crate) fn plain(self) -> Value {
        let key = |name: &'static str| match name {
            "Version" => "version",
            "GitCommit" => "git_commit",
            "GitTreeState" => "git_tree_state",
            "GoVersion" => "go_version",
            _ => "kube_client_version",
        };
        let shown = Self::FIELDS
            .into_iter()
            .filter(|(_, value)| !value.is_empty());
        Value::map(shown.map(|(name, value)| (key(name), Value::from(value))))
    }
}

impl Object for HelmVersion {
    fn type_name(&self) -> &str {
        "version.BuildInfo"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        Self::FIELDS
            .into_iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| Value::from(value))
    }

    fn print(&self, _: char) -> Vec<u8> {
        format!("{{{}}}", Self::FIELDS.map(|(_, value)| value).join(" ")).into_bytes()
    }
}

/// `.Capabilities` itself.
#[derive(Debug)]
pub(crate) struct CapabilitiesObject {
    capabilities: Capabilities,
}

impl CapabilitiesObject {
    pub(crate) fn plain(&self) -> Value {
        let api_versions = ApiVersions(Rc::clone(&self.capabilities.api_versions));
        Value::map([
            ("KubeVersion", self.capabilities.kube_version.plain()),
            ("APIVersions", api_versions.plain()),
            ("HelmVersion", HelmVersion.plain()),
        ])
    }
}

impl Object for CapabilitiesObject {
    fn type_name(&self) -> &str {
        "*common.Capabilities"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn kind(&self) -> Kind {
        Kind::Pointer
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "KubeVersion" => Some(Value::object(self.capabilities.kube_version.clone())),
            "APIVersions" => Some(Value::object(ApiVersions(Rc::clone(
                &self.capabilities.api_versions,
            )))),
            "HelmVersion" => Some(Value::object(HelmVersion)),
            _ => None,
        }
    }

    fn print(&self, verb: char) -> Vec<u8> {
        let versions = ApiVersions(Rc::clone(&self.capabilities.api_versions)).print(verb);
        [
            b"&{",
            self.capabilities.kube_version.fields().as_bytes(),
            b" ",
            &versions,
            b" ",
            &HelmVersion.print(verb),
            b"}",
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_versions() {
        for (source, version, normalized, minor) in [
            ("1.29", "v1.29", "v1.29", "29"),
            (
                "v1.33.4-gke.1245000",
                "v1.33.4-gke.1245000",
                "v1.33.4",
                "33",
            ),
            ("1.30.2+k3s1", "v1.30.2+k3s1", "v1.30.2", "30"),
            ("1.26+", "v1.26+", "v1.26", "26"),
        ] {
            let parsed = KubeVersion::parse(source).unwrap();
            assert_eq!(
                (
                    parsed.version.as_str(),
                    parsed.normalized.as_str(),
                    parsed.minor.as_str()
                ),
                (version, normalized, minor)
            );
        }
        for source in ["", "1", "v", "x.y", "01.2", "-1.2"] {
            assert!(KubeVersion::parse(source).is_err(), "{source}");
        }
    }
}
