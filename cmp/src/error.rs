//! Why the plugin cannot do what it is asked.

use stagelink_keptn::Finding;

/// An error of the plugin. Each line of its text says what, where, and what to do, and holds no
/// secret: Argo CD shows it to every user of the Application.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// Something in the chart or the Application's settings must be changed.
    #[error("{0}")]
    Input(String),
    /// The rendered resources cannot be delivered.
    #[error("{}", lines(.0))]
    Findings(Vec<Finding>),
    /// The machine or the way in which the plugin is started is at fault.
    #[error("{0}")]
    Environment(String),
}

impl PluginError {
    /// An error in the chart or the Application's settings.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::Input(message.into())
    }

    /// The exit code: 2 for bad input, 3 for a broken environment.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) | Self::Findings(_) => 2,
            Self::Environment(_) => 3,
        }
    }
}

/// More than this many errors do not help the reader of Argo CD's one message.
const MOST_LINES: usize = 10;

fn lines(findings: &[Finding]) -> String {
    let mut lines: Vec<String> = findings
        .iter()
        .take(MOST_LINES)
        .map(Finding::to_string)
        .collect();
    if findings.len() > MOST_LINES {
        lines.push(format!(
            "and {} more; `stagelink lint` shows all",
            findings.len() - MOST_LINES
        ));
    }
    lines.join("\n")
}

impl From<stagelink_helm::ChartError> for PluginError {
    fn from(error: stagelink_helm::ChartError) -> Self {
        Self::Input(error.to_string())
    }
}
