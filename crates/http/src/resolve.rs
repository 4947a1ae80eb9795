//! `--resolve HOST:PORT:ADDRESS:PORT`: other addresses for some servers.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use url::{Host, Url};

/// The most entries that are read.
const MAX_ENTRIES: usize = 1000;

/// Servers whose requests go to another address, as with curl's `--connect-to`.
///
/// The text form is `HOST:PORT:ADDRESS:PORT`, several separated by commas; an IPv6 address stands
/// in brackets. The URL's scheme, its host name in TLS and the `Host` header stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolve(BTreeMap<(String, u16), SocketAddr>);

/// Why a text is no [`Resolve`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{entry}` is not HOST:PORT:ADDRESS:PORT ({problem}); for example shop.dev:8080:127.0.0.1:41000"
)]
pub struct ResolveError {
    entry: String,
    problem: &'static str,
}

impl Resolve {
    /// Where requests for this URL go, if that is not where the URL says.
    pub fn address(&self, url: &Url) -> Option<SocketAddr> {
        let key = (url.host_str()?.to_owned(), url.port_or_known_default()?);
        self.0.get(&key).copied()
    }

    /// Adds the entries of `other`, which win over those that are there.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// True if every request goes where its URL says.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Resolve {
    type Err = ResolveError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut entries = BTreeMap::new();
        for entry in text
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
        {
            let wrong = |problem| ResolveError {
                entry: entry.chars().take(200).collect(),
                problem,
            };
            if entries.len() == MAX_ENTRIES {
                return Err(wrong("too many entries"));
            }
            let (key, address) = read_entry(entry).map_err(wrong)?;
            if entries
                .insert(key, address)
                .is_some_and(|old| old != address)
            {
                return Err(wrong("this server has another address already"));
            }
        }
        Ok(Self(entries))
    }
}

impl fmt::Display for Resolve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ((host, port), address)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{host}:{port}:{address}")?;
        }
        Ok(())
    }
}

fn read_entry(entry: &str) -> Result<((String, u16), SocketAddr), &'static str> {
    let (host, rest) = split_host(entry)?;
    let host = Host::parse(host).map_err(|_| "the first part is no host name")?;
    let (port, rest) = rest.split_once(':').ok_or("the address is missing")?;
    let port = read_port(port)?;
    let (address, address_port) = split_host(rest)?;
    let address: IpAddr = match address {
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        address => address
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .map_err(|_| "the third part is no IP address")?,
    };
    let address = SocketAddr::new(address, read_port(address_port)?);
    Ok(((host.to_string(), port), address))
}

/// The host, with brackets if it has them, and what follows its colon.
fn split_host(text: &str) -> Result<(&str, &str), &'static str> {
    let end = match text.starts_with('[') {
        true => text
            .find(']')
            .map(|end| end + 1)
            .ok_or("a bracket is not closed")?,
        false => text.find(':').ok_or("a port is missing")?,
    };
    let (host, rest) = text.split_at(end);
    let rest = rest.strip_prefix(':').ok_or("a port is missing")?;
    Ok((host, rest))
}

fn read_port(text: &str) -> Result<u16, &'static str> {
    // Rust's own parser takes a plus sign.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("a port is no number from 1 to 65535");
    }
    match text.parse() {
        Ok(0) | Err(_) => Err("a port is no number from 1 to 65535"),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(resolve: &str, url: &str) -> Option<String> {
        let resolve: Resolve = resolve.parse().unwrap();
        resolve
            .address(&url.parse().unwrap())
            .map(|address| address.to_string())
    }

    #[test]
    fn a_server_is_known_by_its_name_and_port() {
        let resolve =
            "a.dev:8080:127.0.0.1:41000, A.dev:80:[::1]:41001 ,[2001:db8::1]:443:localhost:1,";
        for (url, expected) in [
            ("http://a.dev:8080/x?y", Some("127.0.0.1:41000")),
            ("http://a.dev/", Some("[::1]:41001")),
            ("http://A.DEV:80/", Some("[::1]:41001")),
            ("https://a.dev/", None),
            ("http://b.dev:8080/", None),
            ("http://a.dev:8081/", None),
            ("https://[2001:db8::1]/", Some("127.0.0.1:1")),
        ] {
            assert_eq!(address(resolve, url).as_deref(), expected, "{url}");
        }
        assert!("".parse::<Resolve>().unwrap().is_empty());
    }

    #[test]
    fn what_is_not_an_entry_is_refused_with_the_reason() {
        for (text, reason) in [
            ("a", "a port is missing"),
            ("a:80", "the address is missing"),
            ("a:80:127.0.0.1", "a port is missing"),
            ("a:80:b:80", "no IP address"),
            ("a:0:127.0.0.1:80", "no number"),
            ("a:80:127.0.0.1:65536", "no number"),
            ("a:80:127.0.0.1:+80", "no number"),
            ("a:80:127.0.0.1:80:90", "no number"),
            ("a:x:127.0.0.1:80", "no number"),
            (":80:127.0.0.1:80", "no host name"),
            ("a b:80:127.0.0.1:80", "no host name"),
            ("[::1:80:127.0.0.1:80", "bracket"),
            ("a:80:::1:80", "no IP address"),
            ("a:80:127.0.0.1:1,a:80:127.0.0.1:2", "another address"),
        ] {
            let error = text.parse::<Resolve>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(error.contains("HOST:PORT:ADDRESS:PORT"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            if let Ok(resolve) = text.parse::<Resolve>() {
                prop_assert_eq!(resolve.to_string().parse::<Resolve>().unwrap(), resolve);
            }
        }

        #[test]
        fn what_is_written_is_read_again(
            host in "[a-z][a-z0-9-]{0,10}(\\.[a-z]{1,5})?", port in 1u16.., address in any::<std::net::Ipv6Addr>(), to in 1u16..
        ) {
            let text = format!("{host}:{port}:[{address}]:{to}");
            let resolve: Resolve = text.parse().unwrap();
            let url = format!("http://{host}:{port}/").parse().unwrap();
            prop_assert_eq!(resolve.address(&url), Some(SocketAddr::new(address.into(), to)));
        }
    }
}
