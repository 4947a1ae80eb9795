//! OpenTelemetry's standard environment variables, as far as they concern the sending of spans:
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.

use std::fmt;
use std::time::Duration;

use crate::span::Attributes;

/// What to send to, and how.
#[derive(Clone, PartialEq)]
pub struct OtlpSettings {
    /// URL; for gRPC without a path, for HTTP with it.
    pub endpoint: String,
    /// How.
    pub protocol: Protocol,
    /// Sent with every request; may hold secrets.
    pub headers: Vec<(String, String)>,
    /// For one request.
    pub timeout: Duration,
    /// Whether to compress.
    pub gzip: bool,
    /// File with certificates to trust instead of the system's, PEM.
    pub certificate: Option<String>,
    /// Files with the client's certificate and key, PEM.
    pub client_certificate: Option<(String, String)>,
    /// Who sends.
    pub resource: Attributes,
}

impl fmt::Debug for OtlpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without headers and credentials in the URL.
        f.debug_struct("OtlpSettings")
            .field("endpoint", &without_credentials(&self.endpoint))
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// OTLP's transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `grpc`
    Grpc,
    /// `http/protobuf`
    HttpProtobuf,
}

/// The settings of an environment, and what could not be understood in it, in words for a person.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Environment {
    /// `None` if nothing is to be sent: no endpoint is set, or it is switched off.
    pub otlp: Option<OtlpSettings>,
    /// Settings that were ignored or make sending impossible.
    pub warnings: Vec<String>,
}

