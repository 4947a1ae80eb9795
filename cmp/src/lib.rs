//! The Argo CD config-management plugin: `generate`, `discover`, `parameters`.
//!
//! `generate` renders the chart in the working directory, injects commit and traceparent, and adds
//! the plan and the hooks of the delivery. It is a pure function of the chart and of what Argo CD
//! says in the environment: no network, no clock, no cluster. It prints nothing before everything is
//! ready. It runs no task and knows no cluster; the hooks do.
//!
//! ```
//! use stagelink_cmp::{Environment, generate};
//!
//! let chart = tempfile::tempdir()?;
//! std::fs::create_dir(chart.path().join("templates"))?;
//! std::fs::write(chart.path().join("Chart.yaml"), "apiVersion: v2\nname: shop\nversion: 0.1.0\n")?;
//! std::fs::write(
//!     chart.path().join("templates/config.yaml"),
//!     "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  commit: {{ .Values.commitID }}\n",
//! )?;
//! let environment: Environment =
//!     [("ARGOCD_APP_NAME", "shop-dev"), ("ARGOCD_APP_REVISION", "0123abc")].into_iter().collect();
//! let generated = generate(chart.path(), &environment)?;
//! assert!(generated.manifests.contains("  commit: 0123abc\n"));
//! assert!(generated.manifests.contains("name: shop-dev-stagelink-plan\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod announcement;
mod chart;
mod command;
mod discover;
mod environment;
mod error;
mod generate;
mod glob;
mod injection;
mod keptn_resources;
mod lint;
mod options;
mod parameters;
mod resources;
mod seed;
mod substitution;
mod value_files;

pub use announcement::{Announcement, HELM_PARAMETERS, KNOWN, Known, Shape};
pub use command::run;
pub use discover::discover;
pub use environment::{Environment, FILES_ROOT};
pub use error::PluginError;
pub use generate::{Generated, generate};
pub use lint::lint;
pub use options::HOOK_IMAGE;
pub use parameters::Parameters;
pub use seed::SEED_FILE;
pub use substitution::substitute;
