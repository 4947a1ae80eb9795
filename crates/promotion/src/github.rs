//! A promotion as a workflow on GitHub that makes the change, as in Keptn's blog.
//!
//! The token may start workflows and nothing else: it cannot write to the repository. GitHub's
//! answer is looked at, which the blog's task does not do.
//! API: <https://docs.github.com/rest/actions/workflows#create-a-workflow-dispatch-event>.

use std::collections::BTreeMap;
use std::sync::Once;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Client, Response, redirect};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::promotion::{GithubWorkflow, Promoted, Promotion};
use crate::{PromotionError, text};

/// The version of the API that is spoken.
const API_VERSION: &str = "2022-11-28";
/// The most that is read of an answer.
const MAX_ANSWER: usize = 64 * 1024;
/// The most inputs that GitHub takes for a workflow.
const MAX_INPUTS: usize = 25;
/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a request is made while GitHub has faults of its own.
const ATTEMPTS: u32 = 4;
/// The pause when GitHub limits the rate and does not say for how long: its documentation asks for
/// a minute at least.
const UNKNOWN_LIMIT: Duration = Duration::from_secs(60);

/// Carries out a promotion by starting the workflow.
pub(crate) async fn promote(
    promotion: &Promotion,
    target: &GithubWorkflow,
    cancel: &CancellationToken,
) -> Result<Promoted, PromotionError> {
    let url = address(target)?;
    let names = promotion.names();
    let mut inputs = BTreeMap::new();
    for (name, template) in &target.inputs {
        inputs.insert(
            name.as_str(),
            text::render_text("workflow input", template, &names)?,
        );
    }
    if let (Some(name), Some(link)) = (&target.trace_parent_input, promotion.trace_parent) {
        inputs.insert(name, link.to_string());
    }
    if inputs.len() > MAX_INPUTS {
        return Err(PromotionError::Setting {
            setting: "--input",
            problem: format!("GitHub takes at most {MAX_INPUTS} inputs"),
        });
    }
    let title = text::render_text("title", &promotion.texts.title, &names)?;
    let body = text::render_text("body", &promotion.texts.body, &names)?;
    let dispatch = Dispatch {
        reference: &target.reference,
        inputs,
    };
    let client = client(target)?;
    let deadline = Instant::now() + target.timeout;
    let work = start(&client, &url, target, &dispatch, deadline);
    let run = tokio::select! {
        run = work => run?,
        () = cancel.cancelled() => return Err(PromotionError::Cancelled),
        () = tokio::time::sleep_until(deadline) => return Err(timeout(target, target.timeout)),
    };
    let repository = format!("{}/{}", target.owner, target.repository);
    Ok(Promoted {
        changed: true,
        summary: format!(
            "started the workflow {} on {} of {repository}",
            target.workflow, target.reference
        ),
        url: run.html_url.or_else(|| actions_page(target)),
        target: repository,
        title,
        body,
        ..Promoted::default()
    })
}

/// The body of the request.
#[derive(Serialize)]
struct Dispatch<'a> {
    #[serde(rename = "ref")]
    reference: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    inputs: BTreeMap<&'a str, String>,
}

/// What newer versions of the API answer; older ones answer nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Run {
    html_url: Option<String>,
}

