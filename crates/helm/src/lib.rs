//! Helm charts: load, values, dependencies, functions, engine and manifests.
//!
//! What `helm template` does (Helm 4.3), as a library that is a pure function of its inputs: no network, no cluster, no
//! environment; the clock only for charts that ask for it. Manifests and error texts are Helm's, byte for byte; what is not there
//! yet fails with its name. Templates that end in `.hbs` are rendered as Handlebars over the same objects.
//!
//! It installs nothing and fetches nothing: sub-charts have to be in `charts/`.
//!
//! ```
//! use stagelink_helm::values::ValueSources;
//! use stagelink_helm::{Capabilities, Chart, ParsedChart, Release, RenderInput, chart::File};
//!
//! let file = |name: &str, text: &str| File { name: name.into(), data: text.as_bytes().into() };
//! let chart = Chart::from_files(vec![
//!     file("Chart.yaml", "name: demo\nversion: 0.1.0\n"),
//!     file("values.yaml", "replicas: 1\n"),
//!     file("templates/deployment.yaml", concat!(
//!         "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\n",
//!         "spec:\n  replicas: {{ .Values.replicas }}\n",
//!     )),
//! ])?;
//! let sources = ValueSources { set: vec!["replicas=3".into()], ..Default::default() };
//! let rendered = ParsedChart::new(chart).render(&RenderInput {
//!     values: Some(sources.merge(&|path| std::fs::read(path))?),
//!     release: Release { name: "web".into(), namespace: "shop".into(), ..Release::default() },
//!     capabilities: Capabilities::new(Some("1.33"), [])?,
//!     ..RenderInput::default()
//! })?;
//! assert_eq!((rendered.manifests[0].kind.as_str(), rendered.manifests[0].name.as_str()), ("Deployment", "web"));
//! assert_eq!(rendered.manifests[0].document()["spec"]["replicas"], 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod chart;
pub mod dependencies;
mod engine;
mod error;
mod functions;
mod handlebars;
mod manifest;
mod objects;
mod render;
pub mod semver;
pub mod values;

pub use chart::{Chart, ChartError, ChartErrorKind};
pub use dependencies::{ProcessedChart, process_dependencies};
pub use error::{Place, RenderError, RenderErrorKind};
pub use manifest::{Crd, Hook, Manifest};
pub use objects::capabilities::{Capabilities, KubeVersionError};
pub use render::{ParsedChart, Release, RenderInput, Rendered, on_render_stack};
pub use stagelink_gotemplate::Limits;
