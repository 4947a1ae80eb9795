//! `KeptnWorkloadInstance`: what a KeptnWorkloadVersion was called before v1alpha4.

use serde::{Deserialize, Serialize};

use crate::WorkloadVersionSpec;

/// `KeptnWorkloadInstance.spec` (legacy): the same fields, without metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkloadInstanceSpec(pub WorkloadVersionSpec);
