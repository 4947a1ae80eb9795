//! `stagelink deliver`: one stage on this machine.

use anyhow::{Context as _, anyhow};

use crate::arguments::{DeliverArguments, SummaryFormat};
use crate::chart::plugin_input;
use crate::deliver::{Cluster, Delivered, Stage};
use crate::exit::{CommandError, End, OrFault as _};
use crate::output;
use crate::progress::Display;
use crate::stop;
use crate::summary::DeliverySummary;

/// Delivers a stage.
pub(crate) fn run(arguments: &DeliverArguments) -> Result<End, CommandError> {
    let plugin = plugin_input(&arguments.chart, &arguments.stage)?;
    let name = arguments
        .stage
        .stage
        .clone()
        .unwrap_or_else(|| plugin.application.clone());
    // It names a folder.
    if name.is_empty() || name.contains(['/', '\0']) || [".", ".."].contains(&name.as_str()) {
        return Err(CommandError::input(anyhow!(
            "{name:?} cannot be the name of a stage; --stage takes a name without slashes"
        )));
    }
    let state_dir = std::path::absolute(&arguments.state_dir)
        .context("the state folder's path cannot be used")
        .or_input()?;
    let stage = Stage {
        plugin,
        state: state_dir.join(&name),
        targets: state_dir.join("prometheus").join(format!("{name}.json")),
        spans: state_dir.join("spans.jsonl"),
        allow_local_commands: arguments.allow_local_commands,
        again: arguments.again,
        secrets: arguments.secrets.clone(),
        resolve: arguments.resolve.clone(),
    };
    stop::listen()?;
    let mut display = Display::new(arguments.verbose);
    display.begin(&name);
    let delivered = stage.deliver(&mut Cluster::default(), &mut display);
    display.finish();
    let delivered = delivered?;
    print(&delivered, arguments.output)?;
    Ok(End::from(delivered.outcome))
}

fn print(delivered: &Delivered, format: SummaryFormat) -> Result<(), CommandError> {
    let summary = DeliverySummary::new(delivered)
        .context("the ledger does not hold the delivery any more")
        .or_environment()?;
    match format {
        SummaryFormat::Json => output::json(&summary),
        SummaryFormat::Yaml => output::yaml(&summary),
        SummaryFormat::Table => output::text(&summary.lines(delivered.ran)),
    }
}
