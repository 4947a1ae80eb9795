//! Values: what a user sets, what a chart has as defaults, and how they come together.

mod coalesce;
mod convert;
mod files;
mod path;
mod schema;
mod set;

pub use coalesce::{coalesce, merge};
pub use convert::{from_json, to_json};
pub use files::{ReadFile, ValueSources};
pub use schema::validate;
pub use set::{SetError, SetKind, set};

pub(crate) use coalesce::merge_tables;
pub(crate) use files::read_json;
pub(crate) use path::{path_value, table};
