//! Names of Stagelink's own resources.

use sha2::{Digest as _, Sha256};

/// Argo CD appends `<7 of the revision>-<phase>-<seconds>` to a generated name, up to 27 characters,
/// and a Job's name may have 63.
const LONGEST_PREFIX: usize = 36;

/// Names that are derived from the Application's instance name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    base: String,
}

impl Names {
    /// The names for an Application; `instance` may hold its namespace (`<namespace>_<name>`).
    pub(crate) fn new(instance: &str) -> Self {
        let base: String = instance
            .chars()
            .map(|character| match character.to_ascii_lowercase() {
                letter @ ('a'..='z' | '0'..='9' | '-') => letter,
                _ => '-',
            })
            .collect();
        Self {
            base: base.trim_matches('-').to_owned(),
        }
    }

    /// The ConfigMap with the plan.
    pub(crate) fn plan(&self) -> String {
        self.with("-stagelink-plan", 253)
    }

    /// The ConfigMap that the hooks keep the ledger in.
    pub(crate) fn ledger(&self) -> String {
        self.with("-stagelink-ledger", 253)
    }

    /// Service account, role and role binding of the hooks.
    pub(crate) fn access(&self) -> String {
        self.with("-stagelink", 253)
    }

    /// What the name of a hook's Job begins with.
    pub(crate) fn hook_prefix(&self, hook: &str) -> String {
        self.with(&format!("-{hook}-"), LONGEST_PREFIX)
    }

    /// The base with an ending. A base that is too long is cut, and a hash keeps it apart from others.
    fn with(&self, ending: &str, longest: usize) -> String {
        if self.base.len() + ending.len() <= longest {
            return format!("{}{ending}", self.base);
        }
        let hash: String = Sha256::digest(self.base.as_bytes())
            .iter()
            .take(3)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        // The base is ASCII.
        let kept = &self.base[..longest.saturating_sub(ending.len() + hash.len() + 1)];
        format!("{}-{hash}{ending}", kept.trim_end_matches('-'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_stay_apart() {
        let names = Names::new("Team_shop");
        assert_eq!(names.plan(), "team-shop-stagelink-plan");
        assert_eq!(names.hook_prefix("presync"), "team-shop-presync-");
        let long = |last: &str| Names::new(&format!("{}{last}", "a".repeat(60)));
        let (one, two) = (long("x"), long("y"));
        assert_eq!(one.hook_prefix("postsync").len(), LONGEST_PREFIX);
        assert_ne!(one.hook_prefix("postsync"), two.hook_prefix("postsync"));
        assert!(one.plan().len() <= 253);
    }
}
