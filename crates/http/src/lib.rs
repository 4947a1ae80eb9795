//! Bounded HTTP requests to one server, with addresses replaced as asked.
//!
//! What the built-in tasks and the metric providers have in common: one TLS set-up, no redirects,
//! bounded answers, errors of one line that hold no secret, and [`Resolve`], which sends requests
//! for a name of the cluster to an address of this machine. It knows nothing of tasks or metrics,
//! and it is no general client: what needs headers, redirects or streams of its own uses `reqwest`.
//!
//! ```
//! use stagelink_http::Resolve;
//!
//! let resolve: Resolve = "shop.dev:8080:127.0.0.1:41000".parse()?;
//! let url = "http://shop.dev:8080/cart".parse().expect("a URL");
//! assert_eq!(resolve.address(&url), Some("127.0.0.1:41000".parse().expect("an address")));
//! # Ok::<(), stagelink_http::ResolveError>(())
//! ```

mod body;
mod error;
mod resolve;
mod server;
#[cfg(feature = "test-server")]
pub mod test_server;

pub use body::{drain, read};
pub use error::{HttpError, cause, shown};
pub use resolve::{Resolve, ResolveError};
pub use server::{Options, Server};
