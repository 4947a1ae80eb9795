use crate::Position;

/// Why a text is not the YAML that was wanted. The texts are go-yaml's and `sigs.k8s.io/yaml`'s, which Helm's users know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The scanner or parser found no YAML. `line` is what go-yaml would print (it names no line for the first one).
    #[error("yaml: {}{problem}", go_line(*line))]
    Syntax {
        /// What is wrong.
        problem: String,
        /// The line that go-yaml prints, 0 for none.
        line: usize,
        /// Where it was found.
        position: Position,
    },
    /// YAML, but not what can become JSON: an unknown anchor, a map as a key, a wrong tag.
    #[error("yaml: {problem}")]
    Content {
        /// What is wrong.
        problem: String,
        /// The node that it is about.
        position: Position,
    },
    /// YAML that JSON cannot hold: an infinite number, a null as a key.
    #[error("{problem}")]
    NotJson {
        /// What is wrong.
        problem: String,
        /// The node that it is about.
        position: Position,
    },
    /// A limit of this crate was passed.
    #[error("yaml: {problem}")]
    Limit {
        /// Which limit.
        problem: String,
        /// Where it was passed.
        position: Position,
    },
    /// A string with a character that go-yaml refuses to read back (`toYaml` gives nothing then).
    #[error("yaml: control characters are not allowed")]
    ControlCharacter,
}

impl Error {
    /// The text without go-yaml's line, for those who print the place themselves.
    pub fn without_line(&self) -> String {
        match self {
            Self::Syntax { problem, .. } => format!("yaml: {problem}"),
            other => other.to_string(),
        }
    }

    /// Where the error was found; [`None`] when it is about a value that was to be written.
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Syntax { position, .. }
            | Self::Content { position, .. }
            | Self::NotJson { position, .. }
            | Self::Limit { position, .. } => Some(*position),
            Self::ControlCharacter => None,
        }
    }
}

fn go_line(line: usize) -> String {
    if line == 0 {
        String::new()
    } else {
        format!("line {line}: ")
    }
}
