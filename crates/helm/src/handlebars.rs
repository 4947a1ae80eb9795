//! Templates in Handlebars: files under `templates/` whose name ends in `.hbs`.
//!
//! They see the same objects as Go templates (`Values`, `Release`, `Chart`, `Capabilities`) and besides `revision` and `traceParent`,
//! in strict mode (a missing variable is an error) and without HTML escaping. Files whose name starts with `_` are partials:
//! `templates/_labels.hbs` is `{{> labels}}`, `templates/common/_labels.hbs` is `{{> common/labels}}`. The helper `json` prints any
//! value as JSON, which is YAML too.
//!
//! The crate `handlebars` knows no limits: so partials may not include each other in a circle, blocks nest to a bound, and the
//! output of a render is bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter, TemplateElement};
use handlebars::{
    Context, Handlebars, RenderErrorReason, Template, TemplateErrorReason, no_escape,
};

use crate::error::{Place, RenderError};

/// Name ending of a Handlebars template.
pub(crate) const EXTENSION: &str = ".hbs";

/// Blocks within blocks; the parser of the crate recurses.
const MAXIMUM_NESTING: usize = 64;

/// The Handlebars templates of one chart, parsed.
pub(crate) struct HandlebarsTemplates {
    registry: Handlebars<'static>,
    names: Vec<String>,
}

impl std::fmt::Debug for HandlebarsTemplates {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("HandlebarsTemplates")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl HandlebarsTemplates {
    /// Parses the files of one chart: `(path below templates/, name shown to people, text)`.
    ///
    /// # Errors
    /// A syntax error, text that is not UTF-8, partials in a circle.
    pub(crate) fn parse<'a>(
        files: impl IntoIterator<Item = (&'a str, String, &'a [u8])>,
    ) -> Result<Self, RenderError> {
        let mut registry = Handlebars::new();
        registry.set_strict_mode(true);
        registry.register_escape_fn(no_escape);
        registry.register_helper("json", Box::new(json_helper));
        let mut names = Vec::new();
        let mut includes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut shown: BTreeMap<String, String> = BTreeMap::new();
        for (path, name, text) in files {
            let fault = |message: String| RenderError::handlebars(Place::file(&name), message);
            let text = std::str::from_utf8(text)
                .map_err(|_| fault("the file is not UTF-8 text".to_owned()))?;
            if nesting(text) > MAXIMUM_NESTING {
                return Err(fault(format!(
                    "blocks are nested deeper than {MAXIMUM_NESTING}"
                )));
            }
            let template = Template::compile_with_name(text, name.clone())
                .map_err(|error| syntax_error(&name, &error))?;
            let id = match partial_name(path) {
                Some(partial) => partial,
                None => {
                    names.push(name.clone());
                    name.clone()
                }
            };
            collect_includes(&id, &template, &mut includes).map_err(fault)?;
            shown.insert(id.clone(), name);
            registry.register_template(&id, template);
        }
        if let Some(circle) = find_circle(&includes) {
            let place = circle
                .first()
                .and_then(|id| shown.get(id))
                .map_or_else(|| Place::file("templates"), |name| Place::file(name));
            return Err(RenderError::handlebars(
                place,
                format!(
                    "partials include each other in a circle: {}",
                    circle.join(" → ")
                ),
            ));
        }
        Ok(Self { registry, names })
    }

    /// Renders all templates over `data` in the order of their names, at most `budget` bytes in all.
    ///
    /// # Errors
    /// A missing variable, partial or helper, or output beyond the budget.
    pub(crate) fn render(
        &self,
        data: &serde_json::Value,
        budget: u64,
    ) -> Result<Vec<(String, String)>, RenderError> {
        if self.names.is_empty() {
            return Ok(Vec::new());
        }
        let context = Context::wraps(data).map_err(|error| {
            RenderError::handlebars(Place::file("templates"), error.to_string())
        })?;
        let mut left = budget;
        let mut rendered = Vec::with_capacity(self.names.len());
        for name in &self.names {
            let mut output = Bounded {
                text: Vec::new(),
                left,
            };
            if let Err(error) =
                self.registry
                    .render_with_context_to_write(name, &context, &mut output)
            {
                let template = error.template_name.as_deref().unwrap_or(name);
                let place = Place {
                    template: template.to_owned(),
                    line: error.line_no,
                    column: error.column_no,
                };
                return Err(match error.reason() {
                    RenderErrorReason::IOError(_) => {
                        RenderError::budget(place, format!("more than {budget} bytes of output"))
                    }
                    RenderErrorReason::MissingVariable(Some(variable)) => RenderError::handlebars(
                        place,
                        format!("the variable {variable} is not set"),
                    ),
                    reason => RenderError::handlebars(place, reason.to_string()),
                });
            }
            left = output.left;
            let text = String::from_utf8(output.text)
                .map_err(|error| RenderError::handlebars(Place::file(name), error.to_string()))?;
            rendered.push((name.clone(), text));
        }
        Ok(rendered)
    }
}

