//! `load`: requests at a fixed rate, whatever the server does.
//!
//! The arrival rate is open-loop: a request is due at a fixed time, however long the ones before it
//! take, and its latency counts from that time. So a server that stalls for a second shows up as
//! all the requests that should have been answered in that second, and not as one (what is called
//! coordinated omission).

mod arguments;
mod measurement;
mod pacer;
mod rate;
mod run;

pub use arguments::LoadArguments;
pub use rate::{Rate, RateError};
pub use run::run;
