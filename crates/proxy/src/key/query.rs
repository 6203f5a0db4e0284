//! Which parameters of a query matter.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::glob::Glob;
use crate::rules::RuleError;

/// What of a query names what is stored. By default all of it, byte for byte.
///
/// Parameters are what `&` separates. Their names are compared decoded (`utm%5Fid` is `utm_id`); what remains is left as it
/// was written. A parameter with a `;` in it is never left out, because some origins end a parameter there, and would
/// read another one behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "config",
    derive(serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
#[non_exhaustive]
pub struct QueryRules {
    /// The query does not matter at all.
    pub ignore: bool,
    /// Only these parameters matter. Not together with [`drop`](Self::drop).
    #[cfg_attr(
        feature = "config",
        serde(deserialize_with = "crate::human::some_list")
    )]
    pub keep: Option<Vec<Glob>>,
    /// These parameters do not matter: `utm_*`, `fbclid`.
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::list"))]
    pub drop: Vec<Glob>,
    /// The order of parameters of different names does not matter. That of parameters of one name always does.
    pub sort: bool,
}

impl QueryRules {
    pub(crate) fn validate(&self) -> Result<(), RuleError> {
        let refused = |what: &str| Err(RuleError::new(what));
        let says_more = self.keep.is_some() || !self.drop.is_empty() || self.sort;
        if self.ignore && says_more {
            return refused("`key.query.ignore` leaves nothing for `keep`, `drop` or `sort` to do");
        }
        if self.keep.is_some() && !self.drop.is_empty() {
            return refused(
                "`key.query.keep` leaves out all others already: `drop` has nothing to do",
            );
        }
        if self.keep.as_ref().is_some_and(Vec::is_empty) {
            return refused(
                "`key.query.keep` is empty: write `ignore = true` to leave out all parameters",
            );
        }
        Ok(())
    }

    /// What matters of `query`, and nothing if none of it does. Applied to its own result, it changes nothing.
    pub(crate) fn normal<'a>(&self, query: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        if self.ignore {
            return None;
        }
        if !self.sort && self.keep.is_none() && self.drop.is_empty() {
            return Some(Cow::Borrowed(query));
        }
        if self.is_normal(query) {
            return Some(Cow::Borrowed(query));
        }
        let all = query.split(|&byte| byte == b'&');
        let mut kept: Vec<&[u8]> = all.filter(|it| self.matters(it)).collect();
        if self.sort {
            // Stable, for the first of a name may be another than the last.
            kept.sort_by_cached_key(|it| name(it).into_owned());
        }
        (!kept.is_empty()).then(|| Cow::Owned(kept.join(&b'&')))
    }

    fn is_normal(&self, query: &[u8]) -> bool {
        let parameters = || query.split(|&byte| byte == b'&');
        parameters().all(|it| self.matters(it))
            && (!self.sort || parameters().is_sorted_by(|a, b| name(a) <= name(b)))
    }

    fn matters(&self, parameter: &[u8]) -> bool {
        if parameter.is_empty() {
            return false;
        }
        if parameter.contains(&b';') {
            return true;
        }
        let name = name(parameter);
        match &self.keep {
            Some(keep) => Glob::any(keep, &name),
            None => !Glob::any(&self.drop, &name),
        }
    }
}

/// Decoded, as an origin reads it.
fn name(parameter: &[u8]) -> Cow<'_, [u8]> {
    let end = parameter.iter().position(|&byte| byte == b'=');
    let name = &parameter[..end.unwrap_or(parameter.len())];
    if !name.contains(&b'+') {
        return percent_decode(name).into();
    }
    let spaced: Vec<u8> = name
        .iter()
        .map(|&byte| if byte == b'+' { b' ' } else { byte })
        .collect();
    Cow::Owned(percent_decode(&spaced).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(texts: &[&str]) -> Vec<Glob> {
        texts.iter().map(|text| Glob::new(text)).collect()
    }

    fn normal(rules: &QueryRules, query: &str) -> Option<String> {
        let normal = rules.normal(query.as_bytes())?;
        Some(String::from_utf8(normal.into_owned()).unwrap())
    }

    #[test]
    fn what_is_dropped_does_not_matter() {
        let rules = QueryRules {
            drop: globs(&["utm_*", "fbclid"]),
            ..QueryRules::default()
        };
        for (query, expected) in [
            ("a=1", Some("a=1")),
            ("utm_source=x&a=1&fbclid=y&b", Some("a=1&b")),
            ("utm%5Fsource=x&utm_%73ource", None),
            ("fbclid", None),
            ("xfbclid&FBCLID", Some("xfbclid&FBCLID")),
            ("a&&b&", Some("a&b")),
            ("utm_x=1;a=2", Some("utm_x=1;a=2")),
            ("%75tm_x=%20", None),
            ("", None),
            ("=v", Some("=v")),
        ] {
            assert_eq!(normal(&rules, query).as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn what_is_not_kept_does_not_matter() {
        let rules = QueryRules {
            keep: Some(globs(&["page", "q*"])),
            ..QueryRules::default()
        };
        for (query, expected) in [
            ("page=1&x=2&q=3", Some("page=1&q=3")),
            ("p%61ge=1", Some("p%61ge=1")),
            ("x=1;page=2", Some("x=1;page=2")),
            ("x=1", None),
        ] {
            assert_eq!(normal(&rules, query).as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn only_different_names_are_sorted() {
        let rules = QueryRules {
            sort: true,
            ..QueryRules::default()
        };
        for (query, expected) in [
            ("b=1&a=2", "a=2&b=1"),
            ("a=2&b&a=1", "a=2&a=1&b"),
            ("%62=1&a=2&b=0", "a=2&%62=1&b=0"),
            ("a+b=1&a%20b=0", "a+b=1&a%20b=0"),
        ] {
            assert_eq!(normal(&rules, query).as_deref(), Some(expected), "{query}");
        }
    }

    #[test]
    fn nothing_happens_unasked() {
        let rules = QueryRules::default();
        assert_eq!(normal(&rules, "b&a&&").as_deref(), Some("b&a&&"));
        assert_eq!(normal(&rules, "").as_deref(), Some(""));
    }

    #[test]
    fn an_ignored_query_is_gone() {
        let rules = QueryRules {
            ignore: true,
            ..QueryRules::default()
        };
        assert_eq!(normal(&rules, "a=1"), None);
    }
}
