//! Percent-encoding of what stands in a path or a query (RFC 3986, 2.1).

use std::fmt::Write as _;

/// Adds a text, with everything encoded but what no place in an address reads as something else.
pub fn encode_into(text: &mut String, raw: &str) {
    for byte in raw.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("writing to a text does not fail");
        }
    }
}

/// Decodes percent-encoding. Returns `None` where the result is not UTF-8.
#[must_use]
pub fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_comes_back() {
        let mut text = String::new();
        encode_into(&mut text, "ä@b%/\"");
        assert_eq!(decoded(&text).as_deref(), Some("ä@b%/\""));
        assert_eq!(decoded("100%"), Some("100%".to_owned()));
    }
}
