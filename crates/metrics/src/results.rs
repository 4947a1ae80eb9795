//! The provider `stagelink`: results of this attempt's built-in tasks.

use std::collections::BTreeMap;

use async_trait::async_trait;
use stagelink_delivery::ledger::ItemReport;
use stagelink_keptn::MetricSpec;

use crate::number::plain;
use crate::provider::{MetricError, Provider, Value};

/// The most names in a message.
const MAX_NAMES: usize = 20;

/// The results of the tasks that have ended, by task definition. A query is
/// `<task definition>.<result>`.
#[derive(Debug)]
pub(crate) struct TaskResults(BTreeMap<String, BTreeMap<String, f64>>);

impl TaskResults {
    /// The results in these reports.
    pub(crate) fn new(reports: &BTreeMap<String, ItemReport>) -> Self {
        let results = reports
            .iter()
            .map(|(task, report)| (task.clone(), report.results.clone()));
        Self(results.collect())
    }

    fn find(&self, query: &str) -> Result<f64, MetricError> {
        // Names of resources may have dots, names of results have none.
        let Some((task, result)) = query.rsplit_once('.') else {
            return Err(MetricError::Resource(format!(
                "the query {query:?} is not <task definition>.<result>, for example {}",
                self.example()
            )));
        };
        let Some(results) = self.0.get(task) else {
            return Err(MetricError::Resource(format!(
                "no task {task} has ended in this attempt; there {}",
                list("is", self.0.keys())
            )));
        };
        // A task that reached nothing measured nothing: that is no reason to pass, nor a mistake.
        results.get(result).copied().ok_or_else(|| {
            MetricError::NoData(format!(
                "no values in query result: the task {task} measured no {result}; there {}",
                list("is", results.keys())
            ))
        })
    }

    fn example(&self) -> String {
        let first = self.0.iter().find_map(|(task, results)| {
            let result = results.keys().next()?;
            Some(format!("{task}.{result}"))
        });
        first.unwrap_or_else(|| "load-test.p95".to_owned())
    }
}

fn list<'a>(verb: &str, names: impl ExactSizeIterator<Item = &'a String>) -> String {
    let more = names.len().saturating_sub(MAX_NAMES);
    let names: Vec<_> = names.take(MAX_NAMES).map(String::as_str).collect();
    match (names.as_slice(), more) {
        ([], _) => format!("{verb} none"),
        (names, 0) => format!("{verb}: {}", names.join(", ")),
        (names, more) => format!("{verb}: {} and {more} more", names.join(", ")),
    }
}

#[async_trait]
impl Provider for TaskResults {
    async fn value(&self, metric: &MetricSpec) -> Result<Value, MetricError> {
        if metric.range.is_some() {
            return Err(MetricError::Resource(
                "results of tasks have no history; remove the range of the KeptnMetric".to_owned(),
            ));
        }
        let number = self.find(metric.query.trim())?;
        Ok(Value {
            number,
            text: plain(number),
        })
    }

    fn is_live(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> TaskResults {
        let report = |results: &[(&str, f64)]| ItemReport {
            results: results
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
            ..ItemReport::default()
        };
        TaskResults::new(&BTreeMap::from([
            ("load.v2".to_owned(), report(&[("p50", 1.5), ("p95", 7.0)])),
            ("wait".to_owned(), report(&[])),
        ]))
    }

    #[test]
    fn a_result_is_found_by_task_and_name() {
        assert_eq!(results().find("load.v2.p95").unwrap(), 7.0);
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        for (query, lasting, message) in [
            (
                "load.v2.p96",
                false,
                "no values in query result: the task load.v2 measured no p96; there is: p50, p95",
            ),
            (
                "wait.p95",
                false,
                "no values in query result: the task wait measured no p95; there is none",
            ),
            (
                "load.p95",
                true,
                "no task load has ended in this attempt; there is: load.v2, wait",
            ),
            (
                "p95",
                true,
                "the query \"p95\" is not <task definition>.<result>, for example load.v2.p50",
            ),
        ] {
            let error = results().find(query).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert_eq!(error.is_lasting(), lasting, "{query}");
        }
    }

    #[tokio::test]
    async fn a_range_is_refused() {
        let metric = MetricSpec {
            query: "load.v2.p95".to_owned(),
            range: Some(stagelink_keptn::MetricRange::default()),
            ..MetricSpec::default()
        };
        let error = results().value(&metric).await.unwrap_err();
        assert!(error.to_string().contains("remove the range"));
        let metric = MetricSpec {
            range: None,
            ..metric
        };
        assert_eq!(results().value(&metric).await.unwrap().text, "7");
    }
}
