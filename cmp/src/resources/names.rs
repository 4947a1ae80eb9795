//! Names of Stagelink's own resources.

use sha2::{Digest as _, Sha256};

/// Argo CD appends `<7 of the revision>-<phase>-<seconds>` to a generated name, up to 27 characters,
/// and a Job's name may have 63.
const LONGEST_PREFIX: usize = 36;

/// What a name tells of a revision that Argo CD cannot tell itself has so many characters at most.
const LONGEST_REVISION: usize = 12;

/// What the hooks put behind the ledger's name.
const SPANS: &str = "-spans";

/// Names that are derived from the Application's instance name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    base: String,
    instance: String,
}

/// How a hook comes by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HookName {
    /// Argo CD completes it, to another one for each operation.
    Generated(String),
    /// It is the same for each sync of a revision.
    Fixed(String),
}

impl Names {
    /// The names for an Application; `instance` may hold its namespace (`<namespace>_<name>`).
    ///
    /// A name that Kubernetes would not take is changed, and a hash keeps it apart from that of
    /// another Application: `a_b-c` and `a-b_c` may deploy to the same namespace.
    pub(crate) fn new(instance: &str) -> Self {
        let plain = plain(instance);
        let base = if plain == instance {
            plain
        } else if plain.is_empty() {
            hash(instance)
        } else {
            format!("{plain}-{}", hash(instance))
        };
        Self {
            base,
            instance: instance.to_owned(),
        }
    }

    /// The ConfigMap with the plan.
    pub(crate) fn plan(&self) -> String {
        self.with("-stagelink-plan", 253)
    }

    /// The ConfigMap that the hooks keep the ledger in.
    pub(crate) fn ledger(&self) -> String {
        self.with("-stagelink-ledger", 253 - SPANS.len())
    }

    /// The ConfigMap beside it, for spans that the ledger has no room for.
    pub(crate) fn spans(&self) -> String {
        format!("{}{SPANS}", self.ledger())
    }

    /// How Argo CD notes that the ledger belongs to the Application
    /// (argo-cd `util/argo/resource_tracking.go`, by annotation, its default).
    pub(crate) fn ledger_tracking_id(&self, namespace: &str) -> String {
        format!("{}:/ConfigMap:{namespace}/{}", self.instance, self.ledger())
    }

    /// Service account, role and role binding of the hooks.
    pub(crate) fn access(&self) -> String {
        self.with("-stagelink", 253)
    }

    /// The name of a hook. Argo CD completes one itself with the revision's first characters
    /// (gitops-engine `pkg/sync/sync_context.go`), which Kubernetes refuses of a digest (`sha256:`),
    /// and of some versions (`2024.1.`, `1.2.3+b`).
    pub(crate) fn hook(&self, hook: &str, revision: &str) -> HookName {
        let hook = hook.to_lowercase();
        let prefix = self.with(&format!("-{hook}-"), LONGEST_PREFIX);
        if is_name_part(revision) {
            return HookName::Generated(prefix);
        }
        let digits = revision.rsplit(':').next().unwrap_or_default();
        let digits: String = plain(digits).chars().take(LONGEST_REVISION).collect();
        // As Argo CD would, with a start that says that nobody knows it.
        HookName::Fixed(format!("{prefix}{}-{hook}-0", digits.trim_matches('-')))
    }

    /// The base with an ending. A base that is too long is cut, and a hash keeps it apart from others.
    fn with(&self, ending: &str, longest: usize) -> String {
        if self.base.len() + ending.len() <= longest {
            return format!("{}{ending}", self.base);
        }
        let hash = hash(&self.base);
        // The base is ASCII.
        let kept = &self.base[..longest.saturating_sub(ending.len() + hash.len() + 1)];
        format!("{}-{hash}{ending}", kept.trim_end_matches('-'))
    }
}

/// A text with nothing but what a name may have.
fn plain(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|character| match character.to_ascii_lowercase() {
            letter @ ('a'..='z' | '0'..='9' | '-') => letter,
            _ => '-',
        })
        .collect();
    plain.trim_matches('-').to_owned()
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .take(3)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// True if what Argo CD takes of a revision may stand within a name: seven characters, or all of
/// fewer than eight.
fn is_name_part(revision: &str) -> bool {
    let taken = if revision.len() >= 8 {
        revision.get(..7)
    } else {
        Some(revision)
    };
    let Some(taken) = taken.map(str::to_ascii_lowercase) else {
        return false;
    };
    let is_letter = |letter| matches!(letter, 'a'..='z' | '0'..='9' | '-' | '.');
    // The parts between dots begin and end with a letter or digit; hyphens are around it.
    taken.chars().all(is_letter)
        && format!("a-{taken}-a")
            .split('.')
            .all(|part| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(names: &Names) -> String {
        match names.hook("PostSync", "0a1b2c3d4e5f") {
            HookName::Generated(prefix) => prefix,
            HookName::Fixed(name) => panic!("{name}"),
        }
    }

    #[test]
    fn names_fit_and_stay_apart() {
        let names = Names::new("shop-dev");
        assert_eq!(names.plan(), "shop-dev-stagelink-plan");
        assert_eq!(prefix(&names), "shop-dev-postsync-");
        let long = |last: &str| Names::new(&format!("{}{last}", "a".repeat(60)));
        let (one, two) = (long("x"), long("y"));
        assert_eq!(prefix(&one).len(), LONGEST_PREFIX);
        assert_ne!(prefix(&one), prefix(&two));
        assert!(one.plan().len() <= 253);
    }

    #[test]
    fn applications_of_all_namespaces_stay_apart() {
        // In Argo CD's own namespace, in others, and one with a dot.
        let instances = ["a-b-c", "a_b-c", "a-b_c", "a.b-c", "a-b.c"];
        let ledgers: std::collections::BTreeSet<String> = instances
            .iter()
            .map(|instance| Names::new(instance).ledger())
            .collect();
        assert_eq!(ledgers.len(), instances.len(), "{ledgers:?}");
        for ledger in ledgers {
            assert!(ledger.starts_with("a-b-c-"), "{ledger}");
            assert!(!ledger.contains(['_', '.']), "{ledger}");
        }
        assert!(!Names::new("_").ledger().starts_with('-'));
    }

    #[test]
    fn a_revision_that_is_no_part_of_a_name_makes_the_name_fixed() {
        let names = Names::new("shop");
        for revision in [
            "0123456789abcdef0123456789abcdef01234567",
            "1.2.3",
            "v1.2.30",
            "1.2.3-RC1",
            "streamed",
            "",
        ] {
            let name = names.hook("PreSync", revision);
            assert_eq!(
                name,
                HookName::Generated("shop-presync-".to_owned()),
                "{revision}"
            );
        }
        for (revision, part) in [
            ("sha256:0123456789abcdef", "0123456789ab"),
            ("2024.1.5", "2024-1-5"),
            ("1.2.3+b5", "1-2-3-b5"),
            ("12.345.6-alpha.12", "12-345-6-alp"),
            ("1.2..34", "1-2--34"),
            ("é.é.é.é", ""),
        ] {
            let fixed = format!("shop-presync-{part}-presync-0");
            assert_eq!(
                names.hook("PreSync", revision),
                HookName::Fixed(fixed),
                "{revision}"
            );
        }
        let long = Names::new(&"a".repeat(60));
        match long.hook("PostSync", "sha256:0123456789abcdef") {
            HookName::Fixed(name) => assert!(name.len() <= 63, "{name}"),
            HookName::Generated(prefix) => panic!("{prefix}"),
        }
    }
}
