use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use terrace_policy::Placement;

use super::{Caching, Rule, Statuses, Ttl};
use crate::config::{ClientDirectives, Freshness, ProxyConfig, SetCookie};
use crate::glob::Glob;
use crate::key::{KeyRules, has_cookie};

/// What holds for a request: a rule, and the configuration for what it leaves out.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) name: String,
    /// The group of upstreams, if it is not the default one.
    pub(crate) upstream: Option<String>,
    caching: Caching,
    bypass_cookies: Vec<Glob>,
    /// With this rule's stale windows.
    pub(crate) freshness: Freshness,
    pub(crate) set_cookie: SetCookie,
    pub(crate) remove_set_cookie: bool,
    pub(crate) max_vary: usize,
    /// Fields of a request that tell clients apart.
    pub(crate) personal: &'static [&'static str],
    pub(crate) client_directives: ClientDirectives,
    pub(crate) collapse: bool,
    pub(crate) placement: Placement,
    /// Larger bodies are not stored.
    pub(crate) max_bytes: u64,
    pub(crate) key: KeyRules,
    ttl: Ttl,
    by_status: BTreeMap<Statuses, Ttl>,
}

/// The lifetime of a response, as far as the origin and the proxy's configuration say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) lifetime: Option<Duration>,
    /// The origin said it; it was not assumed.
    pub(crate) is_explicit: bool,
    /// Its status may be cached without a lifetime (RFC 9110, 15.1).
    pub(crate) may_be_assumed: bool,
}
impl Terms {
    pub(crate) fn new(config: &ProxyConfig, rule: &Rule) -> Self {
        let mut freshness = config.freshness.clone();
        if let Some(window) = rule.stale_while_revalidate {
            freshness.stale_while_revalidate = window;
        }
        if let Some(window) = rule.stale_if_error {
            freshness.stale_if_error = window;
        }
        Self {
            name: rule.name.clone(),
            upstream: rule.upstream.clone(),
            caching: rule.cache,
            bypass_cookies: rule.bypass_cookies.clone(),
            freshness,
            set_cookie: config.set_cookie,
            remove_set_cookie: rule.remove_set_cookie,
            max_vary: config.max_vary,
            personal: config.forwarding.personal(),
            client_directives: rule.client_directives.unwrap_or(config.client_directives),
            collapse: rule.collapse,
            placement: rule.store.placement(),
            max_bytes: rule.store.max_bytes.unwrap_or(u64::MAX),
            key: rule.key.clone().unwrap_or_else(|| config.rules.key.clone()),
            ttl: rule.ttl,
            by_status: rule.ttl_by_status.clone(),
        }
    }

