//! The answer to git's question for a user name or a password, where there is no shell: git can
//! start a program that answers (`GIT_ASKPASS`) without one, but no credential helper.

use super::location::origin_of;

/// How often git can be given credentials: for the target's repository and the source's.
pub(super) const PLACES: [Variables; 2] = [
    Variables {
        origin: "STAGELINK_GIT_ORIGIN_0",
        username: "STAGELINK_GIT_USERNAME_0",
        password: "STAGELINK_GIT_PASSWORD_0",
    },
    Variables {
        origin: "STAGELINK_GIT_ORIGIN_1",
        username: "STAGELINK_GIT_USERNAME_1",
        password: "STAGELINK_GIT_PASSWORD_1",
    },
];

/// The variables with the credentials of one host. Only git and what it starts have them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variables {
    /// `https://host[:port]`, which alone may be given them.
    pub(super) origin: &'static str,
    pub(super) username: &'static str,
    pub(super) password: &'static str,
}

/// Answers a question of git's, `Username for 'https://host': ` or
/// `Password for 'https://user@host': `, from the variables that a promotion gives git. `None` for
/// any other question and any other host.
///
/// ```
/// let variables = |name: &str| match name {
///     "STAGELINK_GIT_ORIGIN_0" => Some("https://git.example.com".to_owned()),
///     "STAGELINK_GIT_PASSWORD_0" => Some("secret".to_owned()),
///     _ => None,
/// };
/// let answer = stagelink_promotion::git::askpass("Password for 'https://me@git.example.com': ", variables);
/// assert_eq!(answer.as_deref(), Some("secret"));
/// ```
pub fn askpass(question: &str, get: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (what, rest) = question.split_once(" for '")?;
    let (address, _) = rest.split_once('\'')?;
    let origin = origin_of(address)?;
    let place = PLACES
        .iter()
        .find(|place| get(place.origin).as_deref() == Some(origin.as_str()))?;
    match what {
        "Username" => get(place.username),
        "Password" => get(place.password),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hosts_own_credentials_are_told() {
        let get = |name: &str| {
            let value = match name {
                "STAGELINK_GIT_ORIGIN_0" => "https://git.example.com",
                "STAGELINK_GIT_USERNAME_0" => "me",
                "STAGELINK_GIT_PASSWORD_0" => "it's: secret",
                "STAGELINK_GIT_ORIGIN_1" => "https://other.example.com:8443",
                "STAGELINK_GIT_PASSWORD_1" => "other",
                _ => return None,
            };
            Some(value.to_owned())
        };
        for (question, answer) in [
            ("Username for 'https://git.example.com': ", Some("me")),
            (
                "Password for 'https://me@git.example.com': ",
                Some("it's: secret"),
            ),
            (
                "Password for 'https://me@other.example.com:8443': ",
                Some("other"),
            ),
            ("Username for 'https://other.example.com:8443': ", None),
            ("Password for 'https://me@other.example.com': ", None),
            ("Password for 'http://me@git.example.com': ", None),
            (
                "Password for 'https://git.example.com@evil.example': ",
                None,
            ),
            (
                "Password for 'https://evil.example/https://git.example.com': ",
                None,
            ),
            ("Enter passphrase for key '/root/.ssh/id': ", None),
            ("Password for 'https://git.example.com", None),
            ("", None),
        ] {
            assert_eq!(askpass(question, get).as_deref(), answer, "{question}");
        }
    }
}
