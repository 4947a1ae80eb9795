//! Keptn's phases and states, with Keptn's names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A phase of an app or of a workload (Keptn: `apis/lifecycle/v1/common/phases.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are Keptn's and say what they are")]
pub enum Phase {
    AppPreDeployTasks,
    AppPreDeployEvaluations,
    AppDeploy,
    AppPostDeployTasks,
    AppPostDeployEvaluations,
    PromotionTasks,
    WorkloadPreDeployTasks,
    WorkloadPreDeployEvaluations,
    WorkloadDeploy,
    WorkloadPostDeployTasks,
    WorkloadPostDeployEvaluations,
}

impl Phase {
    /// The phases of an app, in order.
    pub const APP: [Self; 6] = [
        Self::AppPreDeployTasks,
        Self::AppPreDeployEvaluations,
        Self::AppDeploy,
        Self::AppPostDeployTasks,
        Self::AppPostDeployEvaluations,
        Self::PromotionTasks,
    ];

    /// The phases of a workload, in order; all lie within [`Phase::AppDeploy`].
    pub const WORKLOAD: [Self; 5] = [
        Self::WorkloadPreDeployTasks,
        Self::WorkloadPreDeployEvaluations,
        Self::WorkloadDeploy,
        Self::WorkloadPostDeployTasks,
        Self::WorkloadPostDeployEvaluations,
    ];

    /// Keptn's short name, for example `AppPreDeployTasks`; it is the name of the phase's span.
    pub fn short_name(self) -> &'static str {
        match self {
            Self::AppPreDeployTasks => "AppPreDeployTasks",
            Self::AppPreDeployEvaluations => "AppPreDeployEvaluations",
            Self::AppDeploy => "AppDeploy",
            Self::AppPostDeployTasks => "AppPostDeployTasks",
            Self::AppPostDeployEvaluations => "AppPostDeployEvaluations",
            Self::PromotionTasks => "PromotionTasks",
            Self::WorkloadPreDeployTasks => "WorkloadPreDeployTasks",
            Self::WorkloadPreDeployEvaluations => "WorkloadPreDeployEvaluations",
            Self::WorkloadDeploy => "WorkloadDeploy",
            Self::WorkloadPostDeployTasks => "WorkloadPostDeployTasks",
            Self::WorkloadPostDeployEvaluations => "WorkloadPostDeployEvaluations",
        }
    }

    /// Keptn's long name, for example `App Pre-Deployment Tasks`; events use it.
    pub fn long_name(self) -> &'static str {
        match self {
            Self::AppPreDeployTasks => "App Pre-Deployment Tasks",
            Self::AppPreDeployEvaluations => "App Pre-Deployment Evaluations",
            Self::AppDeploy => "App Deployment",
            Self::AppPostDeployTasks => "App Post-Deployment Tasks",
            Self::AppPostDeployEvaluations => "App Post-Deployment Evaluations",
            Self::PromotionTasks => "Promotion Tasks",
            Self::WorkloadPreDeployTasks => "Workload Pre-Deployment Tasks",
            Self::WorkloadPreDeployEvaluations => "Workload Pre-Deployment Evaluations",
            Self::WorkloadDeploy => "Workload Deployment",
            Self::WorkloadPostDeployTasks => "Workload Post-Deployment Tasks",
            Self::WorkloadPostDeployEvaluations => "Workload Post-Deployment Evaluations",
        }
    }

    /// What the items of this phase are checked as; `None` for a deployment.
    pub fn check_type(self) -> Option<CheckType> {
        Some(match self {
            Self::AppPreDeployTasks | Self::WorkloadPreDeployTasks => CheckType::Pre,
            Self::AppPostDeployTasks | Self::WorkloadPostDeployTasks => CheckType::Post,
            Self::PromotionTasks => CheckType::Promotion,
            Self::AppPreDeployEvaluations | Self::WorkloadPreDeployEvaluations => {
                CheckType::PreEvaluation
            }
            Self::AppPostDeployEvaluations | Self::WorkloadPostDeployEvaluations => {
                CheckType::PostEvaluation
            }
            Self::AppDeploy | Self::WorkloadDeploy => return None,
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.short_name())
    }
}

/// Keptn's check types (`apis/lifecycle/v1/common/common.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckType {
    /// A task before the deployment.
    Pre,
    /// A task after the deployment.
    Post,
    /// A task of the promotion.
    Promotion,
    /// An evaluation before the deployment.
    PreEvaluation,
    /// An evaluation after the deployment.
    PostEvaluation,
}

impl CheckType {
    /// Keptn's word, as in task names, `keptn.deployment.task.type` and `KEPTN_CONTEXT.taskType`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Post => "post",
            Self::Promotion => "promotion",
            Self::PreEvaluation => "pre-eval",
            Self::PostEvaluation => "post-eval",
        }
    }

    /// True for evaluations, false for tasks.
    pub fn is_evaluation(self) -> bool {
        matches!(self, Self::PreEvaluation | Self::PostEvaluation)
    }
}

/// Keptn's states of a phase (`apis/lifecycle/v1/common/common.go`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// Not begun.
    #[default]
    Pending,
    /// Begun, not ended.
    Progressing,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Ended badly, but the app does not block.
    Warning,
    /// Will not be run any more, because an earlier phase failed.
    Deprecated,
    /// Cannot be told.
    Unknown,
}

impl State {
    /// True if nothing will change any more.
    pub fn is_completed(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Deprecated | Self::Warning
        )
    }
}
