//! What a forge adds to a pushed branch: a change that people review and merge.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::PromotionError;

/// A forge that opens a change (pull request, merge request) for a pushed branch, or finds and
/// updates the one that is open for it already.
///
/// Without one, a promotion over git ends with the pushed branch.
#[async_trait]
pub trait Forge: Send + Sync + Debug {
    /// Sees to it that exactly one change is open for the branch, with this title and body.
    ///
    /// Called after each push, and also when the branch was there already and nothing had to be
    /// pushed, so that a promotion that was killed in between is completed by the next run.
    ///
    /// # Errors
    /// [`PromotionError::Forge`].
    async fn propose(&self, change: &Proposal<'_>) -> Result<Proposed, PromotionError>;
}

/// A change to propose.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'a> {
    /// Branch that the change goes to.
    pub base: &'a str,
    /// Branch that holds the change.
    pub branch: &'a str,
    /// The commit at its head.
    pub commit: &'a str,
    /// Title, one line.
    pub title: &'a str,
    /// Description, Markdown.
    pub body: &'a str,
}

/// A change that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// Its page.
    pub url: String,
    /// True if this call opened or updated it.
    pub changed: bool,
}
