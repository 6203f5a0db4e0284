//! Where a scan goes on: the key DynamoDB said it ended at.

use terrace_core::{Cursor, Error, ErrorKind, Result};

/// Tells our cursors from those of other stores.
const MARK: &[u8] = b"ddb:";
/// The longest key DynamoDB has.
const MAX_KEY_BYTES: usize = 2048;

/// The cursor after the item with `key`, which need not be one of ours.
pub(crate) fn after(key: &str) -> Cursor {
    Cursor::new([MARK, key.as_bytes()].concat())
}

pub(crate) fn parse(cursor: &Cursor) -> Result<&str> {
    let key = cursor.as_bytes().strip_prefix(MARK);
    key.filter(|key| (1..=MAX_KEY_BYTES).contains(&key.len()))
        .and_then(|key| std::str::from_utf8(key).ok())
        .ok_or_else(|| {
            let message = "the cursor is another store's; hand back the one this store gave out";
            Error::new(ErrorKind::Invalid, "dynamodb.scan", message)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back() {
        for key in [
            "a",
            "somebody else's",
            "\u{1F980}",
            &"x".repeat(MAX_KEY_BYTES),
        ] {
            assert_eq!(parse(&after(key)).unwrap(), key);
        }
    }

    #[test]
    fn hostile_cursors_are_refused() {
        let long = [MARK, &[b'x'; MAX_KEY_BYTES + 1]].concat();
        let hostile: [&[u8]; 7] = [b"", b"d", b"ddb", b"ddb:", b"ddb:\xFF\xFE", b"7:abc", &long];
        for bytes in hostile {
            let error = parse(&Cursor::new(bytes.to_vec())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{bytes:?}");
        }
    }
}
