//! `KeptnConfig`: settings of Keptn's operator.

use serde::{Deserialize, Serialize};

use crate::GoDuration;

/// `KeptnConfig.spec` (`options.keptn.sh/v1alpha1`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigSpec {
    /// Host and port of an OpenTelemetry collector, gRPC.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        rename = "OTelCollectorUrl"
    )]
    pub otel_collector_url: Option<String>,
    /// Where CloudEvents go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_events_endpoint: Option<String>,
    /// False turns failed checks into warnings; see [`blocks`](Self::blocks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_deployment: Option<bool>,
    /// How long workloads may take to become healthy; see [`observability`](Self::observability).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observability_timeout: Option<GoDuration>,
    /// Seconds that the operator waits for the workloads of an app; 30 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keptn_app_creation_request_timeout_seconds: Option<u64>,
    /// Not used by Keptn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_api_enabled: Option<bool>,
}

impl ConfigSpec {
    /// Whether a failed check stops the delivery; true when nothing is said (the CRD's default).
    pub fn blocks(&self) -> bool {
        self.block_deployment.unwrap_or(true)
    }

    /// How long workloads may take to become healthy; 5 minutes when nothing is said.
    pub fn observability(&self) -> GoDuration {
        self.observability_timeout
            .unwrap_or(GoDuration::from_seconds(300))
    }
}
