//! `promote`: hands over to [`stagelink_promotion`].

use stagelink_delivery::Outcome;
use stagelink_delivery::ledger::ItemReport;
use stagelink_delivery::ports::ItemEnd;
use stagelink_promotion::{PromoteArguments, PromotionContext, PromotionError, promote};
use tokio_util::sync::CancellationToken;

use crate::Environment;
use crate::report::{end, reason};

/// Carries out a promotion.
pub(crate) async fn run(
    arguments: &PromoteArguments,
    environment: &Environment,
    cancel: &CancellationToken,
) -> ItemEnd {
    let (promotion, target) = match arguments.resolve(&context(environment)) {
        Ok(resolved) => resolved,
        Err(error) => return failed(&error),
    };
    match promote(&promotion, &target, cancel).await {
        Ok(promoted) => ItemEnd {
            outcome: Outcome::Pass,
            report: ItemReport {
                details: promoted.details(),
                message: promoted.summary,
                ..ItemReport::default()
            },
        },
        Err(error) => failed(&error),
    }
}

fn context(environment: &Environment) -> PromotionContext {
    let app = &environment.context.app_name;
    PromotionContext {
        app: (!app.is_empty()).then(|| app.clone()),
        stage: environment.stage.clone(),
        revision: environment.revision.clone(),
        repository: environment.repository.clone(),
        delivery: environment.delivery.clone(),
        trace_parent: environment.trace_parent,
        secure_data: environment.secure_data.clone(),
    }
}

fn failed(error: &PromotionError) -> ItemEnd {
    let (outcome, reason) = match error {
        PromotionError::Cancelled => (Outcome::Error, reason::CANCELLED),
        error if error.is_usage() => (Outcome::Fail, reason::ARGUMENTS),
        error if error.is_worth_another_try() => (Outcome::Error, reason::PROMOTION),
        _ => (Outcome::Fail, reason::PROMOTION),
    };
    end(outcome, reason, error.to_string())
}
