//! What Argo CD says in the environment (`docs/user-guide/build-environment.md`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stagelink_plan::Source;

/// Variables that Argo CD substitutes in Helm parameters, and so does the plugin.
const SUBSTITUTED: [&str; 11] = [
    "ARGOCD_APP_NAME",
    "ARGOCD_APP_NAMESPACE",
    "ARGOCD_APP_PROJECT_NAME",
    "ARGOCD_APP_REVISION",
    "ARGOCD_APP_REVISION_SHORT",
    "ARGOCD_APP_REVISION_SHORT_8",
    "ARGOCD_APP_SOURCE_REPO_URL",
    "ARGOCD_APP_SOURCE_PATH",
    "ARGOCD_APP_SOURCE_TARGET_REVISION",
    "KUBE_VERSION",
    "KUBE_API_VERSIONS",
];

/// Names the directory that values files and file parameters may be in, and that a leading slash in
/// their paths means. On a person's own machine `/`; under Argo CD it is better not set.
pub const FILES_ROOT: &str = "STAGELINK_FILES_ROOT";

/// The revision that stands for "none in particular" when content is compared.
pub(crate) const NEUTRAL_REVISION: &str = "0000000000000000000000000000000000000000";

/// The environment that the plugin is started with.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self {
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }
}

impl Environment {
    /// The environment of this process. What is not UTF-8 is none of Argo CD's and is passed over.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// A variable; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The Application's instance name: `name`, or `<namespace>_<name>` when it is not in Argo CD's
    /// own namespace.
    pub fn instance_name(&self) -> Option<&str> {
        self.get("ARGOCD_APP_NAME")
    }

    /// Name of the Application.
    pub fn application(&self) -> Option<&str> {
        let instance = self.instance_name()?;
        Some(instance.split_once('_').map_or(instance, |(_, name)| name))
    }

    /// Namespace that is deployed to.
    pub fn namespace(&self) -> Option<&str> {
        self.get("ARGOCD_APP_NAMESPACE")
    }

    /// The resolved revision: a commit, a chart version, an OCI digest or `streamed`; of several
    /// lines the first that is not empty.
    pub fn revision(&self) -> Option<&str> {
        self.get("ARGOCD_APP_REVISION")?
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty())
    }

    /// Where the revision comes from, without credentials.
    pub fn source(&self) -> Source {
        let text = |name| self.get(name).unwrap_or_default().to_owned();
        Source {
            repo_url: without_credentials(&text("ARGOCD_APP_SOURCE_REPO_URL")),
            path: text("ARGOCD_APP_SOURCE_PATH"),
            target_revision: text("ARGOCD_APP_SOURCE_TARGET_REVISION"),
        }
    }

    /// Kubernetes version of the destination.
    pub fn kube_version(&self) -> Option<&str> {
        self.get("KUBE_VERSION")
    }

    /// API versions of the destination; empty when Argo CD does not say (Source Hydrator).
    pub fn api_versions(&self) -> Vec<String> {
        split_list(self.get("KUBE_API_VERSIONS").unwrap_or_default(), ',')
    }

    /// The directory that files of parameters may not leave, and that a leading slash means:
    /// [`FILES_ROOT`], which the plugin's operator sets, else the repository.
    pub fn files_root(&self, working_directory: &Path) -> PathBuf {
        self.get(FILES_ROOT)
            .map_or_else(|| self.repository(working_directory), PathBuf::from)
    }

    /// The root of what Argo CD sent, found by taking the source's path off the end of the working
    /// directory. Links within the chart may not leave it.
    pub fn repository(&self, working_directory: &Path) -> PathBuf {
        let path = self.get("ARGOCD_APP_SOURCE_PATH").unwrap_or_default();
        let mut root = working_directory;
        // Argo CD may send just a part of the repository, so only the end of the path need match.
        for part in Path::new(path).components().rev() {
            let std::path::Component::Normal(part) = part else {
                continue;
            };
            match (root.file_name(), root.parent()) {
                (Some(name), Some(parent)) if name == part => root = parent,
                _ => break,
            }
        }
        root.to_owned()
    }

    /// Replaces `$ARGOCD_APP_…` in a parameter.
    pub fn substitute(&self, text: &str) -> String {
        crate::substitute(text, |name| {
            if !SUBSTITUTED.contains(&name) {
                return None;
            }
            if name == "ARGOCD_APP_REVISION" {
                return self.revision().map(str::to_owned);
            }
            self.get(name).map(str::to_owned)
        })
    }

    /// The same environment with a revision that says nothing: what is rendered with it is the
    /// content without the commit.
    pub(crate) fn neutral(&self) -> Self {
        let mut neutral = self.clone();
        for (name, length) in [
            ("ARGOCD_APP_REVISION", 40),
            ("ARGOCD_APP_REVISION_SHORT", 7),
            ("ARGOCD_APP_REVISION_SHORT_8", 8),
        ] {
            neutral
                .variables
                .insert(name.to_owned(), NEUTRAL_REVISION[..length].to_owned());
        }
        neutral
    }
}

