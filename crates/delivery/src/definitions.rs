//! Keptn's resources that a plan names and does not have.

use std::error::Error;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::Value;
use stagelink_keptn::KeptnKind;
use stagelink_plan::DefinitionMetadata;

/// Finds definitions, metrics and providers where the stage keeps them, if that is not the chart.
#[async_trait]
pub trait Definitions: Send + Sync {
    /// The resource of this kind and name, valid as Keptn would take it, in the first of these
    /// namespaces that has it.
    ///
    /// # Errors
    /// [`DefinitionError`]; one that is in none of them is no reason to wait.
    async fn find(
        &self,
        kind: KeptnKind,
        namespaces: &[&str],
        name: &str,
    ) -> Result<Definition, DefinitionError>;
}

/// A resource that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Its kind, for example `KeptnTaskDefinition`.
    pub kind: &'static str,
    /// Where it is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it is labelled with.
    pub metadata: DefinitionMetadata,
    /// Its `spec`, or `null`.
    pub spec: Value,
}

impl Definition {
    /// The `spec` as a type of `stagelink-keptn`.
    ///
    /// # Errors
    /// [`DefinitionError::Invalid`] if it is not of that form.
    pub fn read<T: DeserializeOwned + Default>(&self) -> Result<T, DefinitionError> {
        if self.spec.is_null() {
            return Ok(T::default());
        }
        T::deserialize(&self.spec).map_err(|error| DefinitionError::Invalid {
            kind: self.kind,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            problem: error.to_string(),
        })
    }
}

/// Why there is no definition.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// It is nowhere where it could be.
    #[error("there is no {kind} {name} in the chart{}; {}", list(.places), advice(.places))]
    NotFound {
        /// The kind.
        kind: &'static str,
        /// The name.
        name: String,
        /// Where else it was looked for, and what stood in the way.
        places: Vec<String>,
    },
    /// Keptn would not take it.
    #[error("{kind} {namespace}/{name} is not valid: {problem}")]
    Invalid {
        /// The kind.
        kind: &'static str,
        /// Where it is.
        namespace: String,
        /// The name.
        name: String,
        /// The first thing that is wrong.
        problem: String,
    },
    /// It cannot be told.
    #[error("{kind} {namespace}/{name} cannot be read: {source}")]
    Unavailable {
        /// The kind.
        kind: &'static str,
        /// Where it was looked for.
        namespace: String,
        /// The name.
        name: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
}

fn list(places: &[String]) -> String {
    places.iter().map(|place| format!(", {place}")).collect()
}

fn advice(places: &[String]) -> &'static str {
    if places.is_empty() {
        "add it, or correct its name"
    } else {
        "add it to the chart or to the cluster"
    }
}

/// Where there is nothing but the chart.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDefinitions;

#[async_trait]
impl Definitions for NoDefinitions {
    async fn find(
        &self,
        kind: KeptnKind,
        _namespaces: &[&str],
        name: &str,
    ) -> Result<Definition, DefinitionError> {
        Err(DefinitionError::NotFound {
            kind: kind.kind,
            name: name.to_owned(),
            places: Vec::new(),
        })
    }
}
