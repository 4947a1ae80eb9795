//! How tasks end.

use stagelink_delivery::Outcome;
use stagelink_delivery::ledger::ItemReport;
use stagelink_delivery::ports::ItemEnd;

/// Short causes, as a Job has them; what people filter by.
pub(crate) mod reason {
    pub(crate) const ARGUMENTS: &str = "InvalidArguments";
    pub(crate) const CANCELLED: &str = "Cancelled";
    /// Kubernetes' word for a Job that took too long.
    pub(crate) const DEADLINE: &str = "DeadlineExceeded";
    pub(crate) const ERROR_RATE: &str = "ErrorRate";
    pub(crate) const QUERY: &str = "QueryRefused";
    pub(crate) const UNREACHABLE: &str = "Unreachable";
    pub(crate) const PROMOTION: &str = "PromotionFailed";
}

/// An end without numbers.
pub(crate) fn end(outcome: Outcome, reason: &str, message: impl Into<String>) -> ItemEnd {
    ItemEnd {
        outcome,
        report: ItemReport {
            reason: reason.to_owned(),
            message: message.into(),
            ..ItemReport::default()
        },
    }
}
