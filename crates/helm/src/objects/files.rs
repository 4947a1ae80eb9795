//! `.Files`: the files of a chart that are neither templates nor sub-charts.

use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stagelink_gotemplate::{GoString, Kind, List, Object, Parameter, Value};

use super::glob::Glob;
use crate::functions::encoding::yaml;
use crate::functions::paths;

/// Files by their path in the chart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    files: Rc<BTreeMap<String, Arc<[u8]>>>,
}

impl Files {
    /// Files by path; the last one of a path counts.
    pub(crate) fn new<'a>(files: impl IntoIterator<Item = (&'a str, Arc<[u8]>)>) -> Self {
        let files = files
            .into_iter()
            .map(|(path, content)| (path.to_owned(), content))
            .collect();
        Self {
            files: Rc::new(files),
        }
    }

    /// As JSON has it: contents in base64.
    pub(crate) fn plain(&self) -> Value {
        Value::map(
            self.files
                .iter()
                .map(|(path, content)| (path.as_str(), Value::Bytes(Rc::from(&**content)))),
        )
    }

    fn bytes(&self, path: &str) -> &[u8] {
        self.files.get(path).map_or(b"", |content| content)
    }

    fn glob(&self, pattern: &str) -> Self {
        let glob = Glob::new(pattern);
        let matching = self.files.iter().filter(|(path, _)| glob.is_match(path));
        Self {
            files: Rc::new(
                matching
                    .map(|(path, content)| (path.clone(), Arc::clone(content)))
                    .collect(),
            ),
        }
    }

    fn lines(&self, path: &str) -> Value {
        let content = self.bytes(path);
        if content.is_empty() {
            return Value::List(List::of_strings(Vec::<GoString>::new()));
        }
        let content = content.strip_suffix(b"\n").unwrap_or(content);
        Value::List(List::of_strings(content.split(|byte| *byte == b'\n')))
    }

    /// A YAML map from base names to contents, for `data` of a ConfigMap or Secret.
    fn as_data(&self, encode: impl Fn(&[u8]) -> GoString) -> Value {
        let entries = self
            .files
            .iter()
            .map(|(path, content)| (paths::base(path.as_bytes()), Value::String(encode(content))));
        Value::from(yaml(&Value::map(entries)).unwrap_or_default())
    }
}

impl Object for Files {
    fn type_name(&self) -> &str {
        "engine.files"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn kind(&self) -> Kind {
        Kind::Map
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(Value::Bytes(self.bytes(name).into()))
    }

    fn has_method(&self, name: &str) -> bool {
        matches!(
            name,
            "Get" | "GetBytes" | "Glob" | "AsConfig" | "AsSecrets" | "Lines"
        )
    }

    fn parameters(&self, name: &str) -> Option<&'static [Parameter]> {
        Some(if matches!(name, "AsConfig" | "AsSecrets") {
            &[]
        } else {
            &[Parameter::String]
        })
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let path = arguments
            .first()
            .and_then(Value::as_string)
            .map(|path| path.to_str_lossy().into_owned())
            .unwrap_or_default();
        Some(Ok(match name {
            "Get" => Value::string(self.bytes(&path)),
            "GetBytes" => Value::Bytes(self.bytes(&path).into()),
            "Glob" => Value::object(self.glob(&path)),
            "Lines" => self.lines(&path),
            "AsConfig" => self.as_data(|content| GoString::from(content)),
            "AsSecrets" => self.as_data(|content| STANDARD.encode(content).into()),
            _ => return None,
        }))
    }

    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        Some(
            self.files
                .iter()
                .map(|(path, content)| {
                    (
                        Value::from(path.as_str()),
                        Value::Bytes(Rc::from(&**content)),
                    )
                })
                .collect(),
        )
    }

    fn print(&self, _: char) -> Vec<u8> {
        stagelink_gotemplate::fmt::display(&self.plain())
    }

    fn is_true(&self) -> bool {
        !self.files.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(files: &Files, method: &str, argument: &str) -> String {
        let arguments = if argument.is_empty() {
            vec![]
        } else {
            vec![Value::from(argument)]
        };
        let value = files.call(method, &arguments).unwrap().unwrap();
        String::from_utf8(stagelink_gotemplate::fmt::display(&value)).unwrap()
    }

    #[test]
    fn methods() {
        let files = Files::new(
            [
                ("config/a.txt", b"1\n2\n".as_slice()),
                ("config/sub/b.txt", b"b"),
                ("c.bin", b"\xff"),
            ]
            .map(|(path, content)| (path, content.into())),
        );
        assert_eq!(call(&files, "Get", "config/a.txt"), "1\n2\n");
        assert_eq!(call(&files, "Get", "../../etc/passwd"), "");
        assert_eq!(call(&files, "Lines", "config/a.txt"), "[1 2]");
        assert_eq!(call(&files, "Lines", "nope"), "[]");
        assert_eq!(call(&files, "GetBytes", "c.bin"), "[255]");
        assert_eq!(
            call(&files, "AsConfig", ""),
            "a.txt: |\n  1\n  2\nb.txt: b\nc.bin: �"
        );
        assert_eq!(
            call(&files.glob("config/*"), "AsSecrets", ""),
            "a.txt: MQoyCg=="
        );
        assert_eq!(files.glob("**.txt").entries().unwrap().len(), 2);
        assert!(!files.glob("nope").is_true());
    }
}