/// `common/_labels.hbs` is the partial `common/labels`.
fn partial_name(path: &str) -> Option<String> {
    let (directory, base) = path
        .rsplit_once('/')
        .map_or((None, path), |(directory, base)| (Some(directory), base));
    let name = base.strip_prefix('_')?.strip_suffix(EXTENSION)?;
    Some(directory.map_or_else(
        || name.to_owned(),
        |directory| format!("{directory}/{name}"),
    ))
}

fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        rest = rest[at..].trim_start_matches('{').trim_start_matches('~');
        if rest.starts_with(['#', '^']) {
            depth += 1;
            deepest = deepest.max(depth);
        } else if rest.starts_with('/') {
            depth = depth.saturating_sub(1);
        }
        // Parentheses of subexpressions nest within one expression.
        let expression = &rest[..rest.find("}}").unwrap_or(rest.len())];
        deepest = deepest.max(depth + expression.matches('(').count());
    }
    deepest
}

fn syntax_error(name: &str, error: &handlebars::TemplateError) -> RenderError {
    let (line, column) = error.pos().unzip();
    let reason = match error.reason() {
        TemplateErrorReason::InvalidSyntax(text) => format!(
            "invalid syntax: {}",
            text.lines().last().unwrap_or_default().trim()
        ),
        reason => reason.to_string(),
    };
    RenderError::handlebars(
        Place {
            template: name.to_owned(),
            line,
            column,
        },
        reason,
    )
}

