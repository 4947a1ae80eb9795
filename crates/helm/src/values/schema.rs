//! `values.schema.json`: whether values are what a chart and its sub-charts expect.

use super::convert::to_json;
use crate::chart::{Chart, ChartError, ChartErrorKind};
use boon::{Compiler, ErrorKind, Schemas, UrlLoader, ValidationError};
use serde_json::{Number, Value as Json};
use stagelink_gotemplate::{Map, Value};
use stagelink_yaml::format_float;

const FILE: &str = "values.schema.json";
const URL: &str = "file:///values.schema.json";
/// The validator recurses over values and schema, some kilobytes a level: room for the deepest values that can be read. Memory
/// that is not needed is not taken.
const STACK: usize = 256 * 1024 * 1024;

/// Checks coalesced values against the schemas of a chart and its sub-charts.
///
/// The error's text is one line with the first finding, its [`ChartError::details`] are all of them in Helm's words. Values
/// are not in it, except numbers, and what the schema itself names. Nothing is loaded from elsewhere: a `$ref` to another file
/// or host is an error here (Helm would fetch it), one to a `urn:` accepts everything, as in Helm.
///
/// # Errors
/// Values that do not fit, or a schema that is none.
pub fn validate(chart: &Chart, values: &Map) -> Result<(), ChartError> {
    let mut findings = Findings::default();
    check(chart, values, &mut findings);
    let Some((first_chart, first)) = findings.first else {
        return Ok(());
    };
    let more = findings.count - 1;
    let more = if more > 0 {
        format!(" (and {more} more)")
    } else {
        String::new()
    };
    let message = format!(
        "values don't meet the specifications of the schema of chart {first_chart}: {first}{more}"
    );
    let details = format!(
        "values don't meet the specifications of the schema(s) in the following chart(s):\n{}",
        findings.text
    );
    let error = ChartError::new(
        ChartErrorKind::Schema,
        FILE,
        message,
        "change the values, or correct the schema",
    );
    Err(error.with_details(details))
}

#[derive(Default)]
struct Findings {
    first: Option<(String, String)>,
    count: usize,
    text: String,
}

impl Findings {
    fn add(&mut self, chart: &str, lines: &[String]) {
        self.text.push_str(&format!("{chart}:\n"));
        for line in lines {
            self.text.push_str(line);
            self.text.push('\n');
        }
        let top = lines.iter().filter_map(|line| {
            line.strip_prefix("- ")
                .or(Some(line))
                .filter(|_| !line.starts_with("  "))
        });
        let top: Vec<_> = top.collect();
        self.count += top.len();
        if let (None, Some(first)) = (&self.first, top.first()) {
            self.first = Some((chart.to_owned(), (*first).to_owned()));
        }
    }
}

fn check(chart: &Chart, values: &Map, findings: &mut Findings) {
    if let Some(schema) = chart.schema() {
        let values = to_json(&Value::Map(values.clone()));
        let lines = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK);
            let checked = thread
                .spawn_scoped(scope, || check_one(schema, &values))
                .map(|thread| thread.join());
            match checked {
                Ok(Ok(lines)) => lines,
                Ok(Err(_)) => vec!["the schema cannot be used: the validator gave up".to_owned()],
                Err(error) => vec![format!("the schema cannot be checked: no thread: {error}")],
            }
        });
        if !lines.is_empty() {
            findings.add(chart.name(), &lines);
        }
    }
    for child in chart.dependencies() {
        match values.get(child.name()) {
            None | Some(Value::Nil) => {}
            Some(Value::Map(values)) => check(child, &values, findings),
            Some(other) => {
                let line = format!(
                    "invalid type for values: expected object (map), got {}",
                    other.type_name()
                );
                findings.add(child.name(), &[line]);
            }
        }
    }
}

/// Refuses everything from outside.
struct NoLoader;

impl UrlLoader for NoLoader {
    fn load(&self, url: &str) -> Result<Json, Box<dyn std::error::Error>> {
        if url.starts_with("urn:") {
            return Ok(Json::Bool(true));
        }
        Err("schemas are not loaded from other files or hosts".into())
    }
}

