//! Value files and the `--set` family, in Helm's order.

use super::set::{SetKind, set};
use super::{coalesce::merge_maps, convert};
use crate::chart::{ChartError, ChartErrorKind};
use stagelink_gotemplate::Map;
use stagelink_yaml::Document;

/// Reads a values file: all its documents merged, later ones win. Always a map.
pub(crate) fn read_json(file: &str, data: &[u8]) -> Result<serde_json::Value, ChartError> {
    let mut merged = serde_json::Map::new();
    for (line, document) in documents(file, data)? {
        let below = |error: ChartError| error.below(line);
        let document =
            Document::parse(document).map_err(|error| below(ChartError::yaml(file, &error)))?;
        match document
            .to_json()
            .map_err(|error| below(ChartError::yaml(file, &error)))?
        {
            serde_json::Value::Object(map) => merge_json(&mut merged, map),
            serde_json::Value::Null => {}
            other => {
                let found = match other {
                    serde_json::Value::Array(_) => "a list",
                    serde_json::Value::String(_) => "a text",
                    serde_json::Value::Bool(_) => "a bool",
                    _ => "a number",
                };
                let message = format!("values must be a map, not {found}");
                let error = ChartError::new(
                    ChartErrorKind::Values,
                    file,
                    message,
                    "write `key: value` lines",
                );
                return Err(below(error.at(document.root().start())));
            }
        }
    }
    Ok(serde_json::Value::Object(merged))
}

/// Cuts a text at its lines that begin with `---`, as Kubernetes' reader does; with the number of lines before each part.
fn documents<'text>(
    file: &str,
    data: &'text [u8],
) -> Result<Vec<(usize, &'text [u8])>, ChartError> {
    let (mut parts, mut start, mut start_line, mut offset) = (Vec::new(), 0, 0, 0);
    for (line_number, line) in data.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if let Some(rest) = line.strip_prefix(b"---") {
            let rest = rest.trim_ascii();
            if !rest.is_empty() && !rest.starts_with(b"#") {
                let message = format!(
                    "invalid Yaml document separator: {}",
                    String::from_utf8_lossy(rest)
                );
                let error = ChartError::new(
                    ChartErrorKind::Content,
                    format!("{file}:{}", line_number + 1),
                    message,
                    "put nothing behind `---`",
                );
                return Err(error);
            }
            if offset > start {
                parts.push((start_line, &data[start..offset]));
                (start, start_line) = (offset + line.len(), line_number + 1);
            }
        }
        offset += line.len();
    }
    if start < data.len() {
        parts.push((start_line, &data[start..]));
    }
    Ok(parts)
}

fn merge_json(
    into: &mut serde_json::Map<String, serde_json::Value>,
    from: serde_json::Map<String, serde_json::Value>,
) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(serde_json::Value::Object(into)), serde_json::Value::Object(from)) => {
                merge_json(into, from)
            }
            (_, value) => _ = into.insert(key, value),
        }
    }
}

/// What a user sets: files first, then the flags, kind after kind as Helm does it whatever their order on the command line.
///
/// ```
/// use stagelink_helm::values::{ValueSources, to_json};
/// let sources = ValueSources {
///     files: vec!["prod.yaml".into()],
///     set: vec!["image.tag=1,args={a,b}".into()],
///     set_string: vec!["image.digest=007".into()],
///     ..ValueSources::default()
/// };
/// let values = sources.merge(&|_| Ok(b"image: {tag: old, name: app}\nreplicas: 3\n".to_vec()))?;
/// assert_eq!(
///     to_json(&values.into()),
///     serde_json::json!({"image": {"tag": 1, "name": "app", "digest": "007"}, "args": ["a", "b"], "replicas": 3.0}),
/// );
/// # Ok::<(), stagelink_helm::ChartError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueSources {
    /// `--values`: paths, later ones win.
    pub files: Vec<String>,
    /// `--set-json`: `key=json,…`, or one JSON object.
    pub set_json: Vec<String>,
    /// `--set`: `key=value,…`; whole numbers, `true`, `false` and `null` are taken as such.
    pub set: Vec<String>,
    /// `--set-string`: `key=text,…`
    pub set_string: Vec<String>,
    /// `--set-file`: `key=path,…`
    pub set_file: Vec<String>,
    /// `--set-literal`: `key=text`, where nothing in the text has a meaning.
    pub set_literal: Vec<String>,
}