/// Notes which partials a template uses, by their names.
fn collect_includes(
    id: &str,
    template: &Template,
    includes: &mut BTreeMap<String, BTreeSet<String>>,
) -> Result<(), String> {
    let mut open = vec![(id.to_owned(), template)];
    while let Some((id, template)) = open.pop() {
        for element in &template.elements {
            match element {
                TemplateElement::PartialExpression(partial)
                | TemplateElement::PartialBlock(partial) => {
                    if let Parameter::Subexpression(_) = partial.name {
                        return Err(
                            "a partial must be included by its name, not by an expression"
                                .to_owned(),
                        );
                    }
                    if let Some(name) = partial.name.as_name() {
                        includes
                            .entry(id.clone())
                            .or_default()
                            .insert(name.to_owned());
                    }
                    open.extend(
                        partial
                            .template
                            .iter()
                            .map(|template| (id.clone(), template)),
                    );
                }
                TemplateElement::DecoratorExpression(decorator)
                | TemplateElement::DecoratorBlock(decorator) => {
                    let id = inline_name(decorator).unwrap_or_else(|| id.clone());
                    open.extend(
                        decorator
                            .template
                            .iter()
                            .map(|template| (id.clone(), template)),
                    );
                }
                TemplateElement::Expression(helper)
                | TemplateElement::HtmlExpression(helper)
                | TemplateElement::HelperBlock(helper) => {
                    open.extend(branches(helper).map(|template| (id.clone(), template)));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn branches(helper: &HelperTemplate) -> impl Iterator<Item = &Template> {
    helper.template.iter().chain(helper.inverse.iter())
}

/// The name that `{{#*inline "name"}}` defines.
fn inline_name(decorator: &DecoratorTemplate) -> Option<String> {
    match decorator.params.first() {
        Some(Parameter::Literal(serde_json::Value::String(name))) => Some(name.clone()),
        _ => None,
    }
}

fn find_circle(includes: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit<'a>(
        id: &'a str,
        includes: &'a BTreeMap<String, BTreeSet<String>>,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<String>> {
        if let Some(start) = way.iter().position(|seen| *seen == id) {
            return Some(
                way[start..]
                    .iter()
                    .copied()
                    .chain([id])
                    .map(str::to_owned)
                    .collect(),
            );
        }
        if !done.insert(id) {
            return None;
        }
        way.push(id);
        let found = includes
            .get(id)
            .into_iter()
            .flatten()
            .find_map(|next| visit(next, includes, way, done));
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    includes
        .keys()
        .find_map(|id| visit(id, includes, &mut Vec::new(), &mut done))
}

fn json_helper(
    helper: &handlebars::Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut handlebars::RenderContext<'_, '_>,
    output: &mut dyn handlebars::Output,
) -> handlebars::HelperResult {
    let value = helper
        .param(0)
        .ok_or(RenderErrorReason::ParamNotFoundForIndex("json", 0))?;
    output.write(&value.value().to_string())?;
    Ok(())
}

/// Output up to a bound.
struct Bounded {
    text: Vec<u8>,
    left: u64,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| io::Error::other("too much output"))?;
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(files: &[(&str, &str)]) -> Result<HandlebarsTemplates, RenderError> {
        HandlebarsTemplates::parse(
            files
                .iter()
                .map(|(path, text)| (*path, format!("app/templates/{path}"), text.as_bytes())),
        )
    }

    fn render(files: &[(&str, &str)], data: &serde_json::Value) -> Result<String, RenderError> {
        let rendered = parse(files)?.render(data, 1000)?;
        Ok(rendered
            .into_iter()
            .map(|(name, text)| format!("{name}={text};"))
            .collect())
    }

    #[test]
    fn renders_over_the_same_objects_without_escaping() {
        let data = json!({"Values": {"name": "a<b", "list": [1, 2], "map": {"k": [true]}}, "Release": {"Name": "rel"}, "revision": "abc"});
        let files = [
            (
                "a.yaml.hbs",
                "{{Release.Name}} {{Values.name}} {{#each Values.list}}{{this}},{{/each}}{{> common/labels}}",
            ),
            ("common/_labels.hbs", "{{revision}} {{json Values.map}}"),
        ];
        assert_eq!(
            render(&files, &data).unwrap(),
            r#"app/templates/a.yaml.hbs=rel a<b 1,2,abc {"k":[true]};"#
        );
    }

    #[test]
    fn a_missing_variable_is_an_error_with_its_place() {
        let error =
            render(&[("a.hbs", "x\n  {{Values.nope}}")], &json!({"Values": {}})).unwrap_err();
        assert_eq!(
            error.place().unwrap().to_string(),
            "app/templates/a.hbs:2:3"
        );
        assert!(
            error
                .to_string()
                .contains("the variable Values.nope is not set"),
            "{error}"
        );
    }

    #[test]
    fn syntax_errors_name_the_file_and_line() {
        let error = parse(&[("a.hbs", "x\n{{#if Values}}")]).unwrap_err();
        assert!(error.to_string().contains("app/templates/a.hbs"), "{error}");
        assert!(
            parse(&[("a.hbs", "{{> nope}}")])
                .unwrap()
                .render(&json!({}), 10)
                .unwrap_err()
                .to_string()
                .contains("nope")
        );
    }

    #[test]
    fn circles_nesting_and_output_are_bounded() {
        let circle = parse(&[
            ("_a.hbs", "{{> b}}"),
            ("_b.hbs", "{{#if x}}{{> a}}{{/if}}"),
            ("c.hbs", "{{> a}}"),
        ])
        .unwrap_err();
        assert!(
            circle.to_string().contains("in a circle: a → b → a"),
            "{circle}"
        );
        let inline = parse(&[(
            "c.hbs",
            "{{#*inline \"a\"}}{{> b}}{{/inline}}{{#*inline \"b\"}}{{> a}}{{/inline}}{{> a}}",
        )])
        .unwrap_err();
        assert!(inline.to_string().contains("circle"), "{inline}");
        let deep = format!(
            "{}{}",
            "{{#if x}}".repeat(100_000),
            "{{/if}}".repeat(100_000)
        );
        assert!(
            parse(&[("a.hbs", &deep)])
                .unwrap_err()
                .to_string()
                .contains("nested deeper")
        );
        let much = render(&[("a.hbs", &"x".repeat(1001))], &json!({})).unwrap_err();
        assert!(much.to_string().contains("more than 1000 bytes"), "{much}");
    }

    #[test]
    fn partials_are_named_by_their_path() {
        for (path, name) in [
            ("_a.hbs", Some("a")),
            ("x/_a.b.hbs", Some("x/a.b")),
            ("a.hbs", None),
            ("_a/b.hbs", None),
        ] {
            assert_eq!(partial_name(path).as_deref(), name, "{path}");
        }
    }
}
