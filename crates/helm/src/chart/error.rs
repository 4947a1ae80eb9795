use stagelink_yaml::Position;
use std::fmt;

/// What kind of thing a [`ChartError`] is about, for callers that decide by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChartErrorKind {
    /// A file could not be read.
    Io,
    /// There is no chart: no `Chart.yaml`, or not an archive.
    NotAChart,
    /// A path leaves the chart.
    Escape,
    /// Larger or deeper than allowed.
    Limit,
    /// A file of the chart is not what it has to be.
    Content,
    /// The dependencies do not fit.
    Dependency,
    /// Values, from a file or a `--set`.
    Values,
    /// The values do not fit the chart's `values.schema.json`.
    Schema,
}

/// Why a chart or its values could not be taken: one line that says where, what and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartError {
    kind: ChartErrorKind,
    file: String,
    position: Option<Position>,
    message: String,
    advice: &'static str,
    details: Option<Box<str>>,
}

impl ChartError {
    pub(crate) fn new(
        kind: ChartErrorKind,
        file: impl Into<String>,
        message: impl Into<String>,
        advice: &'static str,
    ) -> Self {
        Self {
            kind,
            file: file.into(),
            position: None,
            message: message.into(),
            advice,
            details: None,
        }
    }

    pub(crate) fn io(file: impl Into<String>, error: &std::io::Error) -> Self {
        let advice = match error.kind() {
            std::io::ErrorKind::NotFound => "give a path that exists",
            std::io::ErrorKind::PermissionDenied => "make the file readable",
            _ => "",
        };
        Self::new(ChartErrorKind::Io, file, io_text(error), advice)
    }

    pub(crate) fn yaml(file: impl Into<String>, error: &stagelink_yaml::Error) -> Self {
        let message = format!("error converting YAML to JSON: {}", error.without_line());
        let position = error.position().filter(|place| place.line > 0);
        Self {
            position,
            ..Self::new(ChartErrorKind::Content, file, message, "correct the YAML")
        }
    }

    pub(crate) fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    pub(crate) fn with_details(mut self, details: String) -> Self {
        self.details = Some(details.into());
        self
    }

    /// Moves the place down, for a document that does not begin its file.
    pub(crate) fn below(mut self, lines: usize) -> Self {
        if let Some(position) = &mut self.position {
            position.line += lines;
        }
        self
    }

    /// Puts the file into the sub-chart that it belongs to.
    pub(crate) fn inside(mut self, chart: &str) -> Self {
        self.file = if self.file.is_empty() {
            chart.to_owned()
        } else {
            format!("{chart}/{}", self.file)
        };
        self
    }

    /// What it is about.
    pub fn kind(&self) -> ChartErrorKind {
        self.kind
    }

    /// The file, relative to the chart where it belongs to one; else the flag, or empty.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Everything that there is to say, on several lines and in Helm's words, when the one line is only its beginning.
    pub fn details(&self) -> Option<&str> {
        self.details.as_deref()
    }

    /// The place in the file.
    pub fn position(&self) -> Option<Position> {
        self.position
    }
}

fn io_text(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".into(),
        _ => error.to_string(),
    }
}

impl fmt::Display for ChartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            formatter.write_str(&self.file)?;
            if let Some(position) = self.position {
                write!(formatter, ":{position}")?;
            }
            formatter.write_str(": ")?;
        }
        formatter.write_str(&self.message)?;
        if !self.advice.is_empty() {
            write!(formatter, "; {}", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for ChartError {}
