//! W3C trace context identifiers: <https://www.w3.org/TR/trace-context/>.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not a `traceparent`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceParentError {
    /// The text does not have the form `00-<32 hex>-<16 hex>-<2 hex>`.
    #[error("not a W3C traceparent (expected 00-<32 hex>-<16 hex>-<2 hex>)")]
    Malformed,
    /// Trace id or span id is all zero, which the standard forbids.
    #[error("the trace id and the span id of a traceparent must not be zero")]
    Zero,
    /// The version `ff` is forbidden.
    #[error("the traceparent version ff is forbidden")]
    Version,
}

macro_rules! identifier {
    ($name:ident, $bytes:literal, $what:literal) => {
        #[doc = $what]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// The identifier with these bytes; `None` if all are zero, which W3C forbids.
            pub fn from_bytes(bytes: [u8; $bytes]) -> Option<Self> {
                (bytes != [0; $bytes]).then_some(Self(bytes))
            }

            /// The bytes, in network order.
            pub fn to_bytes(self) -> [u8; $bytes] {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = TraceParentError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0; $bytes];
                decode_hex(text, &mut bytes)?;
                Self::from_bytes(bytes).ok_or(TraceParentError::Zero)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

identifier!(
    TraceId,
    16,
    "A trace id: 16 bytes, shown as 32 lowercase hex digits."
);
identifier!(
    SpanId,
    8,
    "A span id: 8 bytes, shown as 16 lowercase hex digits."
);

/// A W3C `traceparent`: the name of one span, as it travels through values files and environments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: TraceId,
    span_id: SpanId,
    flags: u8,
}

impl TraceParent {
    /// The traceparent of a sampled span.
    pub fn sampled(trace_id: TraceId, span_id: SpanId) -> Self {
        Self {
            trace_id,
            span_id,
            flags: 1,
        }
    }

    /// The trace that the span belongs to.
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The span itself.
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The trace flags; bit 0 is "sampled".
    pub fn flags(&self) -> u8 {
        self.flags
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{}-{}-{:02x}",
            self.trace_id, self.span_id, self.flags
        )
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('-');
        let (Some(version), Some(trace_id), Some(span_id), Some(flags)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TraceParentError::Malformed);
        };
        let mut version_byte = [0];
        decode_hex(version, &mut version_byte)?;
        match (version_byte[0], parts.next()) {
            (0xff, _) => return Err(TraceParentError::Version),
            // Only later versions may have more fields.
            (0, Some(_)) => return Err(TraceParentError::Malformed),
            _ => {}
        }
        let mut flag_byte = [0];
        decode_hex(flags, &mut flag_byte)?;
        Ok(Self {
            trace_id: trace_id.parse()?,
            span_id: span_id.parse()?,
            flags: flag_byte[0],
        })
    }
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceParent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Decodes exactly `bytes.len()` bytes of lowercase hex, the only case that W3C allows.
fn decode_hex(text: &str, bytes: &mut [u8]) -> Result<(), TraceParentError> {
    let digits = text.as_bytes();
    if digits.len() != bytes.len() * 2 {
        return Err(TraceParentError::Malformed);
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Ok(())
}

fn hex_digit(digit: u8) -> Result<u8, TraceParentError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(TraceParentError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01";

    #[test]
    fn a_traceparent_survives_the_round_trip() {
        assert_eq!(GOOD.parse::<TraceParent>().unwrap().to_string(), GOOD);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = format!("{}-more", GOOD.replacen("00", "01", 1));
        assert_eq!(later.parse::<TraceParent>().unwrap().to_string(), GOOD);
    }

    #[test]
    fn what_is_not_a_traceparent_is_refused() {
        use TraceParentError::{Malformed, Version, Zero};
        for (text, error) in [
            ("", Malformed),
            ("<no value>", Malformed),
            (
                "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3",
                Malformed,
            ),
            (
                "00-C088F5C586BAB8649159CCC39A9862F7-f862289833f1fba3-01",
                Malformed,
            ),
            (
                "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01-x",
                Malformed,
            ),
            (
                "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-1",
                Malformed,
            ),
            (
                "00-00000000000000000000000000000000-f862289833f1fba3-01",
                Zero,
            ),
            (
                "00-c088f5c586bab8649159ccc39a9862f7-0000000000000000-01",
                Zero,
            ),
            (
                "ff-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01",
                Version,
            ),
        ] {
            assert_eq!(text.parse::<TraceParent>(), Err(error), "{text}");
        }
    }
}
