//! What deliveries end with: a table for people, a document for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use comfy_table::{Table, presets::UTF8_BORDERS_ONLY};
use jiff::Timestamp;
use serde::Serialize;
use stagelink_delivery::Outcome;
use stagelink_delivery::identity::SpanPath;
use stagelink_delivery::ledger::Relation;

use crate::deliver::Delivered;

/// All of a demo, for `-o json`.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// True if all went as the story says.
    pub(crate) as_told: bool,
    /// The deliveries, in order.
    pub(crate) deliveries: Vec<DeliverySummary>,
    /// Where the artefacts are.
    pub(crate) artefacts: Artefacts,
}

/// Where a demo's artefacts are.
#[derive(Debug, Serialize)]
pub(crate) struct Artefacts {
    /// The page with all traces.
    pub(crate) trace_html: PathBuf,
    /// All spans, one OTLP-JSON request per line.
    pub(crate) spans_jsonl: PathBuf,
    /// The bare git repository.
    pub(crate) repository: PathBuf,
    /// The ledgers, dev's and prod's.
    pub(crate) ledgers: Vec<PathBuf>,
}

/// One delivery.
#[derive(Debug, Serialize)]
pub(crate) struct DeliverySummary {
    app: String,
    stage: String,
    version: String,
    /// Version of each workload, by its name.
    workloads: BTreeMap<String, String>,
    revision: Option<String>,
    digest: String,
    delivery: u64,
    attempt: u64,
    outcome: Outcome,
    reason: Option<String>,
    trace_id: String,
    root_span_id: String,
    links: Vec<LinkSummary>,
    phases: Vec<PhaseSummary>,
}

#[derive(Debug, Serialize)]
struct LinkSummary {
    trace_id: String,
    span_id: String,
    relation: Relation,
}

#[derive(Debug, Serialize)]
struct PhaseSummary {
    name: &'static str,
    span_id: String,
    outcome: Option<Outcome>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl DeliverySummary {
    /// The summary of what a delivery left in its ledger.
    pub(crate) fn new(delivered: &Delivered) -> Option<Self> {
        let ledger = &delivered.ledger;
        let delivery = ledger
            .deliveries
            .iter()
            .find(|delivery| delivery.number == delivered.delivery)?;
        let attempt = delivery
            .attempts
            .iter()
            .find(|attempt| attempt.number == delivered.attempt)?;
        let id = ledger.attempt_id(delivery.number, attempt.number);
        Some(Self {
            app: ledger.app.clone(),
            stage: ledger.stage.clone(),
            version: delivery.app_version.clone(),
            workloads: attempt
                .workloads
                .iter()
                .map(|workload| (workload.name.clone(), workload.version.clone()))
                .collect(),
            revision: attempt.revision.clone(),
            digest: delivery.digest.to_string(),
            delivery: delivery.number,
            attempt: attempt.number,
            outcome: delivered.outcome,
            reason: attempt.reason.clone(),
            trace_id: id.trace_id().to_string(),
            root_span_id: id.span_id(&SpanPath::root()).to_string(),
            links: attempt
                .links
                .iter()
                .map(|link| LinkSummary {
                    trace_id: link.trace_parent.trace_id().to_string(),
                    span_id: link.trace_parent.span_id().to_string(),
                    relation: link.relation,
                })
                .collect(),
            phases: attempt
                .phases
                .iter()
                .map(|record| PhaseSummary {
                    name: record.phase.short_name(),
                    span_id: id.span_id(&SpanPath::phase(record.phase)).to_string(),
                    outcome: record.outcome,
                    start: record.started_at,
                    end: record.ended_at,
                })
                .collect(),
        })
    }
}

impl DeliverySummary {
    /// The version that all workloads have, else the app's own.
    fn shown_version(&self) -> String {
        let versions: BTreeSet<&String> = self.workloads.values().collect();
        match versions.first() {
            Some(only) if versions.len() == 1 => (*only).clone(),
            _ => self.version.clone(),
        }
    }

    /// The delivery in a few lines, for people.
    pub(crate) fn lines(&self, ran: bool) -> String {
        let commit: String = self
            .revision
            .as_deref()
            .unwrap_or("-")
            .chars()
            .take(7)
            .collect();
        let mut text = format!(
            "{} {} {} ({commit}): {}{}\n",
            self.app,
            self.stage,
            self.version,
            self.outcome,
            if ran {
                ""
            } else {
                ", had already been delivered"
            }
        );
        if let Some(reason) = &self.reason {
            text.push_str(&format!("  {reason}\n"));
        }
        for phase in self.phases.iter().filter(|phase| phase.start.is_some()) {
            let outcome = phase.outcome.map_or("open", Outcome::as_str);
            let seconds = match (phase.start, phase.end) {
                (Some(start), Some(end)) => end.duration_since(start).as_secs_f64(),
                _ => 0.0,
            };
            text.push_str(&format!(
                "  {outcome:<12} {:<24} {seconds:.3} s\n",
                phase.name
            ));
        }
        text.push_str(&format!("  trace {}\n", self.trace_id));
        text
    }
}

impl Summary {
    /// The table that a demo ends with.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_BORDERS_ONLY);
        table.set_header([
            "stage",
            "version",
            "commit",
            "outcome",
            "trace id",
            "linked to",
        ]);
        for delivery in &self.deliveries {
            let commit = delivery.revision.as_deref().unwrap_or("-");
            table.add_row([
                delivery.stage.clone(),
                delivery.shown_version(),
                commit.chars().take(7).collect(),
                delivery.outcome.to_string(),
                delivery.trace_id.clone(),
                self.link_text(delivery),
            ]);
        }
        table.to_string()
    }

    /// The stage and the phase that a delivery's first link leads to.
    fn link_text(&self, delivery: &DeliverySummary) -> String {
        let Some(link) = delivery.links.first() else {
            return "-".to_owned();
        };
        self.deliveries
            .iter()
            .find(|other| other.trace_id == link.trace_id)
            .map_or_else(
                || link.trace_id.chars().take(8).collect(),
                |other| {
                    let phase = other
                        .phases
                        .iter()
                        .find(|phase| phase.span_id == link.span_id);
                    format!(
                        "{} {} {}",
                        other.stage,
                        other.shown_version(),
                        phase.map_or("delivery", |phase| phase.name)
                    )
                },
            )
    }
}
