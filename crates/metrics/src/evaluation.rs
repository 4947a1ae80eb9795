//! Carrying out evaluations.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use stagelink_delivery::Outcome;
use stagelink_delivery::ledger::{ItemReport, ObjectiveRecord};
use stagelink_delivery::ports::{
    DefinitionError, Definitions, EvaluationRequest, Evaluator, ItemEnd, NoDefinitions, NoSecrets,
    Secrets,
};
use stagelink_http::Resolve;
use stagelink_keptn::{
    EvaluationDefinitionSpec, EvaluationTarget, KeptnKind, MetricSpec, Objective, Verdict,
};
use tokio_util::sync::CancellationToken;

use crate::lookup::{self, namespaces};
use crate::provider::{MetricError, Provider, provider};

/// How many objectives are asked for at a time.
const AT_A_TIME: usize = 8;
/// The most objectives of one evaluation.
const MAX_OBJECTIVES: usize = 1000;

/// How metrics are asked for.
#[derive(Clone)]
pub struct Settings {
    /// The namespace that is looked in after the app's.
    pub keptn_namespace: String,
    /// Where definitions, metrics and providers are that the plan does not have.
    pub definitions: Arc<dyn Definitions>,
    /// Where the passwords of providers are.
    pub secrets: Arc<dyn Secrets>,
    /// How long one request to a provider may take.
    pub timeout: Duration,
    /// Servers whose requests go to another address.
    pub resolve: Resolve,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keptn_namespace: "keptn-system".to_owned(),
            definitions: Arc::new(NoDefinitions),
            secrets: Arc::new(NoSecrets),
            timeout: Duration::from_secs(20),
            resolve: Resolve::default(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("keptn_namespace", &self.keptn_namespace)
            .field("timeout", &self.timeout)
            .field("resolve", &self.resolve)
            .finish_non_exhaustive()
    }
}

/// Evaluates KeptnEvaluationDefinitions over KeptnMetrics: those of the plan, then those that the
/// stage keeps.
///
/// As in Keptn every objective must be met once, and one that was met is not asked for again, while
/// the others are tried `retries` times in all, `retryInterval` apart. Unlike there, the provider is
/// asked at every try; there is no wait after the last one; what cannot change is not tried again; and
/// a value that was not met (`fail`) is told apart from no value (`inconclusive`) and from a provider
/// that cannot be asked (`error`). NaN is no value.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    settings: Settings,
}

impl Metrics {
    /// An evaluator with these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

#[async_trait]
impl Evaluator for Metrics {
    async fn evaluate(
        &self,
        request: &EvaluationRequest<'_>,
        cancel: &CancellationToken,
    ) -> ItemEnd {
        let found;
        let definition = match request.definition {
            Some(definition) => definition,
            None => {
                found = tokio::select! {
                    found = self.definition(request) => found,
                    () = cancel.cancelled() => return end(Vec::new(), 0, Ended::Cancelled),
                };
                match &found {
                    Ok(definition) => definition,
                    Err(error) => return cannot(error.to_string()),
                }
            }
        };
        match definition.objectives.len() {
            0 => {
                return cannot(format!(
                    "KeptnEvaluationDefinition {} has no objectives; add one",
                    request.definition_name
                ));
            }
            1..=MAX_OBJECTIVES => {}
            count => {
                return cannot(format!(
                    "KeptnEvaluationDefinition {} has {count} objectives, more than {MAX_OBJECTIVES}",
                    request.definition_name
                ));
            }
        }
        let questions = tokio::select! {
            questions = self.prepare(request, definition) => questions,
            () = cancel.cancelled() => {
                return end(records(&definition.objectives, &[]), 0, Ended::Cancelled);
            }
        };
        run(definition, &questions, cancel).await
    }
}

/// All that is needed to ask for an objective.
struct Question {
    metric: MetricSpec,
    target: EvaluationTarget,
    provider: Arc<dyn Provider>,
}

/// What came of asking for an objective.
#[derive(Debug, Clone)]
struct Answered {
    outcome: Outcome,
    value: String,
    message: String,
    /// True if another try cannot change it.
    lasting: bool,
}

impl Metrics {
    /// The definition as the stage keeps it, if the chart does not have it.
    async fn definition(
        &self,
        request: &EvaluationRequest<'_>,
    ) -> Result<EvaluationDefinitionSpec, DefinitionError> {
        let namespaces = namespaces(request.plan, &self.settings.keptn_namespace);
        let kind = KeptnKind::EVALUATION_DEFINITION;
        let definitions = &self.settings.definitions;
        let found = definitions.find(kind, &namespaces, request.definition_name);
        found.await?.read()
    }

