//! The client.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use stagelink_http::{HttpError, Options, Resolve, Server, read, shown};
use url::Url;

use super::Answer;

/// The most bytes of an answer. 11,000 samples, the most that Prometheus gives for one series, have
/// about 400 KiB.
const MAX_ANSWER: usize = 16 << 20;
/// The most bytes that are read of an answer that says what is wrong.
const MAX_ERROR: usize = 64 << 10;

/// User and password; `Debug` shows dots.
#[derive(Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

/// A Prometheus server, or one that speaks its API (Thanos, Cortex, Mimir).
#[derive(Debug, Clone)]
pub struct Client {
    server: Server,
    base: Url,
    credentials: Option<BasicAuth>,
}

/// Why a query has no answer. Always one line, never a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrometheusError {
    /// The server cannot be reached, or its answer cannot be read.
    #[error("{url}: {source}")]
    Http {
        /// The server.
        url: String,
        /// The cause.
        source: HttpError,
    },
    /// The server does not take the credentials, or wants some.
    #[error("{url} refuses access (status {status}); correct the Secret that secretKeyRef names")]
    Credentials {
        /// The server.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server takes the query for wrong; it would do so again.
    #[error("{url} refuses the query: {detail}")]
    Query {
        /// The server.
        url: String,
        /// What the server says.
        detail: String,
    },
    /// The server answers with another error.
    #[error("{url} answers with status {status}{}", with(.detail))]
    Status {
        /// The server.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the server says; may be empty.
        detail: String,
    },
    /// The answer is not one of Prometheus.
    #[error("{url} does not answer as Prometheus does: {detail}; correct targetServer")]
    Garbage {
        /// The server.
        url: String,
        /// What is wrong with it.
        detail: String,
    },
}

fn with(detail: &str) -> String {
    match detail {
        "" => String::new(),
        detail => format!(": {detail}"),
    }
}

/// The body of every answer of the API.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    status: String,
    data: Option<Answer>,
    #[serde(default)]
    error: String,
}

impl Client {
    /// A client for the server at `base`, which may have a path (`https://thanos.dev/prometheus`).
    /// User and password in `base` are used if there are no `credentials`.
    ///
    /// # Errors
    /// [`HttpError`] if `base` is no URL of a server, or HTTPS is not possible.
    pub fn new(
        base: &Url,
        credentials: Option<BasicAuth>,
        resolve: &Resolve,
        options: &Options,
    ) -> Result<Self, HttpError> {
        let server = Server::new(base, resolve, options)?;
        let mut base = base.clone();
        base.set_query(None);
        base.set_fragment(None);
        Ok(Self {
            server,
            base,
            credentials,
        })
    }

    /// Whether the server says that it is ready to serve (`/-/ready`).
    ///
    /// # Errors
    /// [`PrometheusError`] if it does not.
    pub async fn ready(&self) -> Result<(), PrometheusError> {
        let request = self.request(Method::GET, &["-", "ready"])?;
        let response = request
            .send()
            .await
            .map_err(|error| self.http(error.into()))?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(self.refused(status, "")),
        }
    }

    /// What the query gives now, by the server's clock.
    ///
    /// # Errors
    /// [`PrometheusError`].
    pub async fn query(&self, query: &str) -> Result<Answer, PrometheusError> {
        self.ask("query", &[("query", query)]).await
    }

    /// What the query gives at `start`, and every `step` from there to `end`.
    ///
    /// # Errors
    /// [`PrometheusError`].
    pub async fn query_range(
        &self,
        query: &str,
        start: Timestamp,
        end: Timestamp,
        step: Duration,
    ) -> Result<Answer, PrometheusError> {
        let fields = [
            ("query", query),
            ("start", &start.to_string()),
            ("end", &end.to_string()),
            ("step", &step.as_secs_f64().to_string()),
        ];
        self.ask("query_range", &fields).await
    }

    /// POST as Prometheus' own client does, because queries are long; GET where that is not taken.
    async fn ask(&self, what: &str, fields: &[(&str, &str)]) -> Result<Answer, PrometheusError> {
        let path = ["api", "v1", what];
        let send = async |request: RequestBuilder| {
            let response = request
                .send()
                .await
                .map_err(|error| self.http(error.into()))?;
            Ok::<_, PrometheusError>(response)
        };
        let mut response = send(self.request(Method::POST, &path)?.form(fields)).await?;
        if matches!(
            response.status(),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
        ) {
            response = send(self.request(Method::GET, &path)?.query(fields)).await?;
        }
        let status = response.status();
        if !status.is_success() {
            // What cannot be read does not change that it was refused.
            let text = read(response, MAX_ERROR).await.unwrap_or_default();
            let detail = match serde_json::from_slice::<Body>(&text) {
                Ok(body) => body.error,
                Err(_) => String::new(),
            };
            return Err(self.refused(status, &detail));
        }
        let text = read(response, MAX_ANSWER)
            .await
            .map_err(|error| self.http(error))?;
        let garbage = |detail: String| PrometheusError::Garbage {
            url: shown(&self.base),
            detail: one_line(&detail),
        };
        let body: Body =
            serde_json::from_slice(&text).map_err(|error| garbage(error.to_string()))?;
        match body.data {
            Some(answer) if body.status == "success" => Ok(answer),
            _ => Err(garbage("no data".to_owned())),
        }
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, PrometheusError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| {
                self.http(HttpError::Address {
                    url: shown(&self.base),
                })
            })?
            .pop_if_empty()
            .extend(path);
        let mut request = self.server.request(method, url);
        if let Some(BasicAuth { user, password }) = &self.credentials {
            request = request.basic_auth(user, Some(password));
        }
        Ok(request)
    }

    fn http(&self, source: HttpError) -> PrometheusError {
        PrometheusError::Http {
            url: shown(&self.base),
            source,
        }
    }

    fn refused(&self, status: StatusCode, detail: &str) -> PrometheusError {
        let url = shown(&self.base);
        let mut detail = one_line(detail);
        if let Some(BasicAuth { password, .. }) = &self.credentials
            && !password.is_empty()
        {
            detail = detail.replace(password, "•••");
        }
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => PrometheusError::Credentials {
                url,
                status: status.as_u16(),
            },
            StatusCode::BAD_REQUEST if !detail.is_empty() => PrometheusError::Query { url, detail },
            status => PrometheusError::Status {
                url,
                status: status.as_u16(),
                detail,
            },
        }
    }
}

/// Others' text as part of a message.
fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(300)
        .collect()
}