/// The items of a list, trimmed, without empty ones.
pub(crate) fn split_list(text: &str, separator: char) -> Vec<String> {
    text.split([separator, '\n'])
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A repository's URL may hold a token; a plan must not.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    // A query may hold a token, too.
    let path = path.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().copied().collect()
    }

    #[test]
    fn the_application_is_the_name_without_its_namespace() {
        for (instance, name) in [("shop", "shop"), ("team-a_shop", "shop")] {
            let environment = environment(&[("ARGOCD_APP_NAME", instance)]);
            assert_eq!(environment.application(), Some(name));
            assert_eq!(environment.instance_name(), Some(instance));
        }
        assert_eq!(environment(&[("ARGOCD_APP_NAME", "")]).application(), None);
    }

    #[test]
    fn any_revision_works() {
        for (text, revision) in [
            (
                "0123456789abcdef0123456789abcdef01234567",
                Some("0123456789abcdef0123456789abcdef01234567"),
            ),
            ("streamed", Some("streamed")),
            ("1.2.3", Some("1.2.3")),
            ("sha256:00ff", Some("sha256:00ff")),
            ("\n abc \ndef\n", Some("abc")),
            ("", None),
            ("\n", None),
        ] {
            assert_eq!(
                environment(&[("ARGOCD_APP_REVISION", text)]).revision(),
                revision,
                "{text:?}"
            );
        }
        assert_eq!(environment(&[]).revision(), None);
    }

    #[test]
    fn credentials_stay_out() {
        for (url, clean) in [
            (
                "https://user:token@example.com/a.git",
                "https://example.com/a.git",
            ),
            (
                "https://token@example.com:8443/a@b.git?private_token=x",
                "https://example.com:8443/a@b.git",
            ),
            ("git@example.com:a.git", "git@example.com:a.git"),
            ("ssh://git@example.com/a.git", "ssh://example.com/a.git"),
            ("", ""),
        ] {
            assert_eq!(without_credentials(url), clean);
        }
    }

    #[test]
    fn only_the_build_environment_is_substituted() {
        let environment = environment(&[
            ("ARGOCD_APP_REVISION", "abc"),
            ("ARGOCD_APP_PARAMETERS", "[]"),
            ("HOME", "/root"),
            ("KUBE_VERSION", "1.34.0"),
        ]);
        assert_eq!(
            environment
                .substitute("$ARGOCD_APP_REVISION $KUBE_VERSION [$HOME$ARGOCD_APP_PARAMETERS]"),
            "abc 1.34.0 []"
        );
        assert_eq!(
            environment
                .neutral()
                .substitute("$ARGOCD_APP_REVISION_SHORT"),
            "0000000"
        );
    }

    #[test]
    fn the_repository_is_what_argo_cd_sent() {
        for (directory, path, boundary) in [
            ("/w/1234/charts/dev", "charts/dev", "/w/1234"),
            ("/w/1234/dev", "charts/dev", "/w/1234"),
            ("/w/1234", ".", "/w/1234"),
            ("/w/1234", "", "/w/1234"),
            ("/w/1234/charts/dev", "./charts/dev/", "/w/1234"),
        ] {
            let found =
                environment(&[("ARGOCD_APP_SOURCE_PATH", path)]).repository(Path::new(directory));
            assert_eq!(found, Path::new(boundary), "{directory} {path}");
        }
        let fixed = environment(&[(FILES_ROOT, "/")]);
        assert_eq!(fixed.files_root(Path::new("/a/b")), Path::new("/"));
    }

    #[test]
    fn api_versions_may_be_empty() {
        assert!(
            environment(&[("KUBE_API_VERSIONS", "")])
                .api_versions()
                .is_empty()
        );
        assert_eq!(
            environment(&[("KUBE_API_VERSIONS", "v1, apps/v1,")]).api_versions(),
            ["v1", "apps/v1"]
        );
    }
}
