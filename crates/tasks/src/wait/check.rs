//! One thing to wait for.

use std::time::Duration;

use reqwest::Method;
use stagelink_http::{HttpError, Options, Resolve, Server, shown};
use stagelink_metrics::prometheus::{Client, PrometheusError};
use url::Url;

use super::WaitArguments;
use crate::ExpectedStatus;

/// How long one request may take; the next try may find another instance.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// One thing to wait for.
#[derive(Debug)]
pub(super) enum Check {
    /// The server is ready.
    Ready(Client),
    /// The query has a result without a zero.
    Query {
        client: Client,
        query: String,
        /// What its values are, for people.
        values: Values,
    },
    /// The URL answers.
    Url {
        server: Server,
        url: Url,
        expected: ExpectedStatus,
    },
}

/// What the values of a query are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// 1 for each target that is up.
    Targets,
    /// Anything.
    Any,
}

/// Why a check does not hold.
#[derive(Debug)]
pub(super) enum Unmet {
    /// It may hold later.
    NotYet(String),
    /// It never will.
    Never(String),
}

/// All checks that the arguments ask for, in order.
pub(super) fn checks(
    arguments: &WaitArguments,
    resolve: &Resolve,
) -> Result<Vec<Check>, HttpError> {
    let options = Options {
        timeout: REQUEST_TIMEOUT.min(arguments.timeout.max(Duration::from_millis(1))),
        ..Options::default()
    };
    let mut checks = Vec::new();
    if let Some(base) = &arguments.prometheus {
        let client = Client::new(base, None, resolve, &options)?;
        checks.push(Check::Ready(client.clone()));
        if let Some(query) = up(arguments) {
            checks.push(Check::Query {
                client: client.clone(),
                query,
                values: Values::Targets,
            });
        }
        if let Some(query) = &arguments.query {
            let query = query.clone();
            checks.push(Check::Query {
                client,
                query,
                values: Values::Any,
            });
        }
    }
    for url in &arguments.urls {
        checks.push(Check::Url {
            server: Server::new(url, resolve, &options)?,
            url: url.clone(),
            expected: arguments.expect_status.clone(),
        });
    }
    Ok(checks)
}

/// The query for the targets.
fn up(arguments: &WaitArguments) -> Option<String> {
    let label = |name, value: &Option<String>| {
        let value = value.as_ref()?;
        let value = value
            .replace('\\', r"\\")
            .replace('"', "\\\"")
            .replace('\n', r"\n");
        Some(format!("{name}=\"{value}\""))
    };
    let labels: Vec<_> = [
        label("job", &arguments.job),
        label("instance", &arguments.target),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!labels.is_empty()).then(|| format!("up{{{}}}", labels.join(",")))
}

impl Check {
    /// Whether it holds now; what was found, in a few words.
    pub(super) async fn holds(&self) -> Result<String, Unmet> {
        match self {
            Self::Ready(client) => {
                client.ready().await.map_err(|error| unmet(&error))?;
                Ok("Prometheus is ready".to_owned())
            }
            Self::Query {
                client,
                query,
                values,
            } => {
                let answer = client.query(query).await.map_err(|error| unmet(&error))?;
                judge(query, *values, &answer.values()).map_err(Unmet::NotYet)
            }
            Self::Url {
                server,
                url,
                expected,
            } => {
                let not_yet = |text: &str| Unmet::NotYet(format!("{}: {text}", shown(url)));
                let request = server.request(Method::GET, url.clone()).send();
                let answer = request
                    .await
                    .map_err(|error| not_yet(&HttpError::from(error).to_string()))?;
                match answer.status().as_u16() {
                    status if expected.holds(status) => Ok(format!("{} answers", shown(url))),
                    status => Err(not_yet(&format!("status {status}, not {expected}"))),
                }
            }
        }
    }
}

fn judge(query: &str, values: Values, found: &[f64]) -> Result<String, String> {
    let good = found
        .iter()
        .filter(|value| **value != 0.0 && !value.is_nan())
        .count();
    let all = found.len();
    match (values, all) {
        (Values::Targets, 0) => Err(format!("{query}: there is no such target")),
        (Values::Any, 0) => Err(format!("{query}: no data")),
        (Values::Targets, _) if good == all => {
            Ok(format!("{good} of {all} targets are up ({query})"))
        }
        (Values::Targets, _) => Err(format!("{query}: {good} of {all} targets are up")),
        (Values::Any, _) if good == all => Ok(format!("{query} has data")),
        (Values::Any, _) => Err(format!("{query}: {good} of {all} values are other than 0")),
    }
}

fn unmet(error: &PrometheusError) -> Unmet {
    match error {
        PrometheusError::Query { .. } => Unmet::Never(error.to_string()),
        error => Unmet::NotYet(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: WaitArguments,
    }

    #[test]
    fn targets_are_asked_for_by_their_labels() {
        for (flags, expected) in [
            (&["--job=a"][..], Some(r#"up{job="a"}"#)),
            (&["--target=h:1"], Some(r#"up{instance="h:1"}"#)),
            (
                &["--job=a", "--target=h:1"],
                Some(r#"up{job="a",instance="h:1"}"#),
            ),
            (
                &["--job=a\"}\\ or vector(1) #"],
                Some(r#"up{job="a\"}\\ or vector(1) #"}"#),
            ),
            (&[], None),
        ] {
            let line = ["x", "--prometheus=http://p/"].iter().chain(flags);
            let line = Line::try_parse_from(line).unwrap();
            assert_eq!(up(&line.arguments).as_deref(), expected);
        }
    }

    #[test]
    fn nothing_and_zero_are_not_up() {
        for (values, found, good) in [
            (Values::Targets, &[][..], false),
            (Values::Targets, &[1.0], true),
            (Values::Targets, &[1.0, 0.0], false),
            (Values::Any, &[], false),
            (Values::Any, &[0.5, -1.0], true),
            (Values::Any, &[f64::NAN], false),
            (Values::Any, &[0.0], false),
        ] {
            assert_eq!(
                judge("q", values, found).is_ok(),
                good,
                "{values:?} {found:?}"
            );
        }
    }
}
