//! Checksums, encodings of bytes, and paths.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha512};
use stagelink_gotemplate::{FunctionTable, GoString};

use super::digest::{adler32, sha1};
use super::paths;

/// Adds the functions of this family.
pub(super) fn register(table: &mut FunctionTable) {
    table.add("adler32sum", |text: GoString| adler32(&text).to_string());
    table.add("b32dec", |text: GoString| {
        decode_base32(&text).unwrap_or_else(GoString::from)
    });
    table.add("b32enc", |text: GoString| {
        GoString::from(encode_base32(&text))
    });
    table.add("b64dec", |text: GoString| {
        decode_base64(&text).unwrap_or_else(GoString::from)
    });
    table.add("b64enc", |text: GoString| STANDARD.encode(text));
    table.add("sha1sum", |text: GoString| sha1(&text));
    table.add("sha256sum", |text: GoString| {
        hexadecimal(&Sha256::digest(text))
    });
    table.add("sha512sum", |text: GoString| {
        hexadecimal(&Sha512::digest(text))
    });
    // On Unix paths of files are those of URLs.
    for name in ["base", "osBase"] {
        table.add(name, |path: GoString| GoString::from(paths::base(&path)));
    }
    for name in ["clean", "osClean"] {
        table.add(name, |path: GoString| GoString::from(paths::clean(&path)));
    }
    for name in ["dir", "osDir"] {
        table.add(name, |path: GoString| GoString::from(paths::dir(&path)));
    }
    for name in ["ext", "osExt"] {
        table.add(name, |path: GoString| GoString::from(paths::ext(&path)));
    }
    for name in ["isAbs", "osIsAbs"] {
        table.add(name, |path: GoString| paths::is_abs(&path));
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `base64.StdEncoding.DecodeString`: line ends are skipped; the error is the text that sprig gives.
fn decode_base64(source: &[u8]) -> Result<GoString, String> {
    let mut out = Vec::with_capacity(source.len() / 4 * 3);
    let mut quad = [0_u8; 4];
    let mut filled = 0;
    let mut bytes = source
        .iter()
        .enumerate()
        .filter(|(_, byte)| !matches!(byte, b'\r' | b'\n'));
    let illegal = |at: usize| format!("illegal base64 data at input byte {at}");
    let mut first = 0;
    while let Some((at, byte)) = bytes.next() {
        if filled == 0 {
            first = at;
        }
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if filled >= 2 => {
                if filled == 2 {
                    match bytes.next() {
                        Some((_, b'=')) => {}
                        Some((at, _)) => return Err(illegal(at)),
                        None => return Err(illegal(source.len())),
                    }
                }
                if let Some((at, _)) = bytes.next() {
                    return Err(illegal(at));
                }
                push_quad(&mut out, quad, filled);
                return Ok(out.into());
            }
            _ => return Err(illegal(at)),
        };
        quad[filled] = digit;
        filled += 1;
        if filled == 4 {
            push_quad(&mut out, quad, 4);
            (quad, filled) = ([0; 4], 0);
        }
    }
    if filled > 0 {
        Err(illegal(first))
    } else {
        Ok(out.into())
    }
}

fn push_quad(out: &mut Vec<u8>, quad: [u8; 4], filled: usize) {
    let value = quad
        .iter()
        .fold(0_u32, |value, digit| value << 6 | u32::from(*digit));
    out.extend_from_slice(&value.to_be_bytes()[1..filled]);
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn encode_base32(source: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(source.len().div_ceil(5) * 8);
    for chunk in source.chunks(5) {
        let value = (0..5).fold(0_u64, |value, index| {
            value << 8 | u64::from(chunk.get(index).copied().unwrap_or(0))
        });
        let digits = (chunk.len() * 8).div_ceil(5);
        out.extend((0..8).map(|index| {
            if index < digits {
                BASE32[(value >> (35 - 5 * index) & 31) as usize]
            } else {
                b'='
            }
        }));
    }
    out
}

fn decode_base32(source: &[u8]) -> Result<GoString, String> {
    let text: Vec<u8> = source
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    let illegal = |at: usize| format!("illegal base32 data at input byte {at}");
    let mut out = Vec::new();
    let blocks = text.chunks(8).count();
    for (block, chunk) in text.chunks(8).enumerate() {
        let digits = chunk.iter().take_while(|byte| **byte != b'=').count();
        let mut value = 0_u64;
        for (index, byte) in chunk[..digits].iter().enumerate() {
            let digit = BASE32
                .iter()
                .position(|digit| digit == byte)
                .ok_or_else(|| illegal(block * 8 + index))?;
            value |= (digit as u64) << (35 - 5 * index);
        }
        let is_last = block + 1 == blocks;
        let padding_is_right = chunk[digits..].iter().all(|byte| *byte == b'=');
        if chunk.len() < 8
            || !padding_is_right
            || !matches!(digits, 2 | 4 | 5 | 7 | 8)
            || digits < 8 && !is_last
        {
            return Err(illegal(if chunk.len() < 8 {
                text.len()
            } else {
                block * 8 + digits
            }));
        }
        out.extend_from_slice(&value.to_be_bytes()[3..3 + digits * 5 / 8]);
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_and_its_errors() {
        for (source, expected) in [
            ("aGVsbG8=", "hello"),
            ("aGVs\nbG8=", "hello"),
            ("", ""),
            ("YQ==", "a"),
            ("!", "illegal base64 data at input byte 0"),
            ("aGVsbG8", "illegal base64 data at input byte 4"),
            ("YQ=", "illegal base64 data at input byte 3"),
            ("YQ==YQ==", "illegal base64 data at input byte 4"),
        ] {
            let found = decode_base64(source.as_bytes()).unwrap_or_else(GoString::from);
            assert_eq!(found, expected, "{source:?}");
        }
    }

    #[test]
    fn base32_and_back() {
        for source in ["", "f", "fo", "foo", "foob", "fooba", "foobar"] {
            let encoded = encode_base32(source.as_bytes());
            assert_eq!(decode_base32(&encoded).unwrap(), source);
        }
        assert_eq!(encode_base32(b"foobar"), b"MZXW6YTBOI======");
        assert!(decode_base32(b"1").is_err() && decode_base32(b"MZXW6").is_err());
    }
}
