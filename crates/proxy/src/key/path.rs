//! Spellings of a path that mean the same to most servers, made one.

use std::borrow::Cow;

/// Which spellings of a path are one to the cache. Nothing is, by default: an origin may tell any two paths apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "config",
    derive(serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
#[non_exhaustive]
pub struct PathRules {
    /// `%7E` is `~`, and `%2f` is `%2F` (RFC 3986, 6.2.2.1 and 6.2.2.2). What is reserved is never decoded: `%2F` is not `/`.
    /// A path with a `%` that two hexadecimal digits do not follow stays as it is.
    pub decode_unreserved: bool,
    /// `/a/./b/../c` is `/a/c` (RFC 3986, 6.2.2.3). Before it, what is to be decoded is decoded.
    pub remove_dot_segments: bool,
    /// `/a//b` is `/a/b`. Done before dot segments are removed, as nginx does.
    pub merge_slashes: bool,
}

impl PathRules {
    /// All of them.
    pub const ALL: Self = Self {
        decode_unreserved: true,
        remove_dot_segments: true,
        merge_slashes: true,
    };

    /// The one spelling of `path`. Applied to its own result, it changes nothing.
    pub(crate) fn normal(self, path: &[u8]) -> Cow<'_, [u8]> {
        // What is no path (`*`) has no segments.
        if self == Self::default() || path.first() != Some(&b'/') || is_plain(path) {
            return Cow::Borrowed(path);
        }
        match self.pass(path) {
            // A broken escape kept all others from being decoded, and may be gone with the segment it stood in.
            Cow::Owned(path) if path.contains(&b'%') => Cow::Owned(self.pass(&path).into_owned()),
            path => path,
        }
    }

    fn pass(self, path: &[u8]) -> Cow<'_, [u8]> {
        let mut path = Cow::Borrowed(path);
        for (wanted, step) in [
            (self.decode_unreserved, decoded as fn(&[u8]) -> Vec<u8>),
            (self.merge_slashes, merged),
            (self.remove_dot_segments, without_dots),
        ] {
            if wanted {
                let next = step(&path);
                if *next != *path {
                    path = Cow::Owned(next);
                }
            }
        }
        path
    }
}

/// Whether no rule can change it.
pub(crate) fn is_plain(path: &[u8]) -> bool {
    let suspicious = |pair: &[u8]| matches!(pair, b"//" | b"/.");
    !path.contains(&b'%') && !path.windows(2).any(suspicious)
}

fn decoded(path: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            text.push(byte);
            continue;
        }
        let digits = after.split_at_checked(2);
        let Some((value, after)) = digits.and_then(|(pair, after)| Some((hex(pair)?, after)))
        else {
            // Decoding around it might put a new triplet together.
            return path.to_vec();
        };
        rest = after;
        if value.is_ascii_alphanumeric() || b"-._~".contains(&value) {
            text.push(value);
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            let (high, low) = (usize::from(value >> 4), usize::from(value & 15));
            text.extend([b'%', DIGITS[high], DIGITS[low]]);
        }
    }
    text
}

fn hex(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    let [high, low] = pair else { return None };
    Some(digit(*high)? << 4 | digit(*low)?)
}

fn merged(path: &[u8]) -> Vec<u8> {
    let mut path = path.to_vec();
    path.dedup_by(|next, before| *next == b'/' && *before == b'/');
    path
}

/// RFC 3986, 5.2.4.
fn without_dots(path: &[u8]) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut all = path[1..].split(|&byte| byte == b'/').peekable();
    while let Some(segment) = all.next() {
        let is_last = all.peek().is_none();
        match segment {
            b"." => {}
            b".." => drop(segments.pop()),
            _ => {
                segments.push(segment);
                continue;
            }
        }
        if is_last {
            // It names a folder.
            segments.push(b"");
        }
    }
    let mut path = vec![b'/'];
    path.extend(segments.join(&b'/'));
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(rules: PathRules, path: &str) -> String {
        String::from_utf8(rules.normal(path.as_bytes()).into_owned()).unwrap()
    }

    /// RFC 3986, 5.2.4 and 6.2.2, and what must not happen.
    const CASES: [(&str, &str); 29] = [
        ("/", "/"),
        ("/a", "/a"),
        ("/%7Ea", "/~a"),
        ("/%61%2d%2E%5f", "/a-._"),
        ("/%2f", "/%2F"),
        ("/a%2Fb", "/a%2Fb"),
        ("/%3f", "/%3F"),
        ("/%00", "/%00"),
        ("/%C3%a9", "/%C3%A9"),
        ("/%2561", "/%2561"),
        ("/%", "/%"),
        ("/%6", "/%6"),
        ("/%zz%61", "/%zz%61"),
        ("/%%361", "/%%361"),
        ("/a/b/c/./../../g", "/a/g"),
        ("/mid/content=5/../6", "/mid/6"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("/a/.", "/a/"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/.../b", "/a/.../b"),
        ("/.a/..b", "/.a/..b"),
        ("//a///b//", "/a/b/"),
        ("/a//../b", "/b"),
        ("/a/..//b", "/b"),
        ("/%61/%/..", "/a/"),
        ("/x/%2e%2e/%/../a", "/a"),
    ];

    #[test]
    fn spellings_become_one() {
        for (path, expected) in CASES {
            assert_eq!(normal(PathRules::ALL, path), expected, "{path}");
        }
    }

    #[test]
    fn nothing_happens_unasked() {
        for (path, _) in CASES {
            assert_eq!(normal(PathRules::default(), path), path);
        }
        assert_eq!(normal(PathRules::ALL, "*"), "*");
        let rules = |change: fn(&mut PathRules)| {
            let mut rules = PathRules::default();
            change(&mut rules);
            rules
        };
        let dots = rules(|it| it.remove_dot_segments = true);
        assert_eq!(normal(dots, "/a//../%2e%2e/b"), "/a/%2e%2e/b");
        let slashes = rules(|it| it.merge_slashes = true);
        assert_eq!(normal(slashes, "/a//../%7e"), "/a/../%7e");
        let decode = rules(|it| it.decode_unreserved = true);
        assert_eq!(normal(decode, "/a//../%7e"), "/a//../~");
    }
}
