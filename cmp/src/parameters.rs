//! The Application's parameters, in every form in which they reach the plugin.
//!
//! `ARGOCD_APP_PARAMETERS` is JSON: absent, `null`, `[]`, or `{"name", "string" | "array" | "map"}`
//! items. When it is absent, `PARAM_<NAME>` and `PARAM_<NAME>_<i>` are read instead. What is in
//! neither is taken from `ARGOCD_ENV_<NAME>` (`spec.source.plugin.env`), where lists have an item in
//! each line or between commas, and maps a `name=value` in each line.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::announcement::{KNOWN, Known, Shape};
use crate::environment::split_list;
use crate::{Environment, PluginError};

/// Longest text of all parameters, in bytes; the kernel allows an environment variable 128 KiB.
const MAX_PARAMETERS: usize = 1024 * 1024;

/// What a parameter is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Setting {
    String(String),
    Array(Vec<String>),
    Map(BTreeMap<String, String>),
}

/// The parameters that are set, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    settings: BTreeMap<&'static str, Setting>,
}

/// One item of `ARGOCD_APP_PARAMETERS`.
#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    name: String,
    string: Option<String>,
    array: Option<Vec<String>>,
    map: Option<BTreeMap<String, String>>,
}

impl Parameters {
    /// Reads the parameters from the environment.
    ///
    /// # Errors
    /// [`PluginError::Input`] for an unknown parameter, or one of the wrong form.
    pub fn read(environment: &Environment) -> Result<Self, PluginError> {
        let mut parameters = Self::default();
        match environment.get("ARGOCD_APP_PARAMETERS") {
            Some(json) => parameters.read_json(json)?,
            None => parameters.read_singly(environment),
        }
        for known in KNOWN {
            let name = format!("ARGOCD_ENV_{}", variable_name(known.name));
            if let Some(text) = environment.get(&name) {
                // A parameter beats the environment.
                parameters
                    .settings
                    .entry(known.name)
                    .or_insert_with(|| from_text(known.shape, text));
            }
        }
        Ok(parameters)
    }

    fn read_json(&mut self, json: &str) -> Result<(), PluginError> {
        if json.len() > MAX_PARAMETERS {
            return Err(PluginError::input(format!(
                "ARGOCD_APP_PARAMETERS has more than {MAX_PARAMETERS} bytes; put values into a file"
            )));
        }
        let items: Option<Vec<Item>> = serde_json::from_str(json).map_err(|error| {
            // The text may hold secrets: only the place is said.
            PluginError::input(format!(
                "ARGOCD_APP_PARAMETERS is not a list of parameters (byte {}); \
                 give each a name and one of string, array and map",
                error.column()
            ))
        })?;
        for item in items.into_iter().flatten() {
            let known = known(&item.name)?;
            let setting = match (item.string, item.array, item.map) {
                (_, _, Some(map)) if known.shape == Shape::Map => Setting::Map(map),
                (_, Some(array), _) if known.shape == Shape::Array => Setting::Array(array),
                (Some(text), _, _) => match from_text(known.shape, &text) {
                    _ if text.is_empty() => continue,
                    setting => setting,
                },
                (None, None, None) => continue,
                (None, Some(array), _) if array.is_empty() => continue,
                (None, _, Some(map)) if map.is_empty() => continue,
                _ => return Err(wrong_form(known)),
            };
            self.settings.insert(known.name, setting);
        }
        Ok(())
    }

    /// `PARAM_…`, for a plugin that is started by hand; maps cannot be told apart there.
    fn read_singly(&mut self, environment: &Environment) {
        for known in KNOWN {
            let name = format!("PARAM_{}", variable_name(known.name));
            let setting = match known.shape {
                Shape::String => environment
                    .get(&name)
                    .map(|text| Setting::String(text.to_owned())),
                Shape::Array => {
                    let items: Vec<String> = (0..)
                        .map_while(|index| environment.get(&format!("{name}_{index}")))
                        .map(str::to_owned)
                        .collect();
                    (!items.is_empty()).then_some(Setting::Array(items))
                }
                Shape::Map => None,
            };
            if let Some(setting) = setting {
                self.settings.insert(known.name, setting);
            }
        }
    }

