//! The `Range` header (RFC 9110, sections 14.1 and 14.2).

use std::ops::Range;

/// What a `Range` header selects of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// It counts for nothing: another unit, malformed, or more ranges than are served.
    Ignored,
    /// None of its ranges has a byte of the body.
    Unsatisfiable,
    /// These, ascending, not empty and not touching each other.
    Ranges(Vec<Range<usize>>),
}

/// Reads `field` for a body of `len` bytes. Ranges that overlap or touch become one, and all come in ascending order: a
/// response never has a byte twice, and its body is read once.
pub(crate) fn select(field: &[u8], len: usize, max: usize) -> Selection {
    let Some(specs) = parse(field, max) else {
        return Selection::Ignored;
    };
    let mut ranges: Vec<_> = specs.iter().filter_map(|spec| spec.of(len)).collect();
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    if merged.is_empty() {
        Selection::Unsatisfiable
    } else {
        Selection::Ranges(merged)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spec {
    /// First and last byte.
    Between(usize, usize),
    From(usize),
    /// The last so many bytes.
    Last(usize),
}

impl Spec {
    fn parse(text: &[u8]) -> Option<Self> {
        let dash = text.iter().position(|&byte| byte == b'-')?;
        match (&text[..dash], &text[dash + 1..]) {
            (b"", last) => Some(Self::Last(number(last)?)),
            (first, b"") => Some(Self::From(number(first)?)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    /// The bytes it selects of `len`; `None` if there are none.
    fn of(self, len: usize) -> Option<Range<usize>> {
        let range = match self {
            Self::Between(first, last) => first..len.min(last.saturating_add(1)),
            Self::From(first) => first..len,
            Self::Last(count) => len.saturating_sub(count)..len,
        };
        (!range.is_empty()).then_some(range)
    }
}

/// `None` if it is not what the grammar allows, or has more than `max` elements.
fn parse(field: &[u8], max: usize) -> Option<Vec<Spec>> {
    const UNIT: &[u8] = b"bytes=";
    let (unit, set) = field.trim_ascii().split_at_checked(UNIT.len())?;
    if !unit.eq_ignore_ascii_case(UNIT) {
        return None;
    }
    let mut specs = Vec::new();
    // Empty elements are allowed in any list, and counted here.
    for (index, element) in set.split(|&byte| byte == b',').enumerate() {
        if index >= max {
            return None;
        }
        match element.trim_ascii() {
            b"" => {}
            element => specs.push(Spec::parse(element)?),
        }
    }
    (!specs.is_empty()).then_some(specs)
}

/// Digits only. What is too large for a number is past the end of any body.
fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    Some(digits.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(field: &str) -> String {
        match select(field.as_bytes(), 10, 3) {
            Selection::Ranges(ranges) => {
                let texts: Vec<_> = ranges.iter().map(|it| format!("{it:?}")).collect();
                texts.join(" ")
            }
            other => panic!("{field}: {other:?}"),
        }
    }

    #[test]
    fn what_the_grammar_allows_is_served() {
        for (field, expected) in [
            ("bytes=0-0", "0..1"),
            ("bytes=0-", "0..10"),
            ("bytes=9-", "9..10"),
            ("bytes=3-99", "3..10"),
            ("bytes=-3", "7..10"),
            ("bytes=-99", "0..10"),
            ("BYTES=0-1", "0..2"),
            ("bytes= 0-1 , 4-5", "0..2 4..6"),
            ("bytes=,0-1", "0..2"),
            ("bytes=0-99999999999999999999999", "0..10"),
            ("bytes=-99999999999999999999999", "0..10"),
        ] {
            assert_eq!(ranges(field), expected, "{field}");
        }
    }

    #[test]
    fn what_overlaps_or_touches_is_one_and_all_is_in_order() {
        for (field, expected) in [
            ("bytes=0-3,2-5", "0..6"),
            ("bytes=0-3,4-5", "0..6"),
            ("bytes=6-7,0-1", "0..2 6..8"),
            ("bytes=0-,0-,-1", "0..10"),
            ("bytes=0-8,1-2,4-5", "0..9"),
        ] {
            assert_eq!(ranges(field), expected, "{field}");
        }
    }

    #[test]
    fn what_cannot_be_satisfied_is_told_from_what_is_malformed() {
        for field in [
            "bytes=10-",
            "bytes=10-20,30-",
            "bytes=-0",
            "bytes=18446744073709551616-",
        ] {
            let selection = select(field.as_bytes(), 10, 3);
            assert_eq!(selection, Selection::Unsatisfiable, "{field}");
        }
        assert_eq!(select(b"bytes=0-", 0, 3), Selection::Unsatisfiable);
        assert_eq!(ranges("bytes=10-,2-3"), "2..4");
        for field in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=2-1",
            "bytes=a-b",
            "bytes=1",
            "bytes=0-1,x",
            "bytes=+1-2",
            "bytes=0x1-2",
            "bytes=1--2",
            "bytes =0-1",
            "lines=0-1",
            "bytes=0-1,2-3,4-5,6-7",
            "bytes=,,,0-1",
        ] {
            let selection = select(field.as_bytes(), 10, 3);
            assert_eq!(selection, Selection::Ignored, "{field:?}");
        }
    }
}
