//! Go's text/template language: values, lexer, parser, evaluator, fmt and error texts.
//!
//! It knows nothing of Helm: functions and objects are the host program's. Behaviour is that of Go
//! 1.26's `text/template` and `fmt`, error texts included. Templates are code and may come from
//! strangers: what they use up is bounded by [`Limits`].
//!
//! ```
//! use stagelink_gotemplate::{FunctionTable, GoString, Limits, Templates, Value};
//!
//! let mut functions = FunctionTable::builtin();
//! functions.add("upper", |text: GoString| text.to_str_lossy().to_uppercase());
//! let mut templates = Templates::new("example", functions);
//! templates.parse("line", "{{ range $i, $e := .list }}{{ $i }}={{ $e | upper }} {{ end }}")?;
//! let data = Value::map([("list", Value::list(["a".into(), "b".into()]))]);
//! assert_eq!(templates.execute("line", data, &Limits::default())?, b"0=A 1=B ");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builtin;
mod error;
mod execute;
pub mod fmt;
mod function;
mod parse;
pub mod strconv;
mod template;
pub mod value;

pub use error::{ErrorKind, ExecuteError, FunctionError, Location, ParseError};
pub use execute::{Limits, MissingKey, State};
pub use function::{
    Argument, Function, FunctionTable, IntoFunction, IntoResult, Parameter, Rest, WithState,
};
pub use template::Templates;
pub use value::{GoString, Kind, List, ListKind, Map, MapKind, Object, Value};
