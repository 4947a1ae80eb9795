//! The content digest: which content of an app is on its way.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// SHA-256 over the rendered manifests without the injected revision and links, as `sha256:<64 hex>`.
///
/// Equal digests mean equal content: nothing needs to be delivered again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentDigest(String);

impl ContentDigest {
    /// The digest of manifests in the order in which they are given.
    ///
    /// Each is hashed with its length before it, so that moving text between two manifests
    /// changes the digest.
    pub fn of<'a>(manifests: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for manifest in manifests {
            hash.update((manifest.len() as u64).to_be_bytes());
            hash.update(manifest);
        }
        let mut text = String::from("sha256:");
        for byte in hash.finalize() {
            use fmt::Write as _;
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The whole text, `sha256:<64 hex>`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_borders_of_manifests_count() {
        let one = ContentDigest::of([b"ab".as_slice(), b"c"]);
        assert_ne!(one, ContentDigest::of([b"a".as_slice(), b"bc"]));
        assert_eq!(one, ContentDigest::of([b"ab".as_slice(), b"c"]));
        assert_eq!(one.as_str().len(), "sha256:".len() + 64);
    }
}
