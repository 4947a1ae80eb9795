//! What the API server's answers mean, in a line for people.

use std::error::Error as StdError;
use std::io;

/// Why the API server did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{}", describe(.0))]
pub struct ApiError(kube::Error);

impl From<kube::Error> for ApiError {
    fn from(error: kube::Error) -> Self {
        Self(error)
    }
}

impl ApiError {
    /// The status that the API server answered with, if it answered.
    pub fn status(&self) -> Option<&kube::core::Status> {
        match &self.0 {
            kube::Error::Api(status) => Some(status),
            _ => None,
        }
    }

    /// There is no such object, or no such kind.
    pub fn is_not_found(&self) -> bool {
        // An unknown group is answered with a text, and no reason.
        self.status()
            .is_some_and(|status| status.code == 404 || status.is_not_found())
    }

    /// There is one of this name already.
    pub fn is_already_exists(&self) -> bool {
        self.status()
            .is_some_and(kube::core::Status::is_already_exists)
    }

    /// Somebody else wrote since it was read.
    pub fn is_conflict(&self) -> bool {
        self.status().is_some_and(kube::core::Status::is_conflict)
    }

    /// Asking again will not help: the API server understood, and says no.
    pub fn is_lasting(&self) -> bool {
        let lasting = |status: &kube::core::Status| matches!(status.code, 400..=407 | 422);
        self.status().is_some_and(lasting)
    }

    /// RBAC or admission does not allow it.
    pub fn is_forbidden(&self) -> bool {
        self.status().is_some_and(kube::core::Status::is_forbidden)
    }
}

fn describe(error: &kube::Error) -> String {
    let text = match error {
        kube::Error::Api(status) => match status.code {
            401 => "the API server does not accept the credentials (401 Unauthorized); check the \
                    service account's token, or the user of the kubeconfig"
                .to_owned(),
            _ if !status.message.is_empty() => status.message.clone(),
            code => format!("the API server answered {code} {}", status.reason),
        },
        kube::Error::SerdeError(cause) => {
            format!("the API server's answer cannot be understood: {cause}")
        }
        other => format!("the API server cannot be reached: {}", innermost(other)),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text of the cause of all causes.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = inner(cause) {
        cause = source;
    }
    let text = cause.to_string();
    match text.find(" (os error") {
        Some(end) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

/// The cause of an error; also the one that an I/O error wraps, which its `source` skips.
pub(crate) fn inner<'a>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a (dyn StdError + 'static)> {
    if let Some(wrapped) = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        return Some(wrapped);
    }
    error.source()
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn an_answer_is_one_line() {
        let forbidden = Status::failure("configmaps \"x\" is forbidden:\n no", "Forbidden");
        for (error, expected) in [
            (
                kube::Error::Api(forbidden.with_code(403).boxed()),
                "configmaps \"x\" is forbidden: no",
            ),
            (
                kube::Error::Api(
                    Status::failure("Unauthorized", "Unauthorized")
                        .with_code(401)
                        .boxed(),
                ),
                "the API server does not accept the credentials (401 Unauthorized); check the \
                 service account's token, or the user of the kubeconfig",
            ),
            (
                kube::Error::Api(Status::failure("", "Teapot").with_code(418).boxed()),
                "the API server answered 418 Teapot",
            ),
            (
                kube::Error::Service(Box::new(io::Error::other(io::Error::from_raw_os_error(
                    111,
                )))),
                "the API server cannot be reached: Connection refused",
            ),
        ] {
            assert_eq!(ApiError(error).to_string(), expected);
        }
    }
}
