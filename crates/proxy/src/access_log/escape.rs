use std::fmt::Write as _;

/// The most bytes of one value.
const MAX_VALUE: usize = 2048;

/// `value` without what could end a line, a quoted string, or the reader's terminal: such bytes become `\xHH`.
pub(super) fn push_escaped(line: &mut String, value: &[u8]) {
    for &byte in bounded(value) {
        match byte {
            b'"' | b'\\' => {
                // Writing to a string cannot fail.
                let _ = write!(line, "\\x{byte:02X}");
            }
            b' '..=b'~' => line.push(char::from(byte)),
            _ => {
                let _ = write!(line, "\\x{byte:02X}");
            }
        }
    }
}

/// The beginning of `value`, if it is long.
pub(super) fn bounded(value: &[u8]) -> &[u8] {
    &value[..value.len().min(MAX_VALUE)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_line_or_a_string_and_nothing_is_endless() {
        let mut line = String::new();
        push_escaped(&mut line, b"a b\"\\\r\n\x00\x1b[31m\x7f\xff~");
        assert_eq!(line, r"a b\x22\x5C\x0D\x0A\x00\x1B[31m\x7F\xFF~");
        line.clear();
        push_escaped(&mut line, &[b'a'; 10_000]);
        assert_eq!(line.len(), MAX_VALUE);
    }
}