    /// A text that is set and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.settings.get(name)? {
            Setting::String(text) => Some(text.as_str()).filter(|text| !text.trim().is_empty()),
            _ => None,
        }
    }

    /// A yes or no.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, PluginError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "t" | "yes" | "on" => Ok(Some(true)),
            "false" | "0" | "f" | "no" | "off" => Ok(Some(false)),
            _ => Err(PluginError::input(format!(
                "parameter {name:?} is neither true nor false; set it to one of them"
            ))),
        }
    }

    /// One of several words.
    pub(crate) fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, PluginError> {
        let Some(text) = self.text(name).map(str::trim) else {
            return Ok(None);
        };
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => {
                let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                Err(PluginError::input(format!(
                    "parameter {name:?} is {text:?}; set it to one of {}",
                    words.join(", ")
                )))
            }
        }
    }

    /// A list; empty when it is not set.
    pub(crate) fn list(&self, name: &str) -> &[String] {
        match self.settings.get(name) {
            Some(Setting::Array(items)) => items,
            _ => &[],
        }
    }

    /// A map; empty when it is not set.
    pub(crate) fn map(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let map = match self.settings.get(name) {
            Some(Setting::Map(map)) => Some(map),
            _ => None,
        };
        map.into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn known(name: &str) -> Result<&'static Known, PluginError> {
    KNOWN
        .iter()
        .find(|known| known.name == name)
        .ok_or_else(|| {
            let advice = match stagelink_keptn::nearest(name, KNOWN.iter().map(|known| known.name))
            {
                Some(near) => format!("did you mean {near:?}?"),
                None => "`stagelink-cmp parameters` lists those that there are".to_owned(),
            };
            let shown: String = name.chars().take(64).collect();
            PluginError::input(format!("unknown parameter {shown:?}; {advice}"))
        })
}

fn wrong_form(known: &Known) -> PluginError {
    let form = match known.shape {
        Shape::String => "string",
        Shape::Array => "array",
        Shape::Map => "map",
    };
    PluginError::input(format!(
        "parameter {:?} has the wrong form; give it as `{form}:`",
        known.name
    ))
}

fn from_text(shape: Shape, text: &str) -> Setting {
    match shape {
        Shape::String => Setting::String(text.to_owned()),
        Shape::Array => Setting::Array(split_list(text, ',')),
        Shape::Map => Setting::Map(
            text.lines()
                .filter_map(|line| line.split_once('='))
                .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
                .collect(),
        ),
    }
}

