//! Sets of templates: parsed once, executed many times.

use std::collections::HashMap;
use std::rc::Rc;

use crate::error::{FunctionError, ParseError};
use crate::execute::{Limits, MissingKey, State};
use crate::function::FunctionTable;
use crate::parse::node::Node;
use crate::parse::{Definition, is_blank, parse};
use crate::value::{GoString, Value};

/// One parsed template.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) name: GoString,
    /// Name of the text that it was parsed from.
    text_name: Rc<str>,
    pub(crate) text: Rc<[u8]>,
    pub(crate) nodes: Vec<Node>,
}

impl Parsed {
    /// Text name, line and byte column of a position, as Go's `ErrorContext` gives them.
    pub(crate) fn locate(&self, position: usize) -> (String, usize, usize) {
        let before = &self.text[..position.min(self.text.len())];
        let line_start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        (self.text_name.to_string(), line, before.len() - line_start)
    }
}

/// A set of templates that can call each other. Clones share what is parsed.
#[derive(Debug, Clone)]
pub struct Templates {
    name: Rc<str>,
    functions: Rc<FunctionTable>,
    missing_key: MissingKey,
    layer: Rc<Layer>,
}

/// Templates on top of those of the set that a clone was made from.
#[derive(Debug, Default)]
struct Layer {
    below: Option<Rc<Layer>>,
    templates: HashMap<GoString, Rc<Parsed>>,
}

impl Layer {
    fn get(&self, name: &[u8]) -> Option<&Rc<Parsed>> {
        let mut layer = self;
        loop {
            if let Some(template) = layer.templates.get(name) {
                return Some(template);
            }
            layer = layer.below.as_deref()?;
        }
    }
}