/// The findings, one per line, as Helm prints them.
fn check_one(schema: &[u8], values: &Json) -> Vec<String> {
    let schema: Json = match serde_json::from_slice(schema) {
        Ok(schema) => schema,
        Err(error) => return vec![format!("the schema is not JSON: {error}")],
    };
    let mut schemas = Schemas::new();
    let mut compiler = Compiler::new();
    compiler.use_loader(Box::new(NoLoader));
    // On several lines when it is the metaschema that is not met.
    let unusable = |error: boon::CompileError| -> Vec<String> {
        format!("the schema cannot be used: {error:#}")
            .lines()
            .map(str::to_owned)
            .collect()
    };
    if let Err(error) = compiler.add_resource(URL, schema) {
        return unusable(error);
    }
    let index = match compiler.compile(URL, &mut schemas) {
        Ok(index) => index,
        Err(error) => return unusable(error),
    };
    let mut lines = Vec::new();
    if let Err(error) = schemas.validate(values, index) {
        print(&error, 0, &mut lines);
    }
    lines
}

fn print(error: &ValidationError<'_, '_>, indent: usize, lines: &mut Vec<String>) {
    let is_skipped = error.causes.len() == 1 && matches!(error.kind, ErrorKind::Reference { .. });
    let mut inner = indent;
    if !is_skipped {
        if indent > 0 {
            let place = quote(&error.instance_location.to_string());
            lines.push(format!(
                "{}- at {place}: {}",
                "  ".repeat(indent - 1),
                words(&error.kind)
            ));
        }
        inner += 1;
    }
    // The order within one level is not fixed in Helm; here it is.
    let mut causes: Vec<Vec<String>> = Vec::new();
    for cause in &error.causes {
        let mut lines = Vec::new();
        print(cause, inner, &mut lines);
        causes.push(lines);
    }
    causes.sort();
    lines.extend(causes.into_iter().flatten());
}