/// `value-files` as Argo CD spells it in variables: `VALUE_FILES`.
fn variable_name(name: &str) -> String {
    name.chars()
        .map(|character| match character.to_ascii_uppercase() {
            upper @ ('A'..='Z' | '0'..='9') => upper,
            _ => '_',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Parameters, String> {
        Parameters::read(&variables.iter().copied().collect()).map_err(|error| error.to_string())
    }

    fn json(json: &str) -> Result<Parameters, String> {
        read(&[("ARGOCD_APP_PARAMETERS", json)])
    }

    #[test]
    fn every_way_of_saying_nothing_is_nothing() {
        for text in [
            "",
            "null",
            "[]",
            r#"[{"name":"stage"}]"#,
            r#"[{"name":"stage","string":""}]"#,
            r#"[{"name":"value-files","array":[]}]"#,
        ] {
            let parameters = json(text).unwrap();
            assert_eq!(parameters.text("stage"), None, "{text}");
            assert!(parameters.list("value-files").is_empty());
        }
        assert_eq!(read(&[]).unwrap(), Parameters::default());
    }

    #[test]
    fn each_form_is_read() {
        let parameters = json(
            r#"[{"array":["a.yaml","b.yaml"],"name":"value-files"},{"map":{"image.tag":"1"},"name":"helm-parameters"},
                {"name":"stage","string":"dev"},{"name":"skip-crds","string":"true"}]"#,
        )
        .unwrap();
        assert_eq!(parameters.list("value-files"), ["a.yaml", "b.yaml"]);
        assert_eq!(
            parameters.map("helm-parameters").collect::<Vec<_>>(),
            [("image.tag", "1")]
        );
        assert_eq!(parameters.text("stage"), Some("dev"));
        assert_eq!(parameters.flag("skip-crds").unwrap(), Some(true));
        // A list in one text, as the user interface may send it.
        assert_eq!(
            json(r#"[{"name":"value-files","string":"a, b"}]"#)
                .unwrap()
                .list("value-files"),
            ["a", "b"]
        );
    }

    #[test]
    fn single_variables_count_when_the_json_is_absent() {
        let variables = [
            ("PARAM_STAGE", "dev"),
            ("PARAM_VALUE_FILES_0", "a"),
            ("PARAM_VALUE_FILES_1", "b"),
            ("PARAM_VALUE_FILES_3", "d"),
        ];
        let parameters = read(&variables).unwrap();
        assert_eq!(parameters.text("stage"), Some("dev"));
        assert_eq!(parameters.list("value-files"), ["a", "b"]);
        let mut with_json = variables.to_vec();
        with_json.push(("ARGOCD_APP_PARAMETERS", "[]"));
        assert_eq!(read(&with_json).unwrap(), Parameters::default());
    }

    #[test]
    fn a_parameter_beats_the_environment() {
        let parameters = read(&[
            (
                "ARGOCD_APP_PARAMETERS",
                r#"[{"name":"stage","string":"prod"}]"#,
            ),
            ("ARGOCD_ENV_STAGE", "dev"),
            ("ARGOCD_ENV_RELEASE_NAME", "shop"),
            ("ARGOCD_ENV_VALUE_FILES", "a.yaml,b.yaml\nc.yaml"),
            ("ARGOCD_ENV_HELM_PARAMETERS", "a=b=c\n d=e"),
            ("ARGOCD_ENV_HOOK_IMAGE", ""),
            ("ARGOCD_ENV_UNRELATED", "x"),
        ])
        .unwrap();
        assert_eq!(parameters.text("stage"), Some("prod"));
        assert_eq!(parameters.text("release-name"), Some("shop"));
        assert_eq!(parameters.text("hook-image"), None);
        assert_eq!(
            parameters.list("value-files"),
            ["a.yaml", "b.yaml", "c.yaml"]
        );
        assert_eq!(
            parameters.map("helm-parameters").collect::<Vec<_>>(),
            [("a", "b=c"), ("d", "e")]
        );
    }

    #[test]
    fn mistakes_are_said_without_what_was_set() {
        for (text, message) in [
            (
                "{",
                "ARGOCD_APP_PARAMETERS is not a list of parameters (byte ",
            ),
            (
                r#"[{"name":"stage","string":{"a":"s3cret"}}]"#,
                "ARGOCD_APP_PARAMETERS is not a list",
            ),
            (
                r#"[{"name":"stag","string":"s3cret"}]"#,
                "unknown parameter \"stag\"; did you mean \"stage\"?",
            ),
            (
                r#"[{"name":"qqqqq","string":"s3cret"}]"#,
                "unknown parameter \"qqqqq\"; `stagelink-cmp parameters` lists",
            ),
            (
                r#"[{"name":"stage","array":["s3cret"]}]"#,
                "parameter \"stage\" has the wrong form; give it as `string:`",
            ),
            (
                r#"[{"name":"value-files","map":{"a":"s3cret"}}]"#,
                "give it as `array:`",
            ),
        ] {
            let error = json(text).unwrap_err();
            assert!(error.contains(message), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn words_are_checked() {
        let parameters =
            json(r#"[{"name":"inject","string":"all"},{"name":"hooks","string":"maybe"}]"#)
                .unwrap();
        assert_eq!(
            parameters
                .choice("inject", &[("both", 1), ("none", 2)])
                .unwrap_err()
                .to_string(),
            "parameter \"inject\" is \"all\"; set it to one of both, none"
        );
        assert!(
            parameters
                .flag("hooks")
                .unwrap_err()
                .to_string()
                .contains("neither true nor false")
        );
    }
}
