//! Go's text/template language: values, lexer, parser, evaluator, fmt and error texts.
//!
//! It knows nothing of Helm: functions and objects are the host program's. Behaviour is that of Go
//! 1.26's `text/template` and `fmt`.

pub mod value;

pub use value::{GoString, Kind, List, ListKind, Map, MapKind, Object, Value};
