//! What can go wrong in a render, as one line for a person with Helm's own text behind it.

use std::error::Error;
use std::fmt;

/// A place in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the template as Helm writes it, e.g. `chart/templates/service.yaml`.
    pub template: String,
    /// Line, from 1.
    pub line: Option<usize>,
    /// Column in bytes, as Go and Helm count it.
    pub column: Option<usize>,
}

impl Place {
    /// A whole file.
    #[must_use]
    pub fn file(template: &str) -> Self {
        Self {
            template: template.to_owned(),
            line: None,
            column: None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.template)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(formatter, ":{number}")?;
        }
        Ok(())
    }
}

/// Sort of failure, for callers that decide by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RenderErrorKind {
    /// A template is not well-formed, or uses an unknown function.
    Syntax,
    /// A template failed while it ran.
    Execution,
    /// A template said so itself, with `fail` or `required`.
    Refused,
    /// A template wants something of Helm's that Stagelink does not have yet.
    Unsupported,
    /// A template needed more steps, output, depth or time than it may have.
    Budget,
    /// A rendered document is not a Kubernetes resource in YAML.
    Manifest,
    /// The chart as a whole cannot be rendered: a library, or made for another Kubernetes.
    Chart,
}

/// A render that failed.
///
/// `Display` is one line: where, what, and what to do. [`Error::source`] has Helm's own text, as `helm template` prints it.
#[derive(Debug)]
pub struct RenderError {
    kind: RenderErrorKind,
    place: Option<Box<Place>>,
    message: String,
    advice: &'static str,
    helm: Option<HelmText>,
}

/// Helm's words for an error.
#[derive(Debug)]
struct HelmText(String);

impl fmt::Display for HelmText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Error for HelmText {}

impl RenderError {
    pub(crate) fn new(
        kind: RenderErrorKind,
        place: Option<Place>,
        message: impl Into<String>,
    ) -> Self {
        let advice = match kind {
            RenderErrorKind::Syntax => "correct the template",
            RenderErrorKind::Execution => "set the value it needs, or correct the template",
            RenderErrorKind::Refused => "change the values as the message says",
            RenderErrorKind::Unsupported => "set values with which the chart does without it",
            RenderErrorKind::Budget => "make the template produce less",
            RenderErrorKind::Manifest => "correct the template so that it renders to YAML",
            RenderErrorKind::Chart => "use another chart or other capabilities",
        };
        let message = message.into();
        Self {
            kind,
            place: place.map(Box::new),
            message,
            advice,
            helm: None,
        }
    }

    pub(crate) fn with_helm(mut self, text: impl Into<String>) -> Self {
        self.helm = Some(HelmText(text.into()));
        self
    }

    pub(crate) fn with_advice(mut self, advice: &'static str) -> Self {
        self.advice = advice;
        self
    }

    pub(crate) fn handlebars(place: Place, message: impl Into<String>) -> Self {
        Self::new(RenderErrorKind::Execution, Some(place), message)
    }

    pub(crate) fn budget(place: Place, message: impl Into<String>) -> Self {
        Self::new(RenderErrorKind::Budget, Some(place), message)
    }

    /// Sort of failure.
    #[must_use]
    pub fn kind(&self) -> RenderErrorKind {
        self.kind
    }

    /// Where it happened.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_deref()
    }

    /// Helm's own text for the same error, without the `Error: ` that its command line puts before it.
    #[must_use]
    pub fn helm_text(&self) -> Option<&str> {
        self.helm.as_ref().map(|text| text.0.as_str())
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(formatter, "{place}: ")?;
        }
        // One line for a person: what a chart says in several lines is joined.
        let words: Vec<&str> = self.message.split_whitespace().collect();
        let mut message = words.join(" ");
        if message.len() > 600 {
            let end = (0..=600)
                .rev()
                .find(|end| message.is_char_boundary(*end))
                .unwrap_or(0);
            message.truncate(end);
            message.push('…');
        }
        write!(formatter, "{message}; {}", self.advice)
    }
}

impl Error for RenderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.helm
            .as_ref()
            .map(|text| text as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_with_the_words_of_helm_behind_it() {
        let error = RenderError::new(
            RenderErrorKind::Refused,
            Some(Place {
                line: Some(1),
                column: Some(3),
                ..Place::file("c/templates/a.yaml")
            }),
            "set\n  port",
        )
        .with_helm("execution error at (c/templates/a.yaml:1:3): set\n  port");
        assert_eq!(
            error.to_string(),
            "c/templates/a.yaml:1:3: set port; change the values as the message says"
        );
        assert_eq!(
            error.source().unwrap().to_string(),
            "execution error at (c/templates/a.yaml:1:3): set\n  port"
        );
    }
}
