//! Entity tags (RFC 9110, section 8.8.3), and the lists of them that conditions are.

use http::header::{GetAll, HeaderValue};

/// Whether a condition that lists entity tags names the response whose tag is `there`. `*` names any response.
///
/// A comma inside of a tag's quotes is part of it. A tag without quotes is none, but servers that send
/// one are met again by clients that repeat it: it counts as it stands, up to the comma.
pub(crate) fn list_names(
    list: &GetAll<'_, HeaderValue>,
    there: Option<&HeaderValue>,
    eq: fn(&[u8], &[u8]) -> bool,
) -> bool {
    let mut lines = list.iter().map(HeaderValue::as_bytes);
    if lines.any(|line| line.trim_ascii() == b"*") {
        return true;
    }
    let Some(there) = there.map(|tag| tag.as_bytes().trim_ascii()) else {
        return false;
    };
    list.iter()
        .any(|line| Tags(line.as_bytes()).any(|tag| eq(tag, there)))
}

/// RFC 9110, section 8.8.3.2: for what means the same.
pub(crate) fn weak_eq(a: &[u8], b: &[u8]) -> bool {
    opaque(a) == opaque(b)
}

/// RFC 9110, section 8.8.3.2: for what is the same byte for byte.
pub(crate) fn strong_eq(a: &[u8], b: &[u8]) -> bool {
    is_strong(a) && a == b
}

/// Whether it is an entity tag, and vouches for every byte.
pub(crate) fn is_strong(tag: &[u8]) -> bool {
    tag.len() >= 2 && tag.starts_with(b"\"") && tag.ends_with(b"\"")
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// The tags of one line.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let is_between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
        let start = self.0.iter().position(|byte| !is_between(byte))?;
        let rest = &self.0[start..];
        let prefix = rest.len() - opaque(rest).len();
        let end = if let [b'"', quoted @ ..] = opaque(rest) {
            let close = quoted.iter().position(|&byte| byte == b'"');
            close.map_or(rest.len(), |close| prefix + close + 2)
        } else {
            let comma = rest.iter().position(|&byte| byte == b',');
            comma.unwrap_or(rest.len())
        };
        let (tag, left) = rest.split_at(end);
        self.0 = left;
        Some(tag.trim_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(line: &str) -> Vec<&str> {
        let tags = Tags(line.as_bytes());
        tags.map(|tag| std::str::from_utf8(tag).unwrap()).collect()
    }

    #[test]
    fn a_list_is_taken_apart_at_the_commas_outside_of_quotes() {
        assert_eq!(
            tags(r#""a", W/"b,c" ,, "d""#),
            [r#""a""#, r#"W/"b,c""#, r#""d""#]
        );
        assert_eq!(tags("a , b"), ["a", "b"]);
        assert_eq!(tags(r#""a"#), [r#""a"#]);
        assert_eq!(tags(" ,"), [""; 0]);
    }

    #[test]
    fn tags_are_compared_strongly_or_weakly() {
        // The table of RFC 9110, section 8.8.3.2.
        for (a, b, strong, weak) in [
            (r#"W/"1""#, r#"W/"1""#, false, true),
            (r#"W/"1""#, r#"W/"2""#, false, false),
            (r#"W/"1""#, r#""1""#, false, true),
            (r#""1""#, r#""1""#, true, true),
            (r#"w/"1""#, r#""1""#, false, false),
        ] {
            assert_eq!(strong_eq(a.as_bytes(), b.as_bytes()), strong, "{a} {b}");
            assert_eq!(weak_eq(a.as_bytes(), b.as_bytes()), weak, "{a} {b}");
        }
    }
}
