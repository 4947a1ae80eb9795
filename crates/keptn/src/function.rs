//! Which code a task runs: its own, or that of the definition it refers to.

use std::collections::BTreeMap;

use crate::{Runtime, TaskDefinitionSpec};

/// Longest chain of `functionRef` that is followed; Keptn itself follows one.
const MAX_REFERENCES: usize = 16;

/// Why no code can be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// A definition refers to one that is not there.
    #[error(
        "task definition {from:?} refers to the function of {to:?}, which is not there; \
         add a KeptnTaskDefinition {to:?} or correct functionRef.name"
    )]
    Missing {
        /// The definition that refers.
        from: String,
        /// The definition that is referred to.
        to: String,
    },
    /// Definitions refer to each other in a circle, or too long a chain.
    #[error("the functionRef of task definition {0:?} leads round in a circle; break it")]
    Circle(String),
    /// The definition that is referred to is a container.
    #[error(
        "task definition {from:?} refers to the function of {to:?}, which has none: it is a \
         container; use the container itself"
    )]
    Container {
        /// The definition that refers.
        from: String,
        /// The definition that is referred to.
        to: String,
    },
    /// Nothing says where the code is.
    #[error(
        "task definition {0:?} has no code; give it one of inline.code, configMapRef.name, \
         httpRef.url or functionRef.name"
    )]
    NoCode(String),
}

