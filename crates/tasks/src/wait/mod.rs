//! `wait-for-target`: waits until Prometheus and its target are up, or until a server answers.

mod arguments;
mod check;
mod run;

pub use arguments::WaitArguments;
pub use run::run;