    /// Looks everything up once: a resource does not change while an evaluation runs.
    async fn prepare(
        &self,
        request: &EvaluationRequest<'_>,
        definition: &EvaluationDefinitionSpec,
    ) -> Vec<Result<Question, MetricError>> {
        let mut providers: BTreeMap<(String, String), Arc<dyn Provider>> = BTreeMap::new();
        let mut questions = Vec::with_capacity(definition.objectives.len());
        for objective in &definition.objectives {
            questions.push(self.question(request, objective, &mut providers).await);
        }
        questions
    }

    async fn question(
        &self,
        request: &EvaluationRequest<'_>,
        objective: &Objective,
        providers: &mut BTreeMap<(String, String), Arc<dyn Provider>>,
    ) -> Result<Question, MetricError> {
        let target = objective
            .target()
            .map_err(|error| MetricError::Resource(error.to_string()))?;
        let (settings, plan) = (&self.settings, request.plan);
        let definitions = settings.definitions.as_ref();
        let metric =
            lookup::metric(plan, objective, &settings.keptn_namespace, definitions).await?;
        let key = (metric.namespace.clone(), metric.spec.provider.name.clone());
        let provider = match providers.get(&key) {
            Some(known) => Arc::clone(known),
            None => {
                let found = lookup::provider(plan, &metric, definitions).await?;
                let made = provider(found.resource(), settings, request.reports).await?;
                Arc::clone(providers.entry(key).or_insert_with(|| Arc::from(made)))
            }
        };
        Ok(Question {
            metric: metric.spec,
            target,
            provider,
        })
    }
}

/// All tries.
async fn run(
    definition: &EvaluationDefinitionSpec,
    questions: &[Result<Question, MetricError>],
    cancel: &CancellationToken,
) -> ItemEnd {
    let mut answers: Vec<Option<Answered>> = vec![None; questions.len()];
    let tries = definition.retries().max(1);
    for number in 1..=tries {
        let open = questions.iter().enumerate().filter(|(index, _)| {
            let answer = answers.get(*index).and_then(Option::as_ref);
            answer.is_none_or(|answer| answer.outcome != Outcome::Pass && !answer.lasting)
        });
        let open: Vec<_> = open
            .map(|(index, question)| async move { (index, ask(question).await) })
            .collect();
        let mut asked = futures::stream::iter(open).buffer_unordered(AT_A_TIME);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => {
                    return end(records(&definition.objectives, &answers), number, Ended::Cancelled);
                }
                next = asked.next() => match next {
                    Some((index, answer)) => {
                        if let Some(place) = answers.get_mut(index) {
                            *place = Some(answer);
                        }
                    }
                    None => break,
                },
            }
        }
        drop(asked);
        // One that can never be met decides; what the others would say later changes nothing.
        let decided = answers
            .iter()
            .flatten()
            .any(|answer| answer.outcome != Outcome::Pass && answer.lasting);
        let met = answers
            .iter()
            .flatten()
            .all(|answer| answer.outcome == Outcome::Pass);
        if met || decided || number == tries {
            return end(
                records(&definition.objectives, &answers),
                number,
                Ended::Told,
            );
        }
        tokio::select! {
            () = cancel.cancelled() => {
                return end(records(&definition.objectives, &answers), number, Ended::Cancelled);
            }
            () = tokio::time::sleep(definition.retry_interval().as_std()) => {}
        }
    }
    // There is at least one try, and the last one returns.
    end(
        records(&definition.objectives, &answers),
        tries,
        Ended::Told,
    )
}

