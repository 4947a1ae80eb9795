//! From a template's text to its tree. Follows Go 1.26's `text/template/parse`.

mod expression;
mod lexer;
pub(crate) mod node;
mod parser;

pub(crate) use lexer::decode;
pub(crate) use parser::{Definition, is_blank, parse};