/// Where the code of a function is. Inline code beats a ConfigMap, a ConfigMap beats a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionSource<'a> {
    /// The code itself.
    Inline(&'a str),
    /// Name of a ConfigMap with the code at its key `code`.
    ConfigMap(&'a str),
    /// URL of the code.
    Url(&'a str),
}

/// A function with everything merged in that it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedFunction<'a> {
    /// What runs it: that of the definition with the code.
    pub runtime: Runtime,
    /// Name of the definition with the code.
    pub definition: String,
    /// Where the code is.
    pub source: FunctionSource<'a>,
    /// Parameters; where both have one, the referring definition's.
    pub parameters: BTreeMap<String, String>,
    /// Name of the Secret with `SECURE_DATA`: the referring definition's, else the other's.
    pub secret: Option<&'a str>,
    /// Value of `CMD_ARGS`: the referring definition's, else the other's; may be empty.
    pub cmd_parameters: &'a str,
}

impl TaskDefinitionSpec {
    /// Finds the code of this definition, whose name is `name`, and merges its parameters with those
    /// of the definitions that it refers to (Keptn's `runtime_builder.go`).
    ///
    /// `None` for a container, or for a definition with neither container nor function.
    ///
    /// # Errors
    /// [`FunctionError`] when the code cannot be found.
    pub fn resolve_function<'a>(
        &'a self,
        name: &str,
        definition: impl Fn(&str) -> Option<&'a TaskDefinitionSpec>,
    ) -> Result<Option<ResolvedFunction<'a>>, FunctionError> {
        let Some(mut function) = self.function_spec() else {
            return Ok(None);
        };
        let mut holder = self;
        let mut holder_name = name.to_owned();
        let mut parameters = BTreeMap::new();
        let mut secret = None;
        let mut cmd_parameters = "";
        for _ in 0..MAX_REFERENCES {
            for (key, value) in function.parameters.iter().flat_map(|own| &own.map) {
                parameters
                    .entry(key.clone())
                    .or_insert_with(|| value.clone());
            }
            secret = secret.or(function
                .secure_parameters
                .as_ref()
                .and_then(|own| own.secret.as_deref())
                .filter(|secret| !secret.is_empty()));
            if cmd_parameters.is_empty() {
                cmd_parameters = function.cmd_parameters.as_deref().unwrap_or_default();
            }
            let parent = function.function_ref.as_ref().map(|to| to.name.as_str());
            let Some(parent) = parent.filter(|to| !to.is_empty()) else {
                let source = if let Some(inline) = function
                    .inline
                    .as_ref()
                    .filter(|inline| !inline.code.is_empty())
                {
                    FunctionSource::Inline(&inline.code)
                } else if let Some(map) = function
                    .config_map_ref
                    .as_ref()
                    .filter(|map| !map.name.is_empty())
                {
                    FunctionSource::ConfigMap(&map.name)
                } else if let Some(http) = function
                    .http_ref
                    .as_ref()
                    .filter(|http| !http.url.is_empty())
                {
                    FunctionSource::Url(&http.url)
                } else {
                    return Err(FunctionError::NoCode(holder_name));
                };
                return Ok(Some(ResolvedFunction {
                    // A definition with a function has a runtime.
                    runtime: holder.runtime().unwrap_or(Runtime::Deno),
                    definition: holder_name,
                    source,
                    parameters,
                    secret,
                    cmd_parameters,
                }));
            };
            holder = definition(parent).ok_or_else(|| FunctionError::Missing {
                from: holder_name.clone(),
                to: parent.to_owned(),
            })?;
            function = holder.function_spec().ok_or_else(|| {
                if holder.container.is_some() {
                    FunctionError::Container {
                        from: holder_name.clone(),
                        to: parent.to_owned(),
                    }
                } else {
                    FunctionError::NoCode(parent.to_owned())
                }
            })?;
            holder_name = parent.to_owned();
        }
        Err(FunctionError::Circle(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definitions() -> BTreeMap<String, TaskDefinitionSpec> {
        serde_json::from_value(json!({
            "parent": {"deno": {"inline": {"code": "parent()"}, "parameters": {"map": {"a": "1", "b": "2"}}, "cmdParameters": "x"}},
            "child": {"deno": {"functionRef": {"name": "parent"}, "parameters": {"map": {"b": "3", "c": "4"}}, "secureParameters": {"secret": "s"}}},
            "grandchild": {"python": {"functionRef": {"name": "child"}, "cmdParameters": "y"}},
            "lost": {"deno": {"functionRef": {"name": "nowhere"}}},
            "ring": {"deno": {"functionRef": {"name": "ring"}}},
            "box": {"container": {"name": "c", "image": "i"}},
            "of-box": {"deno": {"functionRef": {"name": "box"}}},
            "empty": {"deno": {}},
            "all": {"python": {"inline": {"code": ""}, "configMapRef": {"name": "m"}, "httpRef": {"url": "http://u"}}},
        }))
        .unwrap()
    }

    fn resolve(name: &str) -> Result<Option<(Runtime, String, String)>, String> {
        let all = definitions();
        all[name]
            .resolve_function(name, |name| all.get(name))
            .map(|found| {
                found.map(|function| {
                    let rest = format!(
                        "{:?} {:?} {:?} {:?}",
                        function.source,
                        function.parameters,
                        function.secret,
                        function.cmd_parameters
                    );
                    (function.runtime, function.definition, rest)
                })
            })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_child_has_its_parents_code_and_its_own_parameters() {
        let parameters = r#"{"a": "1", "b": "3", "c": "4"}"#;
        for (name, cmd) in [("child", "x"), ("grandchild", "y")] {
            assert_eq!(
                resolve(name).unwrap().unwrap(),
                (
                    Runtime::Deno,
                    "parent".to_owned(),
                    format!("Inline(\"parent()\") {parameters} Some(\"s\") {cmd:?}")
                )
            );
        }
    }

    #[test]
    fn a_config_map_beats_a_url() {
        let (runtime, _, rest) = resolve("all").unwrap().unwrap();
        assert_eq!(runtime, Runtime::Python);
        assert!(rest.starts_with("ConfigMap(\"m\")"), "{rest}");
    }

    #[test]
    fn what_leads_nowhere_is_said_by_name() {
        assert_eq!(resolve("box"), Ok(None));
        for (name, part) in [
            (
                "lost",
                "\"lost\" refers to the function of \"nowhere\", which is not there",
            ),
            ("ring", "\"ring\" leads round in a circle"),
            ("of-box", "it is a container"),
            ("empty", "\"empty\" has no code"),
        ] {
            let error = resolve(name).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