impl Environment {
    /// Reads the variables with a look-up function; an empty variable counts as absent, as the
    /// specification says. Never fails: telemetry does not decide a delivery.
    ///
    /// Nothing is sent unless an endpoint is set or `OTEL_TRACES_EXPORTER=otlp` asks for it, so
    /// that a machine without a collector does not wait for one.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut environment = Self::default();
        let get = |name: &str| {
            variable(name)
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
        };
        let signal = |name: &str| {
            get(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
                .or_else(|| get(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        let yes = |text: Option<String>| text.is_some_and(|text| text.eq_ignore_ascii_case("true"));

        if yes(get("OTEL_SDK_DISABLED")) {
            return environment;
        }
        let mut asked = false;
        if let Some(exporters) = get("OTEL_TRACES_EXPORTER") {
            let mut wanted = exporters.split(',').map(str::trim).peekable();
            if wanted.clone().any(|name| name == "none") {
                return environment;
            }
            asked = wanted.clone().any(|name| name == "otlp");
            for name in wanted.by_ref().filter(|name| *name != "otlp") {
                environment.warnings.push(format!(
                    "OTEL_TRACES_EXPORTER: the exporter {} is not known; use otlp or none",
                    quoted(name)
                ));
            }
            if !asked {
                return environment;
            }
        }

        let own = get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        let common = get("OTEL_EXPORTER_OTLP_ENDPOINT");
        if own.is_none() && common.is_none() && !asked {
            return environment;
        }
        let source = if own.is_some() {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
        } else {
            "OTEL_EXPORTER_OTLP_ENDPOINT"
        };
        let given = own.as_deref().or(common.as_deref());

        let by_port = || match given.and_then(port) {
            // The specification's default is http/protobuf, but nobody means it with gRPC's port.
            Some(4317) => Protocol::Grpc,
            _ => Protocol::HttpProtobuf,
        };
        let protocol = match signal("PROTOCOL").as_deref() {
            Some("grpc") => Protocol::Grpc,
            Some("http/protobuf") => Protocol::HttpProtobuf,
            Some(other) => {
                let protocol = by_port();
                environment.warnings.push(format!(
                    "OTEL_EXPORTER_OTLP_PROTOCOL: {} is not known, {protocol} is used; use grpc or http/protobuf",
                    quoted(other)
                ));
                protocol
            }
            None => by_port(),
        };

        let mut endpoint = match (given, protocol) {
            (Some(endpoint), _) => endpoint.to_owned(),
            (None, Protocol::Grpc) => "http://localhost:4317".to_owned(),
            (None, Protocol::HttpProtobuf) => "http://localhost:4318".to_owned(),
        };
        if !endpoint.contains("://") {
            // `host:port`, as in Keptn's `OTelCollectorUrl`; secure unless it says otherwise.
            let plain = yes(signal("INSECURE"));
            let scheme = if plain { "http" } else { "https" };
            endpoint = format!("{scheme}://{endpoint}");
        }
        if protocol == Protocol::HttpProtobuf && own.is_none() {
            endpoint = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        }
        if !matches!(endpoint.parse::<http::Uri>(), Ok(uri)
            if uri.host().is_some_and(|host| !host.is_empty())
                && matches!(uri.scheme_str(), Some("http" | "https")))
        {
            environment.warnings.push(format!(
                "{source}: {} is no URL of the form http://host:port; no spans are sent",
                quoted(&without_credentials(&endpoint))
            ));
            return environment;
        }

        let timeout = match signal("TIMEOUT").map(|text| text.parse::<u64>()) {
            Some(Ok(milliseconds)) if milliseconds > 0 => Duration::from_millis(milliseconds),
            Some(_) => {
                environment.warnings.push(
                    "OTEL_EXPORTER_OTLP_TIMEOUT is no number of milliseconds above 0; it is ignored".to_owned(),
                );
                DEFAULT_TIMEOUT
            }
            None => DEFAULT_TIMEOUT,
        };
        let gzip = match signal("COMPRESSION").as_deref() {
            Some("gzip") => true,
            Some("none") | None => false,
            Some(other) => {
                environment.warnings.push(format!(
                    "OTEL_EXPORTER_OTLP_COMPRESSION: {} is not known; it is ignored, use gzip or none",
                    quoted(other)
                ));
                false
            }
        };
        let mut headers = Vec::new();
        for header in pairs(&signal("HEADERS").unwrap_or_default()) {
            match header.and_then(|(key, value)| {
                http::HeaderName::try_from(&key).ok()?;
                http::HeaderValue::try_from(&value).ok()?;
                Some((key.to_ascii_lowercase(), value))
            }) {
                Some(header) => headers.push(header),
                // Not which one: it may be a secret.
                None => environment.warnings.push(
                    "OTEL_EXPORTER_OTLP_HEADERS: an entry is not of the form name=value; it is ignored"
                        .to_owned(),
                ),
            }
        }
        let client_certificate = signal("CLIENT_CERTIFICATE").zip(signal("CLIENT_KEY"));

        let (resource, warning) = resource(&get);
        environment.warnings.extend(warning);
        environment.otlp = Some(OtlpSettings {
            endpoint,
            protocol,
            headers,
            timeout,
            gzip,
            certificate: signal("CERTIFICATE"),
            client_certificate,
            resource,
        });
        environment
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http/protobuf",
        })
    }
}

/// The specification's default for one request.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Who sends: `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` over our own name and version,
/// and a warning if an entry cannot be understood.
pub(crate) fn resource(variable: &dyn Fn(&str) -> Option<String>) -> (Attributes, Option<String>) {
    let mut attributes: Attributes = [
        ("service.name", "stagelink"),
        ("service.version", env!("CARGO_PKG_VERSION")),
    ]
    .into_iter()
    .collect();
    let mut warning = None;
    for pair in pairs(&variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default()) {
        match pair {
            Some((key, value)) => attributes.set(key, value),
            None => {
                warning = Some(
                    "OTEL_RESOURCE_ATTRIBUTES: an entry is not of the form key=value; it is ignored"
                        .to_owned(),
                );
            }
        }
    }
    if let Some(name) = variable("OTEL_SERVICE_NAME").filter(|name| !name.trim().is_empty()) {
        attributes.set("service.name", name.trim());
    }
    (attributes, warning)
}

/// `key=value,key=value`, values percent-encoded as in W3C baggage.
fn pairs(text: &str) -> impl Iterator<Item = Option<(String, String)>> {
    text.split(',')
        .filter(|entry| !entry.trim().is_empty())
        .map(|entry| {
            let (key, value) = entry.split_once('=')?;
            let key = key.trim();
            let value = percent_decoded(value.trim())?;
            (!key.is_empty()).then(|| (key.to_owned(), value))
        })
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn port(endpoint: &str) -> Option<u16> {
    let rest = endpoint
        .split_once("://")
        .map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next()?;
    authority.rsplit_once(':')?.1.parse().ok()
}

/// A URL as it may be shown.
pub(crate) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.rsplit('@').next().unwrap_or_default().to_owned();
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// A short piece of a setting, fit for one line.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Environment {
        Environment::read(|name| {
            variables
                .iter()
                .find_map(|(key, value)| (*key == name).then(|| (*value).to_owned()))
        })
    }

