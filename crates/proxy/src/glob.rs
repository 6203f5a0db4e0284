use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use memchr::memmem;

/// A pattern in which `*` stands for any bytes, also for none. Everything else stands for itself, in its case.
///
/// A match takes time in proportion to what is matched, and no memory.
///
/// ```
/// # use terrace_proxy::Glob;
/// let glob = Glob::new("utm_*");
/// assert!(glob.matches(b"utm_source"));
/// assert!(!glob.matches(b"my_utm_source"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    /// What stands between the stars; one part if there are none.
    parts: Box<[Box<[u8]>]>,
}

impl Glob {
    /// The pattern written as `text`.
    pub fn new(text: &str) -> Self {
        let parts = text.split('*').map(|part| part.as_bytes().into());
        Self {
            parts: parts.collect(),
        }
    }

    /// Whether all of `text` is what the pattern describes.
    pub fn matches(&self, text: &[u8]) -> bool {
        let [first, middle @ .., last] = &*self.parts else {
            return self.parts.iter().all(|part| **part == *text);
        };
        let Some(mut rest) = text.strip_prefix(&**first) else {
            return false;
        };
        for part in middle {
            // The first place is as good as any later one.
            let Some(at) = memmem::find(rest, part) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }

    /// Whether any of `globs` matches.
    pub(crate) fn any(globs: &[Self], text: &[u8]) -> bool {
        globs.iter().any(|glob| glob.matches(text))
    }
}

impl FromStr for Glob {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.parts.iter().map(|it| it.escape_ascii()).collect();
        for (index, part) in parts.iter().enumerate() {
            let star = if index == 0 { "" } else { "*" };
            write!(f, "{star}{part}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, matching, others) in [
            ("a", &["a"][..], &["", "aa", "A"][..]),
            ("*", &["", "a", "*"], &[]),
            ("a*", &["a", "ab", "a*"], &["", "ba"]),
            ("*a", &["a", "ba", "aa"], &["", "ab"]),
            ("a*a", &["aa", "aba", "aaa"], &["a", "ab"]),
            (
                "a*b*c",
                &["abc", "axbxc", "abbcc"],
                &["acb", "ab", "bc", "abcd"],
            ),
            ("a**b", &["ab", "axb"], &["a", "b"]),
            ("*.jpg", &[".jpg", "/x/y.jpg"], &["/x.jpg/y", ".JPG"]),
            ("/a/*/b", &["/a//b", "/a/x/y/b"], &["/a/b", "/a/x/bb"]),
        ] {
            let glob = Glob::new(pattern);
            for text in matching {
                assert!(glob.matches(text.as_bytes()), "{pattern} {text}");
            }
            for text in others {
                assert!(!glob.matches(text.as_bytes()), "{pattern} {text}");
            }
            assert_eq!(glob.to_string(), pattern);
        }
    }

    #[test]
    fn the_first_place_is_as_good_as_any() {
        let glob = Glob::new("*ab*ab*");
        assert!(glob.matches(b"aabxab"));
        assert!(!glob.matches(b"aabxa"));
    }
}
