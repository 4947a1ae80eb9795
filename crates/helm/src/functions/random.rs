//! Randomness of a render: from the system as in Helm, or derived from a seed.
//!
//! With a seed each draw is HMAC-SHA256 over application, template and position of the draw within that template: the same render
//! gives the same texts, and without the seed nobody can guess them. A seed must be a secret; it never appears in any output.

use std::cell::{Cell, RefCell};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::text;

/// Where random texts of one render come from.
#[derive(Debug, Default)]
pub(crate) struct Randomness {
    seed: Option<Seed>,
    template: RefCell<String>,
    position: Cell<u64>,
    was_unseeded: Cell<bool>,
}

struct Seed {
    key: Vec<u8>,
    application: String,
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is a secret.
        formatter
            .debug_struct("Seed")
            .field("application", &self.application)
            .finish_non_exhaustive()
    }
}

impl Randomness {
    /// Seeded when there is a seed; `application` keeps applications with the same seed apart.
    pub(crate) fn new(seed: Option<&[u8]>, application: &str) -> Self {
        let seed = seed.map(|key| Seed {
            key: key.to_vec(),
            application: application.to_owned(),
        });
        Self {
            seed,
            ..Self::default()
        }
    }

    /// From now on `template` is rendered; positions start anew.
    pub(crate) fn enter(&self, template: &str) {
        template.clone_into(&mut self.template.borrow_mut());
        self.position.set(0);
    }

    /// True once something was drawn without a seed.
    pub(crate) fn was_unseeded(&self) -> bool {
        self.was_unseeded.get()
    }

    /// The source of the next draw.
    pub(crate) fn draw(&self) -> Draw {
        self.was_unseeded
            .set(self.was_unseeded.get() || self.seed.is_none());
        let position = self.position.get();
        self.position.set(position + 1);
        let seeded = self.seed.as_ref().map(|seed| {
            let mut context = Vec::new();
            for part in [
                seed.application.as_bytes(),
                self.template.borrow().as_bytes(),
                &position.to_be_bytes(),
            ] {
                context.extend_from_slice(&(part.len() as u64).to_be_bytes());
                context.extend_from_slice(part);
            }
            (seed.key.clone(), context)
        });
        Draw {
            seeded,
            block: 0,
            buffer: Vec::new(),
        }
    }
}

/// A stream of random bytes.
pub(crate) struct Draw {
    seeded: Option<(Vec<u8>, Vec<u8>)>,
    block: u64,
    buffer: Vec<u8>,
}

impl Draw {
    fn byte(&mut self) -> Result<u8, String> {
        if self.buffer.is_empty() {
            self.buffer = self.next_block()?;
            self.block += 1;
        }
        Ok(self.buffer.pop().unwrap_or_default())
    }

    fn next_block(&self) -> Result<Vec<u8>, String> {
        let Some((key, context)) = &self.seeded else {
            let mut block = vec![0; 32];
            getrandom::fill(&mut block)
                .map_err(|error| format!("no randomness from the system: {error}"))?;
            return Ok(block);
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| error.to_string())?;
        mac.update(context);
        mac.update(&self.block.to_be_bytes());
        Ok(mac.finalize().into_bytes().to_vec())
    }

    /// Random bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Result<Vec<u8>, String> {
        (0..count).map(|_| self.byte()).collect()
    }

    /// A number below `limit` (not zero), all equally likely.
    pub(crate) fn below(&mut self, limit: u64) -> Result<u64, String> {
        let width = (64 - (limit - 1).leading_zeros()).div_ceil(8);
        let range = 1_u128 << (8 * width);
        let fair = range - range % u128::from(limit);
        loop {
            let mut value = 0_u128;
            for _ in 0..width {
                value = value << 8 | u128::from(self.byte()?);
            }
            if value < fair {
                return Ok((value % u128::from(limit)) as u64);
            }
        }
    }

    /// A text of `count` characters out of `alphabet`; nothing when `count` is negative.
    pub(crate) fn text(&mut self, count: i64, alphabet: &[u8]) -> Result<Vec<u8>, String> {
        (0..count.max(0))
            .map(|_| Ok(alphabet[self.below(alphabet.len() as u64)? as usize]))
            .collect()
    }

    /// The characters of `source` in another order (Fisher-Yates).
    pub(crate) fn shuffle(&mut self, source: &[u8]) -> Result<Vec<u8>, String> {
        let mut runes: Vec<char> = text::runes(source).collect();
        for last in (1..runes.len()).rev() {
            let other = self.below(last as u64 + 1)? as usize;
            runes.swap(last, other);
        }
        Ok(runes.into_iter().collect::<String>().into_bytes())
    }

    /// A version 4 UUID.
    pub(crate) fn uuid(&mut self) -> Result<String, String> {
        let mut bytes = self.bytes(16)?;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok([
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ]
        .join("-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz";

    fn texts(seed: Option<&[u8]>, application: &str, template: &str) -> [Vec<u8>; 2] {
        let randomness = Randomness::new(seed, application);
        randomness.enter(template);
        std::array::from_fn(|_| randomness.draw().text(20, ALPHABET).unwrap())
    }

    #[test]
    fn a_seed_makes_texts_stable_and_its_context_makes_them_differ() {
        let first = texts(Some(b"seed"), "app", "a.yaml");
        assert_eq!(first, texts(Some(b"seed"), "app", "a.yaml"));
        assert_ne!(first[0], first[1], "position");
        assert_ne!(first, texts(Some(b"other"), "app", "a.yaml"));
        assert_ne!(first, texts(Some(b"seed"), "app2", "a.yaml"));
        assert_ne!(first, texts(Some(b"seed"), "app", "b.yaml"));
    }

    #[test]
    fn without_a_seed_texts_are_random() {
        assert_ne!(texts(None, "app", "a.yaml"), texts(None, "app", "a.yaml"));
    }

    #[test]
    fn forms() {
        let randomness = Randomness::new(Some(b"seed"), "app");
        let uuid = randomness.draw().uuid().unwrap();
        assert!(
            regex::Regex::new(
                "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
            )
            .unwrap()
            .is_match(&uuid),
            "{uuid}"
        );
        let mut shuffled = randomness.draw().shuffle("añb".as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(shuffled.clone()).unwrap().chars().count(),
            3
        );
        shuffled.sort_unstable();
        assert_eq!(shuffled, {
            let mut sorted = "añb".as_bytes().to_vec();
            sorted.sort_unstable();
            sorted
        });
        assert!((0..200).all(|_| randomness.draw().below(3).unwrap() < 3));
        assert_eq!(randomness.draw().below(1).unwrap(), 0);
        assert_eq!(randomness.draw().text(-1, ALPHABET).unwrap(), b"");
        assert!(
            !format!("{randomness:?}").contains("115"),
            "the seed must not be printed"
        );
    }
}
