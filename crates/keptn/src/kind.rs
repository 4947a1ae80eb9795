//! The kinds of Keptn's resources, and the versions in which they are served.

/// A kind of Keptn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeptnKind {
    /// Group of the API, for example `lifecycle.keptn.sh`.
    pub group: &'static str,
    /// The kind, for example `KeptnAppContext`.
    pub kind: &'static str,
    /// Plural for URLs and rules, for example `keptnappcontexts`.
    pub plural: &'static str,
    /// Versions that Keptn serves; the first is the one that it stores.
    pub versions: &'static [&'static str],
}

const LIFECYCLE: &str = "lifecycle.keptn.sh";
const METRICS: &str = "metrics.keptn.sh";
const ALL: &[&str] = &["v1", "v1beta1", "v1alpha3", "v1alpha2", "v1alpha1"];
const FROM_BETA: &[&str] = &["v1", "v1beta1"];
const FROM_ALPHA3: &[&str] = &["v1", "v1beta1", "v1alpha3"];
const LEGACY: &[&str] = &["v1alpha3", "v1alpha2", "v1alpha1"];

const fn kind(
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    versions: &'static [&'static str],
) -> KeptnKind {
    KeptnKind {
        group,
        kind,
        plural,
        versions,
    }
}

impl KeptnKind {
    /// `KeptnAppContext`.
    pub const APP_CONTEXT: Self = kind(LIFECYCLE, "KeptnAppContext", "keptnappcontexts", FROM_BETA);
    /// `KeptnApp`.
    pub const APP: Self = kind(LIFECYCLE, "KeptnApp", "keptnapps", ALL);
    /// `KeptnAppCreationRequest`.
    pub const APP_CREATION_REQUEST: Self = kind(
        LIFECYCLE,
        "KeptnAppCreationRequest",
        "keptnappcreationrequests",
        FROM_ALPHA3,
    );
    /// `KeptnAppVersion`.
    pub const APP_VERSION: Self = kind(LIFECYCLE, "KeptnAppVersion", "keptnappversions", ALL);
    /// `KeptnTaskDefinition`.
    pub const TASK_DEFINITION: Self = kind(
        LIFECYCLE,
        "KeptnTaskDefinition",
        "keptntaskdefinitions",
        ALL,
    );
    /// `KeptnTask`.
    pub const TASK: Self = kind(LIFECYCLE, "KeptnTask", "keptntasks", ALL);
    /// `KeptnEvaluationDefinition`.
    pub const EVALUATION_DEFINITION: Self = kind(
        LIFECYCLE,
        "KeptnEvaluationDefinition",
        "keptnevaluationdefinitions",
        ALL,
    );
    /// `KeptnEvaluation`.
    pub const EVALUATION: Self = kind(LIFECYCLE, "KeptnEvaluation", "keptnevaluations", ALL);
    /// `KeptnEvaluationProvider` (legacy).
    pub const EVALUATION_PROVIDER: Self = kind(
        LIFECYCLE,
        "KeptnEvaluationProvider",
        "keptnevaluationproviders",
        LEGACY,
    );
    /// `KeptnWorkload`.
    pub const WORKLOAD: Self = kind(LIFECYCLE, "KeptnWorkload", "keptnworkloads", ALL);
    /// `KeptnWorkloadVersion`.
    pub const WORKLOAD_VERSION: Self = kind(
        LIFECYCLE,
        "KeptnWorkloadVersion",
        "keptnworkloadversions",
        &["v1", "v1beta1", "v1alpha4"],
    );
    /// `KeptnWorkloadInstance` (legacy).
    pub const WORKLOAD_INSTANCE: Self = kind(
        LIFECYCLE,
        "KeptnWorkloadInstance",
        "keptnworkloadinstances",
        LEGACY,
    );
    /// `KeptnMetric`.
    pub const METRIC: Self = kind(METRICS, "KeptnMetric", "keptnmetrics", ALL);
    /// `KeptnMetricsProvider`.
    pub const METRICS_PROVIDER: Self = kind(
        METRICS,
        "KeptnMetricsProvider",
        "keptnmetricsproviders",
        &["v1", "v1beta1", "v1alpha3", "v1alpha2"],
    );
    /// `Analysis`.
    pub const ANALYSIS: Self = kind(METRICS, "Analysis", "analyses", FROM_ALPHA3);
    /// `AnalysisDefinition`.
    pub const ANALYSIS_DEFINITION: Self = kind(
        METRICS,
        "AnalysisDefinition",
        "analysisdefinitions",
        FROM_ALPHA3,
    );
    /// `AnalysisValueTemplate`.
    pub const ANALYSIS_VALUE_TEMPLATE: Self = kind(
        METRICS,
        "AnalysisValueTemplate",
        "analysisvaluetemplates",
        FROM_ALPHA3,
    );
    /// `KeptnConfig`.
    pub const CONFIG: Self = kind(
        "options.keptn.sh",
        "KeptnConfig",
        "keptnconfigs",
        &["v1alpha1"],
    );

    /// All kinds.
    pub const ALL: [Self; 18] = [
        Self::APP_CONTEXT,
        Self::APP,
        Self::APP_CREATION_REQUEST,
        Self::APP_VERSION,
        Self::TASK_DEFINITION,
        Self::TASK,
        Self::EVALUATION_DEFINITION,
        Self::EVALUATION,
        Self::EVALUATION_PROVIDER,
        Self::WORKLOAD,
        Self::WORKLOAD_VERSION,
        Self::WORKLOAD_INSTANCE,
        Self::METRIC,
        Self::METRICS_PROVIDER,
        Self::ANALYSIS,
        Self::ANALYSIS_DEFINITION,
        Self::ANALYSIS_VALUE_TEMPLATE,
        Self::CONFIG,
    ];

    /// The kind of a resource, whatever its version; `None` if it is not one of Keptn's.
    ///
    /// ```
    /// use stagelink_keptn::KeptnKind;
    ///
    /// assert_eq!(KeptnKind::of("lifecycle.keptn.sh/v1beta1", "KeptnApp"), Some(KeptnKind::APP));
    /// assert_eq!(KeptnKind::of("apps/v1", "Deployment"), None);
    /// ```
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let (group, _) = api_version.split_once('/')?;
        Self::ALL
            .into_iter()
            .find(|known| known.group == group && known.kind == kind)
    }

    /// True if `api_version` has a group of Keptn.
    pub fn is_keptn_group(api_version: &str) -> bool {
        api_version
            .split_once('/')
            .is_some_and(|(group, _)| Self::ALL.iter().any(|known| known.group == group))
    }
}
