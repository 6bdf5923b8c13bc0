//! SHA-256 as OCI writes it.

use std::fmt::{self, Write};
use std::str::FromStr;

/// What bytes are known by: `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of those bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        let mut own = [0; 32];
        own.copy_from_slice(digest.as_ref());
        Digest(own)
    }

    /// Its hexadecimal digits alone.
    pub fn hexadecimal(&self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            // Writing to a text cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hexadecimal())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = ();

    fn from_str(text: &str) -> Result<Digest, ()> {
        let digits = text.strip_prefix("sha256:").ok_or(())?.as_bytes();
        let (pairs, []) = digits.as_chunks::<2>() else {
            return Err(());
        };
        let mut bytes = [0; 32];
        if pairs.len() != bytes.len() {
            return Err(());
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            for digit in pair {
                // Only small letters: of two spellings one would not be the file's name.
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return Err(()),
                };
                *byte = *byte << 4 | value;
            }
        }
        Ok(Digest(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written_and_in_no_other_way() {
        let digest = Digest::of(b"");
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse(), Ok(digest));
        for other in [
            "e3b0c442",
            "sha256:",
            &text[..text.len() - 1],
            &text[..text.len() - 2],
            &format!("{text}00"),
            &text.to_ascii_uppercase().replace("SHA", "sha"),
            &text.replace("sha256", "sha512"),
            &text.replace("e3b0", "../b"),
        ] {
            assert_eq!(other.parse::<Digest>(), Err(()), "{other}");
        }
    }
}
