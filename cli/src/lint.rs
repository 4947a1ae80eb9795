//! `stagelink lint`: everything that is wrong with a chart, at once.
use crate::arguments::LintArguments;
use crate::exit::{CommandError, End};
/// Stub.
pub(crate) fn run(_: &LintArguments) -> Result<End, CommandError> {
    Ok(End::Passed)
}
