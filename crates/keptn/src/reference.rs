//! References from one resource to another.

use serde::{Deserialize, Serialize};

/// A resource in the same namespace, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameReference {
    /// Name of the resource; may be empty where Keptn's schema does not require it.
    #[serde(default)]
    pub name: String,
}

/// A resource by name, in another namespace if one is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespacedReference {
    /// Name of the resource.
    #[serde(default)]
    pub name: String,
    /// Its namespace; what an absent one means depends on the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// One key of a Secret (`core/v1 SecretKeySelector`). Only ever a reference, never the value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretKeyReference {
    /// Name of the Secret.
    #[serde(default)]
    pub name: String,
    /// Key in the Secret; Keptn's schema requires it, its documentation leaves it out at times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// True if the Secret need not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// The cluster's resource behind a workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceReference {
    /// UID of the resource.
    #[serde(default)]
    pub uid: String,
    /// Its kind, for example `ReplicaSet`.
    #[serde(default)]
    pub kind: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
}