/// The request's URL. Each part of it is one segment, whatever is in it.
fn address(target: &GithubWorkflow) -> Result<Url, PromotionError> {
    let wrong = |setting, problem: &str| PromotionError::Setting {
        setting,
        problem: problem.to_owned(),
    };
    let name = |text: &str| {
        !text.is_empty()
            && text.len() <= 255
            && !matches!(text, "." | "..")
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    if !name(&target.owner) || !name(&target.repository) {
        return Err(wrong(
            "SECURE_DATA",
            "githubRepoOwner and githubRepo are plain names: owner `me` and repository `demo` of https://github.com/me/demo",
        ));
    }
    if !name(&target.workflow) {
        return Err(wrong(
            "--workflow",
            "give the file name below .github/workflows, or the workflow's number",
        ));
    }
    let mut url = target.api_url.clone();
    let encrypted = url.scheme() == "https";
    let loopback = url.scheme() == "http"
        && match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
    if !encrypted && !loopback {
        return Err(wrong("--api-url", "needs https: a token is sent there"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(wrong(
            "--api-url",
            "has credentials or a query; the token comes from SECURE_DATA",
        ));
    }
    url.path_segments_mut()
        .map_err(|()| wrong("--api-url", "is not the base of an API"))?
        .pop_if_empty()
        .extend([
            "repos",
            &target.owner,
            &target.repository,
            "actions",
            "workflows",
            &target.workflow,
            "dispatches",
        ]);
    Ok(url)
}

/// The page with the workflow's runs, for GitHub itself.
fn actions_page(target: &GithubWorkflow) -> Option<String> {
    (target.api_url.host_str() == Some("api.github.com")).then(|| {
        format!(
            "https://github.com/{}/{}/actions/workflows/{}",
            target.owner, target.repository, target.workflow
        )
    })
}

/// Makes the client.
fn client(target: &GithubWorkflow) -> Result<Client, PromotionError> {
    static PROVIDER: Once = Once::new();
    // An error means that there is one already, which is as good.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let mut token = HeaderValue::try_from(format!("Bearer {}", target.token.expose().trim()))
        .map_err(|_| PromotionError::Setting {
            setting: "SECURE_DATA",
            problem: "apiToken has characters that no token has; copy it again".to_owned(),
        })?;
    token.set_sensitive(true);
    let headers = HeaderMap::from_iter([
        (AUTHORIZATION, token),
        (
            ACCEPT,
            HeaderValue::from_static("application/vnd.github+json"),
        ),
        (
            USER_AGENT,
            HeaderValue::from_static(concat!("stagelink/", env!("CARGO_PKG_VERSION"))),
        ),
        (
            HeaderName::from_static("x-github-api-version"),
            HeaderValue::from_static(API_VERSION),
        ),
    ]);
    // GitHub answers 307 for a repository that was renamed. Any other redirect would turn the
    // request into another one, and any other host would be given the token.
    let same_host = redirect::Policy::custom(|attempt| {
        let first = attempt.previous().first().map(Url::origin);
        let keeps_the_request = matches!(attempt.status().as_u16(), 307 | 308);
        if keeps_the_request
            && attempt.previous().len() <= 3
            && first == Some(attempt.url().origin())
        {
            attempt.follow()
        } else {
            attempt.stop()
        }
    });
    Client::builder()
        .default_headers(headers)
        .redirect(same_host)
        .timeout(REQUEST_TIMEOUT.min(target.timeout))
        .build()
        .map_err(|error| PromotionError::Unreachable {
            repository: target.api_url.to_string(),
            detail: innermost(&error),
        })
}

/// Starts the workflow, waiting and trying again as long as that can help.
async fn start(
    client: &Client,
    url: &Url,
    target: &GithubWorkflow,
    dispatch: &Dispatch<'_>,
    deadline: Instant,
) -> Result<Run, PromotionError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let (error, wait) = match request(client, url, target, dispatch, attempts).await {
            Ok(run) => return Ok(run),
            Err(refused) => refused,
        };
        let Some(wait) = wait else {
            return Err(error);
        };
        let limited = matches!(error, PromotionError::RateLimited { .. });
        let too_often = !limited && attempts >= ATTEMPTS;
        if too_often || Instant::now() + wait >= deadline {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
    }
}

/// One request; on an error, how long to wait before another, if one can help at all.
async fn request(
    client: &Client,
    url: &Url,
    target: &GithubWorkflow,
    dispatch: &Dispatch<'_>,
    attempts: u32,
) -> Result<Run, (PromotionError, Option<Duration>)> {
    let backoff = Some(Duration::from_millis(250) * 2_u32.saturating_pow(attempts.min(8)));
    let answer = match client.post(url.clone()).json(dispatch).send().await {
        Ok(answer) => answer,
        // It may have arrived. The workflow finds its own open change, but the answer that is
        // missing now would be missing again.
        Err(error) if error.is_timeout() => {
            return Err((timeout(target, REQUEST_TIMEOUT.min(target.timeout)), None));
        }
        Err(error) => {
            let wait = if error.is_connect() { backoff } else { None };
            let unreachable = PromotionError::Unreachable {
                repository: target.api_url.to_string(),
                detail: target.token.redact(&innermost(&error)),
            };
            return Err((unreachable, wait));
        }
    };
    let status = answer.status().as_u16();
    let limit = limit(&answer);
    let single_sign_on = answer.headers().contains_key("x-github-sso");
    let answer = body(answer).await;
    if matches!(status, 200 | 201 | 202 | 204) {
        return Ok(serde_json::from_slice(&answer).unwrap_or_default());
    }
    let mut detail = detail(&answer, target);
    let repository = format!("{}/{}", target.owner, target.repository);
    let secondary = detail.to_ascii_lowercase().contains("rate limit");
    Err(match status {
        401 => (PromotionError::Unauthorized { detail }, None),
        403 | 429 if status == 429 || limit.is_some() || secondary => (
            PromotionError::RateLimited {
                status,
                retry_after: limit,
                detail,
            },
            Some(limit.unwrap_or(UNKNOWN_LIMIT)),
        ),
        403 => {
            if single_sign_on {
                detail.push_str(
                    " The organisation wants the token authorised for its single sign-on.",
                );
            }
            (PromotionError::Forbidden { repository, detail }, None)
        }
        404 => (
            PromotionError::NotFound {
                repository,
                workflow: target.workflow.clone(),
                detail,
            },
            None,
        ),
        422 => (
            PromotionError::Unprocessable {
                workflow: target.workflow.clone(),
                reference: target.reference.clone(),
                inputs: dispatch
                    .inputs
                    .keys()
                    .copied()
                    .collect::<Vec<_>>()
                    .join(", "),
                detail,
            },
            None,
        ),
        500..=599 => (
            PromotionError::Server {
                status,
                attempts,
                detail,
            },
            limit.or(backoff),
        ),
        _ => (
            PromotionError::Unexpected {
                status,
                url: url.to_string(),
                detail,
            },
            None,
        ),
    })
}

/// How long GitHub asks to wait: `retry-after`, or `x-ratelimit-reset` once nothing remains.
fn limit(answer: &Response) -> Option<Duration> {
    let number = |name: &str| -> Option<u64> {
        let number: u64 = answer
            .headers()
            .get(name)?
            .to_str()
            .ok()?
            .trim()
            .parse()
            .ok()?;
        // A century is long enough, and can be added to any time.
        Some(number.min(4_000_000_000))
    };
    if let Some(seconds) = number("retry-after") {
        return Some(Duration::from_secs(seconds));
    }
    if number("x-ratelimit-remaining") != Some(0) {
        return None;
    }
    let reset = UNIX_EPOCH.checked_add(Duration::from_secs(number("x-ratelimit-reset")?))?;
    // The clocks may differ by a little.
    let left = reset.duration_since(SystemTime::now()).unwrap_or_default();
    Some(left + Duration::from_secs(1))
}

/// The body of an answer, as far as it is of use.
async fn body(mut answer: Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ANSWER {
        // An answer that breaks off is judged by its status.
        let Ok(Some(chunk)) = answer.chunk().await else {
            break;
        };
        let room = MAX_ANSWER - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    bytes
}

/// What GitHub said, in one line.
fn detail(answer: &[u8], target: &GithubWorkflow) -> String {
    #[derive(Deserialize)]
    struct Problem {
        message: String,
    }
    let text = match serde_json::from_slice::<Problem>(answer) {
        Ok(problem) => problem.message,
        // A proxy in between answers with a page of its own: not of use, and not to be trusted.
        Err(_) => return String::from("(no message)"),
    };
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect();
    format!("GitHub says: {}", target.token.redact(&text))
}

fn timeout(target: &GithubWorkflow, limit: Duration) -> PromotionError {
    PromotionError::Timeout {
        what: format!("an answer of {}", target.api_url),
        limit,
    }
}

/// The cause of an error that says something.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