/// Gives the content of a path of [`ValueSources`]: the caller decides what may be read.
pub type ReadFile<'program> = &'program dyn Fn(&str) -> std::io::Result<Vec<u8>>;

impl ValueSources {
    /// Merges everything into one map.
    ///
    /// # Errors
    /// A file that cannot be read or is not a map in YAML, or a flag that cannot be understood. No value is in the text.
    pub fn merge(&self, read: ReadFile<'_>) -> Result<Map, ChartError> {
        let mut values = Map::new(std::collections::BTreeMap::new());
        for file in &self.files {
            let data = read(file).map_err(|error| ChartError::io(file, &error))?;
            let data = data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&data);
            if let stagelink_gotemplate::Value::Map(map) =
                convert::from_json(&read_json(file, data)?)
            {
                values = merge_maps(&values, &map);
            }
        }
        for text in &self.set_json {
            if text.trim_start().starts_with('{') {
                let json: serde_json::Value = serde_json::from_str(text).map_err(|error| {
                    let message = format!("not a JSON object: {error}");
                    ChartError::new(
                        ChartErrorKind::Values,
                        "--set-json",
                        message,
                        "check the quotes",
                    )
                })?;
                if let stagelink_gotemplate::Value::Map(map) = convert::from_json(&json) {
                    values = merge_maps(&values, &map);
                }
            } else {
                apply(SetKind::Json, text, &values)?;
            }
        }
        for (kind, texts) in [
            (SetKind::Typed, &self.set),
            (SetKind::Text, &self.set_string),
            (SetKind::File(read), &self.set_file),
            (SetKind::Literal, &self.set_literal),
        ] {
            for text in texts {
                apply(kind, text, &values)?;
            }
        }
        Ok(values)
    }
}

fn apply(kind: SetKind<'_>, text: &str, values: &Map) -> Result<(), ChartError> {
    set(kind, text, values).map_err(|error| {
        let advice =
            "write `name=value`, with `\\` before `,` and `.` that belong to a name or value";
        ChartError::new(
            ChartErrorKind::Values,
            kind.flag(),
            error.to_string(),
            advice,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn documents_are_merged() {
        for (text, values) in [
            ("", json!({})),
            ("# nothing\n", json!({})),
            (
                "a: 1\n---\na: {b: 1}\n--- # c\na: {c: 2}\nd: 3\n",
                json!({"a": {"b": 1, "c": 2}, "d": 3}),
            ),
            ("---\na: 1\n---\n", json!({"a": 1})),
            ("a: 1\na: 2\n", json!({"a": 2})),
            ("a: [~, 1]\n", json!({"a": [null, 1]})),
        ] {
            assert_eq!(
                read_json("values.yaml", text.as_bytes()),
                Ok(values),
                "{text:?}"
            );
        }
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, message) in [
            (
                "- a\n",
                "values.yaml:1:1: values must be a map, not a list; write `key: value` lines",
            ),
            (
                "a: 1\n---\nb: 2\nc: d: e\n",
                "values.yaml:4:5: error converting YAML to JSON: yaml: mapping values are not allowed in this context; correct the YAML",
            ),
            (
                "a: 1\n--- b\n",
                "values.yaml:2: invalid Yaml document separator: b; put nothing behind `---`",
            ),
        ] {
            let error = read_json("values.yaml", text.as_bytes()).expect_err(text);
            assert_eq!(error.to_string(), message);
        }
        let sources = ValueSources {
            files: vec!["none.yaml".into()],
            ..ValueSources::default()
        };
        let error = sources
            .merge(&|path| std::fs::read(path))
            .expect_err("missing");
        assert_eq!(
            error.to_string(),
            "none.yaml: no such file or directory; give a path that exists"
        );
        let sources = ValueSources {
            set: vec!["a".into()],
            ..ValueSources::default()
        };
        let error = sources
            .merge(&|path| std::fs::read(path))
            .expect_err("no value");
        assert!(
            error
                .to_string()
                .starts_with("--set: key \"a\" has no value; "),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn any_file_ends(text in "[-a:{}\\[\\]\n #\"']{0,80}") {
            let _ = read_json("values.yaml", text.as_bytes());
        }
    }
}
