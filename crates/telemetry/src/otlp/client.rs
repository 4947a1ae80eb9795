//! The HTTP client below the SDK's exporter. The SDK hides why a request failed; this keeps it.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

use super::OtlpSettings;
use crate::export::ExportError;

/// An answer of a collector is a few bytes; more is not read.
const MAX_ANSWER: usize = 64 * 1024;

/// A client that knows its last error.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    last_error: Arc<Mutex<Option<String>>>,
}

impl Client {
    pub(super) fn new(settings: &OtlpSettings) -> Result<Self, ExportError> {
        let mut builder = reqwest::Client::builder()
            .timeout(settings.timeout)
            // Headers may hold a secret that is meant for this host only.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(file) = &settings.certificate {
            let certificates = reqwest::Certificate::from_pem_bundle(&read_pem(file)?)
                .map_err(|error| unusable(file, &error))?;
            builder = builder.tls_certs_only(certificates);
        }
        if let Some((certificate, key)) = &settings.client_certificate {
            let mut pem = read_pem(certificate)?;
            pem.push(b'\n');
            pem.extend(read_pem(key)?);
            let identity = reqwest::Identity::from_pem(&pem)
                .map_err(|error| unusable(&format!("{certificate} with {key}"), &error))?;
            builder = builder.identity(identity);
        }
        let http = builder.build().map_err(|error| {
            ExportError(format!(
                "the HTTP client cannot be set up: {}",
                chain(&error)
            ))
        })?;
        Ok(Self {
            http,
            last_error: Arc::default(),
        })
    }

    /// Why the last request failed, if it did.
    pub(super) fn take_error(&self) -> Option<String> {
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn note(&self, error: Option<String>) {
        *self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = error;
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.note(None);
        let answer = async {
            let mut answer = self.http.execute(request.try_into()?).await?;
            let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await? {
                body.extend_from_slice(&chunk);
                if body.len() > MAX_ANSWER {
                    body.truncate(MAX_ANSWER);
                    break;
                }
            }
            let mut response = Response::new(Bytes::from(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok::<_, reqwest::Error>(response)
        };
        match answer.await {
            Ok(response) => {
                if !response.status().is_success() {
                    self.note(Some(format!("it answered {}", response.status())));
                }
                Ok(response)
            }
            Err(error) => {
                let error = error.without_url();
                let text = if error.is_timeout() {
                    "no answer in time".to_owned()
                } else {
                    chain(&error)
                };
                self.note(Some(text));
                Err(error.into())
            }
        }
    }
}

pub(super) fn read_pem(file: &str) -> Result<Vec<u8>, ExportError> {
    std::fs::read(file).map_err(|error| unusable(file, &error))
}

fn unusable(file: &str, error: &dyn Error) -> ExportError {
    ExportError(format!("{file} cannot be used: {}", chain(error)))
}

/// An error with its causes, each said once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {more}");
        }
        cause = error.source();
    }
    text
}