/// One objective, once.
async fn ask(question: &Result<Question, MetricError>) -> Answered {
    let asked = match question {
        Ok(question) => match question.provider.value(&question.metric).await {
            Ok(value) => {
                let verdict = question.target.judge(value.number);
                return Answered {
                    outcome: match verdict {
                        Verdict::Met => Outcome::Pass,
                        // Prometheus computes NaN from nothing.
                        Verdict::NotMet if value.number.is_nan() => Outcome::Inconclusive,
                        Verdict::NotMet => Outcome::Fail,
                    },
                    message: question.target.message(&value.text, verdict),
                    value: value.text,
                    lasting: !question.provider.is_live(),
                };
            }
            Err(error) => (
                error.to_string(),
                matches!(error, MetricError::NoData(_)),
                error.is_lasting() || !question.provider.is_live(),
            ),
        },
        Err(error) => (error.to_string(), false, true),
    };
    let (message, no_data, lasting) = asked;
    Answered {
        outcome: if no_data {
            Outcome::Inconclusive
        } else {
            Outcome::Error
        },
        value: String::new(),
        message,
        lasting,
    }
}

fn records(objectives: &[Objective], answers: &[Option<Answered>]) -> Vec<ObjectiveRecord> {
    let record = |(index, objective): (usize, &Objective)| {
        let answer = answers.get(index).cloned().flatten().unwrap_or(Answered {
            outcome: Outcome::Error,
            value: String::new(),
            message: "not asked for".to_owned(),
            lasting: false,
        });
        ObjectiveRecord {
            metric: objective.metric_name().to_owned(),
            value: answer.value,
            target: objective.evaluation_target.clone(),
            outcome: answer.outcome,
            message: answer.message,
        }
    };
    objectives.iter().enumerate().map(record).collect()
}

/// Why an evaluation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It has an answer.
    Told,
    /// It was told to.
    Cancelled,
}

fn end(objectives: Vec<ObjectiveRecord>, tries: u32, ended: Ended) -> ItemEnd {
    let worst = objectives.iter().map(|objective| objective.outcome).max();
    let (outcome, reason) = match (ended, worst.unwrap_or(Outcome::Error)) {
        (Ended::Cancelled, _) => (Outcome::Error, "Cancelled"),
        (Ended::Told, outcome) => {
            let reason = match outcome {
                Outcome::Pass | Outcome::Warn => "",
                Outcome::Fail => "ObjectiveNotMet",
                Outcome::Inconclusive => "NoData",
                Outcome::Error => "MetricUnavailable",
            };
            (outcome, reason)
        }
    };
    // The ones that decided come first, so that the line begins with the cause.
    let mut told: Vec<_> = objectives.iter().collect();
    told.sort_by_key(|objective| std::cmp::Reverse(objective.outcome));
    let more = told.len().saturating_sub(3);
    let mut message: Vec<_> = told
        .iter()
        .take(3)
        .map(|objective| format!("{}: {}", objective.metric, objective.message))
        .collect();
    if more > 0 {
        message.push(format!("and {more} more"));
    }
    if ended == Ended::Cancelled {
        message.insert(0, "ended before it had an answer".to_owned());
    }
    ItemEnd {
        outcome,
        report: ItemReport {
            reason: reason.to_owned(),
            message: message.join("; "),
            details: BTreeMap::from([("tries".to_owned(), tries.to_string())]),
            objectives,
            ..ItemReport::default()
        },
    }
}

fn cannot(message: String) -> ItemEnd {
    ItemEnd {
        outcome: Outcome::Error,
        report: ItemReport {
            reason: "InvalidDefinition".to_owned(),
            message,
            ..ItemReport::default()
        },
    }
}