    /// Why a request with these headers passes by the cache, if it does.
    pub(crate) fn bypass(&self, headers: &HeaderMap) -> Option<&'static str> {
        if self.caching == Caching::Bypass {
            return Some("rule");
        }
        has_cookie(headers, &self.bypass_cookies).then_some("cookie")
    }

    /// Whether the origin's `no-store`, `private` and `no-cache` do not count.
    pub(crate) fn is_forced(&self) -> bool {
        self.caching == Caching::Force
    }

    /// For how long a response is good; `None` if nothing says it.
    pub(crate) fn lifetime(&self, status: StatusCode, said: Said) -> Option<Duration> {
        let code = status.as_u16();
        let of_class = || self.by_status.get(&Statuses::Class(code / 100));
        let named = self.by_status.get(&Statuses::One(code)).or_else(of_class);
        let Some(ttl) = named.or((code < 400).then_some(&self.ttl)) else {
            return said.lifetime;
        };
        // Whoever names a status has thought of it.
        let may_be_assumed = said.may_be_assumed || named.is_some();
        // Zero says that it is not to be cached, only more politely.
        let explicit = said
            .lifetime
            .filter(|it| !(self.is_forced() && it.is_zero()));
        let explicit = explicit.filter(|_| said.is_explicit);
        if let Some(fixed) = ttl.fixed
            && (explicit.is_some() || may_be_assumed)
        {
            return Some(fixed);
        }
        let assumed = || ttl.default.filter(|_| may_be_assumed).or(said.lifetime);
        explicit
            .or_else(assumed)
            .map(|lifetime| ttl.bound(lifetime))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn terms(change: impl FnOnce(&mut Rule)) -> Terms {
        let mut rule = Rule::new("it");
        change(&mut rule);
        rule.validate().unwrap();
        Terms::new(&ProxyConfig::new("127.0.0.1:9000".parse().unwrap()), &rule)
    }

    fn lifetime(terms: &Terms, status: u16, explicit: Option<u32>) -> Option<u64> {
        let said = Said {
            lifetime: explicit.map(|it| SECOND * it),
            is_explicit: explicit.is_some(),
            may_be_assumed: matches!(status, 200 | 301 | 404),
        };
        let status = StatusCode::from_u16(status).unwrap();
        Some(terms.lifetime(status, said)?.as_secs())
    }

    #[test]
    fn a_rule_that_says_nothing_changes_nothing() {
        let terms = terms(|_| {});
        assert_eq!(lifetime(&terms, 200, Some(5)), Some(5));
        assert_eq!(lifetime(&terms, 200, None), None);
        assert_eq!(lifetime(&terms, 500, Some(5)), Some(5));
    }

    #[test]
    fn lifetimes_are_bounded_and_errors_are_left_alone() {
        let terms = terms(|rule| {
            rule.ttl.min = Some(SECOND * 10);
            rule.ttl.max = Some(SECOND * 20);
            rule.ttl.default = Some(SECOND * 100);
        });
        assert_eq!(lifetime(&terms, 200, Some(5)), Some(10));
        assert_eq!(lifetime(&terms, 200, Some(15)), Some(15));
        assert_eq!(lifetime(&terms, 200, Some(50)), Some(20));
        assert_eq!(lifetime(&terms, 200, None), Some(20));
        assert_eq!(lifetime(&terms, 302, None), None);
        assert_eq!(lifetime(&terms, 404, Some(5)), Some(5));
        assert_eq!(lifetime(&terms, 404, None), None);
    }

    #[test]
    fn a_fixed_lifetime_overrides_the_origin() {
        let terms = terms(|rule| rule.ttl.fixed = Some(SECOND * 7));
        assert_eq!(lifetime(&terms, 200, Some(5)), Some(7));
        assert_eq!(lifetime(&terms, 200, Some(0)), Some(7));
        assert_eq!(lifetime(&terms, 200, None), Some(7));
        assert_eq!(lifetime(&terms, 302, Some(5)), Some(7));
        assert_eq!(lifetime(&terms, 302, None), None);
        assert_eq!(lifetime(&terms, 404, None), None);
    }

    #[test]
    fn a_status_counts_before_its_class() {
        let terms = terms(|rule| {
            let ttl = |default| Ttl {
                default: Some(SECOND * default),
                ..Ttl::default()
            };
            rule.ttl_by_status = BTreeMap::from([
                (Statuses::Class(4), ttl(4)),
                (Statuses::One(404), ttl(44)),
                (Statuses::One(302), ttl(3)),
            ]);
        });
        assert_eq!(lifetime(&terms, 404, None), Some(44));
        assert_eq!(lifetime(&terms, 403, None), Some(4));
        assert_eq!(lifetime(&terms, 403, Some(9)), Some(9));
        assert_eq!(lifetime(&terms, 302, None), Some(3));
        assert_eq!(lifetime(&terms, 500, None), None);
    }

    #[test]
    fn what_is_forced_is_not_kept_from_it_by_a_zero() {
        let terms = terms(|rule| {
            rule.cache = Caching::Force;
            rule.ttl.default = Some(SECOND * 9);
        });
        assert_eq!(lifetime(&terms, 200, Some(0)), Some(9));
        assert_eq!(lifetime(&terms, 200, Some(5)), Some(5));
    }
}