/// The words of the validator that Helm uses.
fn words(kind: &ErrorKind<'_, '_>) -> String {
    let quoted = |names: &[&str]| {
        names
            .iter()
            .map(|name| quote(name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match kind {
        ErrorKind::Type { got, want } => {
            let want: Vec<_> = want.iter().map(|kind| kind.to_string()).collect();
            format!("got {got}, want {}", want.join(" or "))
        }
        ErrorKind::Enum { want } if want.iter().all(is_primitive) => match want.as_slice() {
            [one] => format!("value must be {}", display(one)),
            all => format!(
                "value must be one of {}",
                all.iter().map(display).collect::<Vec<_>>().join(", ")
            ),
        },
        ErrorKind::Enum { .. } => "'enum' failed".into(),
        ErrorKind::Const { want } if is_primitive(want) => {
            format!("value must be {}", display(want))
        }
        ErrorKind::Const { .. } => "'const' failed".into(),
        // Helm prints the value, which may be a secret.
        ErrorKind::Format { want, .. } => format!("value is not valid {want}"),
        ErrorKind::Pattern { want, .. } => format!("value does not match pattern {}", quote(want)),
        ErrorKind::Required { want } if want.len() == 1 => {
            format!("missing property {}", quoted(want))
        }
        ErrorKind::Required { want } => format!("missing properties {}", quoted(want)),
        ErrorKind::Dependency { prop, missing }
        | ErrorKind::DependentRequired { prop, missing } => {
            format!(
                "properties {} required, if {} exists",
                quoted(missing),
                quote(prop)
            )
        }
        ErrorKind::AdditionalProperties { got } => {
            let names: Vec<_> = got.iter().map(AsRef::as_ref).collect();
            format!("additional properties {} not allowed", quoted(&names))
        }
        ErrorKind::AdditionalItems { got } => {
            format!("last {} additionalItem(s) not allowed", grouped(*got))
        }
        ErrorKind::PropertyName { prop } => format!("invalid propertyName {}", quote(prop)),
        ErrorKind::MinProperties { got, want } => sizes("minProperties", *got, *want),
        ErrorKind::MaxProperties { got, want } => sizes("maxProperties", *got, *want),
        ErrorKind::MinItems { got, want } => sizes("minItems", *got, *want),
        ErrorKind::MaxItems { got, want } => sizes("maxItems", *got, *want),
        ErrorKind::MinLength { got, want } => sizes("minLength", *got, *want),
        ErrorKind::MaxLength { got, want } => sizes("maxLength", *got, *want),
        ErrorKind::Minimum { got, want } => numbers("minimum", got, want),
        ErrorKind::Maximum { got, want } => numbers("maximum", got, want),
        ErrorKind::ExclusiveMinimum { got, want } => numbers("exclusiveMinimum", got, want),
        ErrorKind::ExclusiveMaximum { got, want } => numbers("exclusiveMaximum", got, want),
        ErrorKind::MultipleOf { got, want } => numbers("multipleOf", got, want),
        ErrorKind::MinContains { got, want } if got.is_empty() => {
            format!("min {want} items required to match contains schema, but none matched")
        }
        ErrorKind::MinContains { got, want } => contains("min", got, *want),
        ErrorKind::MaxContains { got, want } => contains("max", got, *want),
        ErrorKind::Not => "'not' failed".into(),
        ErrorKind::AllOf => "'allOf' failed".into(),
        ErrorKind::AnyOf => "'anyOf' failed".into(),
        ErrorKind::OneOf(None) => "'oneOf' failed, none matched".into(),
        ErrorKind::OneOf(Some((first, second))) => {
            format!("'oneOf' failed, subschemas {first}, {second} matched")
        }
        ErrorKind::ContentSchema => "'contentSchema' failed".into(),
        ErrorKind::ContentEncoding { want, .. } => format!("value is not {} encoded", quote(want)),
        ErrorKind::ContentMediaType { want, .. } => {
            format!("value is not of mediatype {}", quote(want))
        }
        // "validation failed", "false schema", "items at 1 and 2 are equal", "no items match contains schema": the same words.
        other => other.to_string(),
    }
}

fn contains(word: &str, got: &[usize], want: usize) -> String {
    let places: Vec<_> = got.iter().map(ToString::to_string).collect();
    let (count, places) = (got.len(), places.join(" "));
    format!(
        "{word} {want} items required to match contains schema, but matched {count} items at {places}"
    )
}

fn sizes(word: &str, got: usize, want: usize) -> String {
    format!("{word}: got {}, want {}", grouped(got), grouped(want))
}

fn numbers(word: &str, got: &Number, want: &Number) -> String {
    format!("{word}: got {}, want {}", english(got), english(want))
}

fn is_primitive(value: &Json) -> bool {
    !value.is_array() && !value.is_object()
}

fn display(value: &Json) -> String {
    match value {
        Json::String(text) => quote(text),
        Json::Null => "<nil>".into(),
        other => other.to_string(),
    }
}

fn quote(text: &str) -> String {
    let quoted = format!("{text:?}")
        .replace("\\\"", "\"")
        .replace('\'', "\\'");
    format!("'{}'", &quoted[1..quoted.len() - 1])
}

fn grouped(number: usize) -> String {
    group(&number.to_string())
}

/// `1,234,567`
fn group(digits: &str) -> String {
    let (sign, digits) = digits
        .strip_prefix('-')
        .map_or(("", digits), |digits| ("-", digits));
    let mut text = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number as Go prints it for English readers: `70,000`, `1.5`, `1.2×10⁰⁶`.
fn english(number: &Number) -> String {
    let text = format_float(number.as_f64().unwrap_or(f64::NAN), 64);
    if let Some((mantissa, exponent)) = text.split_once('e') {
        let raised = exponent
            .trim_start_matches('+')
            .chars()
            .map(|digit| match digit {
                '-' => '⁻',
                digit => digit
                    .to_digit(10)
                    .and_then(|digit| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(digit as usize))
                    .unwrap_or(digit),
            });
        return format!("{mantissa}×10{}", raised.collect::<String>());
    }
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{}.{fraction}", group(whole)),
        None => group(&text),
    }
}