impl Templates {
    /// A set without templates. The name is what errors call the set.
    ///
    /// ```
    /// use stagelink_gotemplate::{FunctionTable, Limits, Templates, Value};
    ///
    /// let mut templates = Templates::new("demo", FunctionTable::builtin());
    /// templates.parse("greeting", "{{ define \"who\" }}{{ .name }}{{ end }}Hello {{ template \"who\" . }}!")?;
    /// let data = Value::map([("name", Value::from("Go"))]);
    /// let text = templates.execute("greeting", data, &Limits::default())?;
    /// assert_eq!(text, b"Hello Go!");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(name: &str, functions: FunctionTable) -> Self {
        Self {
            name: name.into(),
            functions: Rc::new(functions),
            missing_key: MissingKey::default(),
            layer: Rc::default(),
        }
    }

    /// Says what to do about keys that a map does not have.
    #[must_use]
    pub fn with_missing_key(mut self, missing_key: MissingKey) -> Self {
        self.missing_key = missing_key;
        self
    }

    /// A clone of the set under another name, for templates that are local to one call.
    #[must_use]
    pub fn renamed(&self, name: &str) -> Self {
        Self {
            name: name.into(),
            ..self.clone()
        }
    }

    /// The name of the set.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn functions(&self) -> &FunctionTable {
        &self.functions
    }

    pub(crate) fn missing_key(&self) -> MissingKey {
        self.missing_key
    }

    pub(crate) fn get(&self, name: &[u8]) -> Option<&Parsed> {
        self.layer.get(name).map(|template| &**template)
    }

    /// True if there is a template of this name.
    pub fn contains(&self, name: impl AsRef<[u8]>) -> bool {
        self.layer.get(name.as_ref()).is_some()
    }

    /// Parses a text and adds it, with the templates that it defines. A later definition replaces an
    /// earlier one unless it is blank; two in one text are an error.
    ///
    /// # Errors
    /// [`ParseError`]; nothing is added then.
    pub fn parse(&mut self, name: &str, text: impl AsRef<[u8]>) -> Result<(), ParseError> {
        let text: Rc<[u8]> = text.as_ref().into();
        let text_name: Rc<str> = name.into();
        let functions = &self.functions;
        let definitions = parse(name, &text, &|function| functions.find(function))?;
        // What clones share stays as it is; what is new comes on top.
        if Rc::get_mut(&mut self.layer).is_none() {
            let below = Some(Rc::clone(&self.layer));
            self.layer = Rc::new(Layer {
                below,
                ..Layer::default()
            });
        }
        for Definition { name, nodes } in definitions {
            if is_blank(&nodes, &text) && self.layer.get(&name).is_some() {
                continue;
            }
            let parsed = Parsed {
                name: name.clone(),
                text_name: Rc::clone(&text_name),
                text: Rc::clone(&text),
                nodes,
            };
            if let Some(layer) = Rc::get_mut(&mut self.layer) {
                layer.templates.insert(name, Rc::new(parsed));
            }
        }
        Ok(())
    }

    /// Executes a template with data as its dot.
    ///
    /// # Errors
    /// [`FunctionError::Execute`] with Go's text, or [`FunctionError::Message`] if there is no such
    /// template.
    pub fn execute(
        &self,
        name: impl AsRef<[u8]>,
        data: Value,
        limits: &Limits,
    ) -> Result<Vec<u8>, FunctionError> {
        State::new(self, limits).execute(name.as_ref(), data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[(&str, &str)]) -> Result<Templates, ParseError> {
        let mut templates = Templates::new("set", FunctionTable::builtin());
        for (name, text) in texts {
            templates.parse(name, text)?;
        }
        Ok(templates)
    }

    fn run(templates: &Templates, name: &str) -> String {
        match templates.execute(name, Value::Nil, &Limits::default()) {
            Ok(output) => String::from_utf8_lossy(&output).into_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_later_definition_replaces_an_earlier_one_unless_it_is_blank() {
        for (texts, expected) in [
            (
                vec![
                    ("a", "{{ define \"t\" }}1{{ end }}"),
                    ("b", "{{ define \"t\" }}2{{ end }}"),
                ],
                "2",
            ),
            (
                vec![
                    ("a", "{{ define \"t\" }}1{{ end }}"),
                    ("b", "{{ define \"t\" }} {{ end }}"),
                ],
                "1",
            ),
            (
                vec![
                    ("a", "{{ define \"t\" }} {{ end }}"),
                    ("b", "{{ define \"t\" }}2{{ end }}"),
                ],
                "2",
            ),
            (
                vec![("t", "file"), ("b", "{{ define \"t\" }}2{{ end }}")],
                "2",
            ),
            (
                vec![("b", "{{ define \"t\" }}2{{ end }}"), ("t", "file")],
                "file",
            ),
            (
                vec![
                    ("b", "{{ define \"t\" }}2{{ end }}"),
                    ("t", "{{/* only comments */}}\n"),
                ],
                "2",
            ),
        ] {
            let mut texts = texts;
            texts.push(("main", "{{ template \"t\" }}"));
            assert_eq!(run(&set(&texts).unwrap(), "main"), expected, "{texts:?}");
        }
    }

    #[test]
    fn two_definitions_in_one_text_are_an_error_on_their_line() {
        let text = "{{ define \"t\" }}1{{ end }}\n{{ define \"t\" }}2{{ end }}\n";
        assert_eq!(
            set(&[("file", text)]).unwrap_err().to_string(),
            "template: file:2: template: multiple definition of template \"t\""
        );
    }

    #[test]
    fn errors_name_the_text_and_the_template() {
        let texts = [
            ("a.tpl", "\n{{ define \"t\" }}\n  {{ index 1 2 }}{{ end }}"),
            ("main", "{{ template \"t\" }}"),
        ];
        assert_eq!(
            run(&set(&texts).unwrap(), "main"),
            "template: a.tpl:3:5: executing \"t\" at <index 1 2>: error calling index: can't index item of type int"
        );
        assert_eq!(
            run(&set(&[]).unwrap(), "none"),
            "template: no template \"none\" associated with template \"set\""
        );
    }

    #[test]
    fn what_a_clone_defines_stays_in_the_clone() {
        let original =
            set(&[("main", "{{ template \"t\" }}{{ define \"t\" }}1{{ end }}")]).unwrap();
        let mut clone = original.clone();
        clone
            .parse("local", "{{ define \"t\" }}2{{ end }}")
            .unwrap();
        assert_eq!(run(&clone, "main"), "2");
        assert_eq!(run(&original, "main"), "1");
        assert!(!original.contains("local"));
    }
}
