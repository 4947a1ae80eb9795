//! YAML as Helm and Kubernetes read and write it.
//!
//! Helm reads YAML with `sigs.k8s.io/yaml`, that is go-yaml v2: YAML 1.1 booleans (`yes`, `on`, also as keys), octal `0777`,
//! merge keys, lenient duplicate keys, and everything ends up as JSON. This crate does the same, and keeps for every node
//! where it stands in its file, so that a finding can say `values.yaml:12:3` and an editor can change one scalar in place.
//!
//! It is not a serde backend and knows nothing of charts: [`Document`] is a tree with positions, [`Document::to_json`] and
//! [`to_json`] give [`serde_json::Value`], [`emit`] writes what Helm's `toYaml` writes, [`Events`] is the scanner itself.
//!
//! ```
//! let text = "replicas: 2 # comment\nimage: {tag: 1.10}\ndebug: on\n";
//! assert_eq!(stagelink_yaml::to_json(text)?, serde_json::json!({"replicas": 2, "image": {"tag": 1.1}, "debug": true}));
//!
//! let document = stagelink_yaml::Document::parse(text)?;
//! let tag = document.root().get("image").and_then(|image| image.get("tag")).unwrap();
//! assert_eq!((tag.start().line, tag.start().column), (2, 14));
//! assert_eq!(&text[tag.start().offset..tag.end().offset], "1.10");
//!
//! assert_eq!(stagelink_yaml::emit(&serde_json::json!({"on": "yes", "b": [1]}))?, "b:\n- 1\n\"on\": \"yes\"\n");
//! # Ok::<(), stagelink_yaml::Error>(())
//! ```

mod build;
mod document;
mod emit;
mod error;
mod json;
mod node;
mod number;
mod position;
mod resolve;
mod scan;

pub use document::{Document, DuplicateKey};
pub use emit::emit;
pub use error::Error;
pub use json::to_json;
pub use node::{Node, NodeKind, ScalarStyle};
pub use number::{format_float, format_json_float};
pub use position::Position;
pub use resolve::{Scalar, resolve_plain};
pub use scan::{Event, EventKind, Events};

/// Deepest nesting of collections that is read; go-yaml stops at 10,000, real charts stay under 50.
pub const MAX_DEPTH: usize = 512;

/// Largest text that is read, in bytes; a chart file may have 5 MiB, a rendered manifest more.
pub const MAX_INPUT: usize = 64 * 1024 * 1024;
