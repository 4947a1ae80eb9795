//! Secrets that resources refer to, for example a metrics provider's password.

use std::fmt;

use async_trait::async_trait;

/// Reads secrets: those of the cluster, or of one machine.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The value of a key; none if there is no such Secret, or if it has no such key.
    ///
    /// # Errors
    /// [`SecretError`] if it cannot be told.
    async fn get(&self, key: &SecretKey<'_>) -> Result<Option<SecretValue>, SecretError>;
}

/// A key of a Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretKey<'a> {
    /// Namespace of the Secret.
    pub namespace: &'a str,
    /// Name of the Secret.
    pub name: &'a str,
    /// The key in it.
    pub key: &'a str,
}

/// A text that must never be seen: it has no `Display`, and `Debug` shows dots.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(String);

impl SecretValue {
    /// Takes a text into keeping.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

/// Why a secret cannot be read. Never holds any of it.
#[derive(Debug, thiserror::Error)]
#[error("key {key} of Secret {name} cannot be read: {problem}")]
pub struct SecretError {
    /// Name of the Secret.
    pub name: String,
    /// The key in it.
    pub key: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// A place without any secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSecrets;

#[async_trait]
impl Secrets for NoSecrets {
    async fn get(&self, _key: &SecretKey<'_>) -> Result<Option<SecretValue>, SecretError> {
        Ok(None)
    }
}
