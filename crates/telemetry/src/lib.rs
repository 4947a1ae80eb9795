//! Deliveries as OpenTelemetry traces: span tree, OTLP export, files, and views for people.
//!
//! The span tree is a pure function of the ledger ([`span_tree`]), so nothing else needs to be
//! kept for telemetry, every hook can name every span, and sending one twice is harmless. What an
//! exporter has taken is noted in the ledger ([`export_pending`]); what could not be sent is sent
//! by the next hook. Telemetry never decides a delivery.
//!
//! This crate is no tracer: it neither instruments code nor keeps spans open in memory.
//!
//! ```
//! use stagelink_delivery::identity::LedgerId;
//! use stagelink_delivery::ledger::Ledger;
//!
//! let ledger = Ledger::new(LedgerId("example".into()), "simple-go", "dev", "simple-go-dev");
//! assert!(stagelink_telemetry::all_spans(&ledger).is_empty());
//! ```

pub mod conventions;

mod export;
mod file;
mod otlp;
mod otlp_json;
mod reader;
mod set_up;
mod span;
mod tree;
mod vcs;
pub mod view;

#[cfg(test)]
mod samples;

pub use export::{
    DEFAULT_WAIT, ExportError, ExportReport, Exporter, ExporterReport, export_pending,
};
pub use file::FileExporter;
pub use otlp::{Environment, OtlpExporter, OtlpSettings, Protocol};
pub use reader::{SpansRead, read_spans, read_spans_file};
pub use set_up::Exporters;
pub use span::{Attributes, Event, Kind, Link, Span, Status, Value};
pub use tree::{TreeSpan, all_spans, span_tree};
