//! `#( token [ "=" ( token / quoted-string ) ] )` (RFC 9111, 5.2).

use std::borrow::Cow;

use http::header::{GetAll, HeaderValue};

/// The most members that are read; one that means well has a handful.
const MAX_MEMBERS: usize = 64;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Member<'a> {
    /// A name, and what is behind its `=`, without quotes.
    Directive(&'a [u8], Option<Cow<'a, [u8]>>),
    /// Not of that form.
    Malformed(&'a [u8]),
}

/// The members of all lines, in order. What is too much comes as one malformed member.
pub(super) fn members<'a>(
    lines: &GetAll<'a, HeaderValue>,
) -> impl Iterator<Item = Member<'a>> + use<'a> {
    let mut count = 0;
    let texts = lines.iter().flat_map(|line| Split(line.as_bytes()));
    texts.filter(|text| !text.is_empty()).map(move |text| {
        count += 1;
        if count > MAX_MEMBERS {
            Member::Malformed(text)
        } else {
            member(text)
        }
    })
}

fn member(text: &[u8]) -> Member<'_> {
    let end = text.iter().position(|byte| !is_token(*byte));
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    if name.is_empty() {
        return Member::Malformed(text);
    }
    let value = match rest {
        [] => None,
        [b'=', value @ ..] if !value.is_empty() && value.iter().all(|it| is_token(*it)) => {
            Some(Cow::Borrowed(value))
        }
        [b'=', b'"', quoted @ ..] => match unquoted(quoted) {
            Some(value) => Some(value),
            None => return Member::Malformed(text),
        },
        _ => return Member::Malformed(text),
    };
    Member::Directive(name, value)
}

/// What stands before the closing quote, which must end `text`.
fn unquoted(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (last, inside) = text.split_last()?;
    if *last != b'"' {
        return None;
    }
    if !inside.iter().any(|byte| matches!(byte, b'"' | b'\\')) {
        return Some(Cow::Borrowed(inside));
    }
    let mut plain = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => return None,
            b'\\' => plain.push(*bytes.next()?),
            _ => plain.push(byte),
        }
    }
    Some(Cow::Owned(plain))
}

/// RFC 9110, 5.6.2.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Splits at the commas outside of quoted strings. A quote that is not closed reaches to the end.
struct Split<'a>(&'a [u8]);

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let mut is_quoted = false;
        let mut is_escaped = false;
        let comma = self.0.iter().position(|&byte| {
            let is_plain = !std::mem::take(&mut is_escaped);
            match byte {
                b'"' if is_plain => is_quoted = !is_quoted,
                b'\\' if is_plain && is_quoted => is_escaped = true,
                b',' => return !is_quoted,
                _ => {}
            }
            false
        });
        let (text, rest) = match comma {
            Some(at) => (&self.0[..at], &self.0[at + 1..]),
            None => (self.0, &[][..]),
        };
        self.0 = rest;
        Some(text.trim_ascii())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::CACHE_CONTROL;

    use super::*;

    fn read(lines: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let lines = headers.get_all(CACHE_CONTROL);
        let members = members(&lines);
        members
            .map(|member| match member {
                Member::Directive(name, None) => text(name),
                Member::Directive(name, Some(value)) => format!("{}={}", text(name), text(&value)),
                Member::Malformed(all) => format!("?{}", text(all)),
            })
            .collect()
    }

    #[test]
    fn lists_are_split_outside_of_quotes() {
        for (line, members) in [
            ("a, b=1 ,,c", &["a", "b=1", "c"][..]),
            (r#"a="b, c", d"#, &["a=b, c", "d"]),
            (r#"a="x\"y, z", d"#, &[r#"a=x"y, z"#, "d"]),
            (r#"a="\\", d"#, &[r"a=\", "d"]),
            (r#"a="b, c"#, &[r#"?a="b, c"#]),
            (r#"a="b"c, d"#, &[r#"?a="b"c"#, "d"]),
            ("a =1", &["?a =1"]),
            ("a= 1", &["?a= 1"]),
            ("a=", &["?a="]),
            ("=1", &["?=1"]),
            ("a; b", &["?a; b"]),
            ("a=1;b", &["?a=1;b"]),
            ("", &[]),
        ] {
            assert_eq!(read(&[line]), members, "{line}");
        }
    }

    #[test]
    fn a_quote_does_not_reach_into_the_next_line() {
        assert_eq!(read(&[r#"a="b"#, r#"c, d="e""#]), [r#"?a="b"#, "c", "d=e"]);
    }

    #[test]
    fn what_is_too_much_is_malformed() {
        let many = vec!["a"; MAX_MEMBERS].join(",") + ",no-store";
        let members = read(&[&many]);
        assert_eq!(members.last().unwrap(), "?no-store");
    }
}