    fn settings(variables: &[(&str, &str)]) -> OtlpSettings {
        let environment = read(variables);
        assert_eq!(environment.warnings, Vec::<String>::new(), "{variables:?}");
        environment.otlp.expect("active")
    }

    #[test]
    fn nothing_is_sent_unless_it_is_asked_for() {
        for variables in [
            &[][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[("OTEL_EXPORTER_OTLP_HEADERS", "a=b")],
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318"),
                ("OTEL_SDK_DISABLED", "True"),
            ],
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318"),
                ("OTEL_TRACES_EXPORTER", "none"),
            ],
        ] {
            assert_eq!(read(variables), Environment::default(), "{variables:?}");
        }
    }

    #[test]
    fn endpoint_and_protocol_follow_the_specification() {
        use Protocol::{Grpc, HttpProtobuf};
        for (variables, endpoint, protocol) in [
            (
                &[("OTEL_TRACES_EXPORTER", "otlp")][..],
                "http://localhost:4318/v1/traces",
                HttpProtobuf,
            ),
            (
                &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/")],
                "http://c:4318/v1/traces",
                HttpProtobuf,
            ),
            (
                &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317")],
                "http://c:4317",
                Grpc,
            ),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317"),
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
                ],
                "http://c:4317/v1/traces",
                HttpProtobuf,
            ),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317"),
                    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t/own"),
                ],
                "https://t/own",
                HttpProtobuf,
            ),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317"),
                    ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
                ],
                "http://c:4317",
                Grpc,
            ),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:55680"),
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
                    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
                ],
                "https://c:55680",
                Grpc,
            ),
        ] {
            let settings = settings(variables);
            assert_eq!(settings.endpoint, endpoint, "{variables:?}");
            assert_eq!(settings.protocol, protocol, "{variables:?}");
        }
    }

    #[test]
    fn headers_timeout_compression_and_resource_are_read() {
        let settings = settings(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "Authorization=Bearer%20x%3D%3D, X-Scope = a=b ",
            ),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.name=one,k8s.cluster.name=a%2Cb",
            ),
            ("OTEL_SERVICE_NAME", "two"),
        ]);
        assert_eq!(
            settings.headers,
            [
                ("authorization".to_owned(), "Bearer x==".to_owned()),
                ("x-scope".to_owned(), "a=b".to_owned())
            ]
        );
        assert_eq!(settings.timeout, Duration::from_millis(1500));
        assert!(settings.gzip);
        let resource: Vec<_> = settings
            .resource
            .iter()
            .filter(|(key, _)| *key != "service.version")
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(resource, ["service.name=two", "k8s.cluster.name=a,b"]);
        assert!(!format!("{settings:?}").contains("Bearer"));
    }

    #[test]
    fn what_is_not_understood_is_said_without_secrets() {
        for (variables, warning, active) in [
            (
                &[("OTEL_TRACES_EXPORTER", "zipkin")][..],
                "OTEL_TRACES_EXPORTER: the exporter \"zipkin\" is not known; use otlp or none",
                false,
            ),
            (
                &[(
                    "OTEL_EXPORTER_OTLP_ENDPOINT",
                    "ftp://user:s3cret@host/x?token=s3cret",
                )],
                "OTEL_EXPORTER_OTLP_ENDPOINT: \"ftp://host/x\" is no URL of the form http://host:port; no spans are sent",
                false,
            ),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
                ],
                "OTEL_EXPORTER_OTLP_PROTOCOL: \"http/json\" is not known, http/protobuf is used; use grpc or http/protobuf",
                true,
            ),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
                    ("OTEL_EXPORTER_OTLP_TIMEOUT", "5s"),
                ],
                "OTEL_EXPORTER_OTLP_TIMEOUT is no number of milliseconds above 0; it is ignored",
                true,
            ),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
                    ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret"),
                ],
                "OTEL_EXPORTER_OTLP_HEADERS: an entry is not of the form name=value; it is ignored",
                true,
            ),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
                    ("OTEL_RESOURCE_ATTRIBUTES", "=x,a=%zz"),
                ],
                "OTEL_RESOURCE_ATTRIBUTES: an entry is not of the form key=value; it is ignored",
                true,
            ),
        ] {
            let environment = read(variables);
            assert_eq!(environment.warnings, [warning], "{variables:?}");
            assert_eq!(environment.otlp.is_some(), active, "{variables:?}");
        }
    }
}
