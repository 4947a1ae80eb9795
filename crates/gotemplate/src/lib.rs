//! Go's text/template language: values, lexer, parser, evaluator, fmt and error texts.
//!
//! It is no part of Helm and knows nothing of it: functions and objects are the host program's, see
//! [`FunctionTable`] and [`Object`]. Behaviour is that of Go 1.26's `text/template`, `fmt` and `strconv`,
//! error texts included; more than a thousand templates are compared with Go's own. Templates are code
//! and may come from strangers: what they use up is bounded by [`Limits`].
//!
//! Not as in Go: complex numbers are refused, templates call each other 2,000 and not 100,000 deep, and
//! parentheses and blocks nest 500 deep.
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
