//! Requests to one server.

use std::sync::Once;
use std::time::Duration;

use reqwest::header::{HOST, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, redirect};
use url::{Host, Url};

use crate::{HttpError, Resolve, cause, shown};

/// How requests to a server are made.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long one request may take, its answer's body included.
    pub timeout: Duration,
    /// Take any certificate.
    pub insecure_skip_tls_verify: bool,
    /// How many idle connections are kept.
    pub idle_connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // Keptn's for its providers.
            timeout: Duration::from_secs(20),
            insecure_skip_tls_verify: false,
            idle_connections: 1,
        }
    }
}

/// A server, by scheme, host and port, and a client for it. Follows no redirects.
#[derive(Debug, Clone)]
pub struct Server {
    client: Client,
    /// What replaces host and port of the URLs, and the header with what they were.
    elsewhere: Option<Elsewhere>,
}

#[derive(Debug, Clone)]
struct Elsewhere {
    port: u16,
    /// Only for URLs with an address instead of a name, which the client would not look up.
    address: Option<std::net::IpAddr>,
    host: HeaderValue,
}

impl Server {
    /// The server that `url` is on.
    ///
    /// # Errors
    /// [`HttpError::Address`] and [`HttpError::Client`].
    pub fn new(url: &Url, resolve: &Resolve, options: &Options) -> Result<Self, HttpError> {
        static PROVIDER: Once = Once::new();
        // An error means that there is one already, which is as good.
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let wrong = || HttpError::Address { url: shown(url) };
        let host = match url.scheme() {
            "http" | "https" => url.host().ok_or_else(wrong)?,
            _ => return Err(wrong()),
        };
        let mut builder = Client::builder()
            .user_agent(concat!("stagelink/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .timeout(options.timeout)
            .pool_max_idle_per_host(options.idle_connections)
            .tls_danger_accept_invalid_certs(options.insecure_skip_tls_verify);
        if url.scheme() == "http" {
            // Without redirects no certificate is ever looked at, so that none need be there.
            builder = builder.tls_certs_only([]);
        }
        let elsewhere = match resolve.address(url) {
            None => None,
            Some(address) => {
                let mut name = url.host_str().unwrap_or_default().to_owned();
                if let Host::Domain(domain) = host {
                    // The client then still knows the name that the certificate must have.
                    builder = builder.resolve(domain, address);
                }
                if let Some(port) = url.port() {
                    name = format!("{name}:{port}");
                }
                Some(Elsewhere {
                    port: address.port(),
                    address: (!matches!(host, Host::Domain(_))).then(|| address.ip()),
                    host: HeaderValue::try_from(name).map_err(|_| wrong())?,
                })
            }
        };
        if elsewhere.is_some() || is_loopback(&host) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| HttpError::Client {
            cause: cause(&error),
        })?;
        Ok(Self { client, elsewhere })
    }

    /// A request to this server; scheme, host and port of `url` are those that it was made with.
    pub fn request(&self, method: Method, mut url: Url) -> RequestBuilder {
        let Some(elsewhere) = &self.elsewhere else {
            return self.client.request(method, url);
        };
        // Neither fails: the URL has a host, and the address is one.
        let _ = url.set_port(Some(elsewhere.port));
        if let Some(address) = elsewhere.address {
            let _ = url.set_ip_host(address);
        }
        self.client
            .request(method, url)
            .header(HOST, elsewhere.host.clone())
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::{drain, read};

    /// Answers one request with `answer` and gives what was asked.
    async fn once(listener: TcpListener, answer: &'static str) -> String {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 4096];
        let length = connection.read(&mut asked).await.unwrap();
        connection.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&asked[..length]).into_owned()
    }

    async fn listen() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

    #[tokio::test]
    async fn a_request_goes_to_the_other_address_with_the_same_host() {
        for (url, host) in [
            ("http://shop.dev:8080/cart?x=1", "shop.dev:8080"),
            ("http://shop.dev/cart?x=1", "shop.dev"),
            ("http://192.0.2.1:8080/cart?x=1", "192.0.2.1:8080"),
        ] {
            let (listener, port) = listen().await;
            let url: Url = url.parse().unwrap();
            let from = format!(
                "{}:{}",
                url.host_str().unwrap(),
                url.port_or_known_default().unwrap()
            );
            let resolve = format!("{from}:127.0.0.1:{port}").parse().unwrap();
            let server = Server::new(&url, &resolve, &Options::default()).unwrap();
            let asked = tokio::spawn(once(listener, OK));
            let response = server.request(Method::GET, url).send().await.unwrap();
            assert_eq!(read(response, 5).await.unwrap(), b"hello");
            let asked = asked.await.unwrap();
            assert!(asked.starts_with("GET /cart?x=1 HTTP/1.1\r\n"), "{asked}");
            let hosts: Vec<_> = asked
                .lines()
                .filter_map(|line| line.strip_prefix("host: "))
                .collect();
            assert_eq!(hosts, [host], "{asked}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_like_any_other() {
        let (listener, port) = listen().await;
        let url: Url = format!("http://127.0.0.1:{port}/").parse().unwrap();
        let server = Server::new(&url, &Resolve::default(), &Options::default()).unwrap();
        let answer =
            "HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\n\r\n";
        let asked = tokio::spawn(once(listener, answer));
        let response = server.request(Method::GET, url).send().await.unwrap();
        assert_eq!(response.status(), 302);
        asked.await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_is_read_up_to_the_limit_only() {
        let (listener, port) = listen().await;
        let url: Url = format!("http://127.0.0.1:{port}/").parse().unwrap();
        let server = Server::new(&url, &Resolve::default(), &Options::default()).unwrap();
        let asked = tokio::spawn(once(listener, OK));
        let response = server.request(Method::GET, url).send().await.unwrap();
        let error = drain(response, 4).await.unwrap_err();
        assert_eq!(error.to_string(), "the answer has more than 4 bytes");
        asked.await.unwrap();
    }

    #[tokio::test]
    async fn an_error_is_short_and_without_the_url() {
        let (listener, port) = listen().await;
        let url: Url = format!("http://me:s3cret@127.0.0.1:{port}/?t=s3cret")
            .parse()
            .unwrap();
        let options = Options {
            timeout: Duration::from_millis(100),
            ..Options::default()
        };
        let server = Server::new(&url, &Resolve::default(), &options).unwrap();
        let error = server
            .request(Method::GET, url.clone())
            .send()
            .await
            .unwrap_err();
        assert_eq!(HttpError::from(error).to_string(), "no answer in time");
        drop(listener);
        let error = server.request(Method::GET, url).send().await.unwrap_err();
        let error = HttpError::from(error);
        assert_eq!(error.to_string(), "connection refused");
        assert!(matches!(
            error,
            HttpError::Exchange {
                reached: false,
                timeout: false,
                ..
            }
        ));
    }

    #[test]
    fn only_urls_of_servers_are_taken() {
        for url in ["ftp://a.dev/", "file:///x", "mailto:me@a.dev", "unix:/x"] {
            let error = Server::new(
                &url.parse().unwrap(),
                &Resolve::default(),
                &Options::default(),
            );
            assert!(
                matches!(error.unwrap_err(), HttpError::Address { .. }),
                "{url}"
            );
        }
    }
}
