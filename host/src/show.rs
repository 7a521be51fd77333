//! How keys and hints look in messages.

use std::fmt::Write as _;

/// Longest shown part of a hint, in characters; a hint may be megabytes of payload.
const SHOWN_HINT: usize = 200;

/// The kind of data that a key asks for, told by its first byte (`op-preimage/iface.go`).
#[must_use]
pub const fn key_type(first: u8) -> &'static str {
    match first {
        1 => "local",
        2 => "keccak256",
        3 => "generic",
        4 => "sha256",
        5 => "blob",
        6 => "precompile",
        _ => "unknown type",
    }
}

/// The key as `0x` and 64 hex digits, followed by its type in brackets.
#[must_use]
pub fn show_key(key: &[u8; 32]) -> String {
    format!("0x{} ({})", const_hex::encode(key), key_type(key[0]))
}

/// The hint as text if it is printable, else as hex; at most about 200 characters of it.
#[must_use]
pub fn show_hint(hint: &[u8]) -> String {
    let printable = |c: char| !c.is_control();
    match std::str::from_utf8(hint) {
        Ok(text) if text.chars().all(printable) => shorten(text, hint.len()),
        _ => {
            // Two digits a byte: encoding more than this would only be cut off again.
            let start = &hint[..hint.len().min(SHOWN_HINT)];
            shorten(&format!("0x{}", const_hex::encode(start)), hint.len())
        }
    }
}

/// Cuts `text` off after [`SHOWN_HINT`] characters and then says how long the hint really is.
fn shorten(text: &str, bytes: usize) -> String {
    let Some((cut, _)) = text.char_indices().nth(SHOWN_HINT) else {
        return text.to_owned();
    };
    let mut short = text[..cut].to_owned();
    // Writing to a string cannot fail.
    let _ = write!(short, "… ({bytes} bytes)");
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_show_their_type() {
        let mut key = [0xab; 32];
        key[0] = 2;
        let shown = show_key(&key);
        assert!(shown.starts_with("0x02abab"), "{shown}");
        assert!(shown.ends_with("ab (keccak256)"), "{shown}");
    }

    #[test]
    fn hints_are_text_or_hex_and_short() {
        assert_eq!(show_hint(b"l1-code 0x12"), "l1-code 0x12");
        assert_eq!(show_hint(b""), "");
        assert_eq!(show_hint(&[0xff, 0x00]), "0xff00");
        assert_eq!(show_hint(b"a\nb"), "0x610a62");
        assert_eq!(show_hint(&[b'x'; 200]), "x".repeat(200));
        assert_eq!(
            show_hint(&[b'x'; 1000]),
            format!("{}… (1000 bytes)", "x".repeat(200))
        );
        let binary = show_hint(&[0; 101]);
        assert!(binary.ends_with("00… (101 bytes)"), "{binary}");
        // A cut in the middle of a character of several bytes would panic.
        assert!(show_hint("é".repeat(300).as_bytes()).ends_with("é… (600 bytes)"));
    }
}
