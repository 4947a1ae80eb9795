//! `stagelink lint`: everything that is wrong with a chart, at once.

use stagelink_cmp::{Environment, lint};
use stagelink_keptn::{Finding, Severity};

use crate::arguments::{LintArguments, SummaryFormat};
use crate::chart::plugin_input;
use crate::exit::{CommandError, End};
use crate::output;

/// Prints the findings; does not pass if one of them stops a delivery.
pub(crate) fn run(arguments: &LintArguments) -> Result<End, CommandError> {
    let input = plugin_input(&arguments.chart, &arguments.stage)?;
    let environment: Environment = input.environment().into_iter().collect();
    let mut findings = match lint(&input.chart, &environment) {
        Ok(findings) => findings,
        Err(error) if error.exit_code() == 2 => {
            let text = error.to_string();
            text.lines()
                .map(|line| Finding::new(Severity::Error, "the chart", line))
                .collect()
        }
        Err(error) => return Err(CommandError::environment(error)),
    };
    findings.sort_by(|one, other| {
        (&other.severity, &one.source, one.line).cmp(&(&one.severity, &other.source, other.line))
    });
    match arguments.output {
        SummaryFormat::Json => output::json(&findings)?,
        SummaryFormat::Yaml => output::yaml(&findings)?,
        SummaryFormat::Table => output::text(&text(&findings))?,
    }
    let stops = findings
        .iter()
        .any(|finding| finding.severity > Severity::Warning);
    Ok(if stops { End::NotPassed } else { End::Passed })
}

fn text(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing is wrong\n".to_owned();
    }
    let mut text = String::new();
    for finding in findings {
        text.push_str(&format!("{:<10}  {finding}\n", finding.severity));
    }
    text
}
