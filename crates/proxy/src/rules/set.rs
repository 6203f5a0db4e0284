use std::borrow::Cow;
use std::collections::HashMap;

use http::{HeaderMap, Method, header};
use pingora::Result;
use pingora::cache::CacheKey;
use pingora::cache::key::HashBinary;
use pingora::http::RequestHeader;

use super::{HostPattern, Rule, Terms};
use crate::config::ProxyConfig;
use crate::glob::Glob;
use crate::key::path::{PathRules, is_plain};
use crate::key::{Scheme, authority, normal_authority, split};

/// Which rule holds for a request. Of another proxy it means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RuleId(u16);

/// Rules, made ready to be matched: a request costs a look into a table by its host, and a comparison with each path of
/// the rules that are left, without allocating.
#[derive(Debug)]
pub(crate) struct RuleSet {
    /// What holds without a rule, then for each rule.
    terms: Vec<Terms>,
    matchers: Vec<Matcher>,
    /// For each host that a rule names, the rules that may be for it, in order.
    by_host: HashMap<Box<[u8]>, Box<[RuleId]>>,
    /// For all others: rules with patterns, or for any host.
    elsewhere: Box<[RuleId]>,
    aliases: Vec<(HostPattern, String)>,
}

#[derive(Debug)]
struct Matcher {
    host: Vec<HostPattern>,
    path: Vec<Glob>,
}

/// What became of a request when its rule was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) rule: RuleId,
    /// It can be read in two ways, for which different rules hold.
    pub(crate) is_ambiguous: bool,
}

impl RuleSet {
    /// `config` is valid.
    pub(crate) fn new(config: &ProxyConfig) -> Self {
        let list = &config.rules.list;
        let all: Vec<RuleId> = (1..=list.len())
            .filter_map(|number| u16::try_from(number).ok().map(RuleId))
            .collect();
        let matchers: Vec<_> = list.iter().map(Matcher::new).collect();
        let possible = |may_be: &dyn Fn(&Rule) -> bool| -> Box<[RuleId]> {
            let rules = all.iter().zip(list);
            let possible = rules.filter(|(_, rule)| may_be(rule));
            possible.map(|(id, _)| *id).collect()
        };
        let named = list.iter().flat_map(|rule| &rule.host);
        let by_host = named.filter_map(HostPattern::exact).map(|host| {
            let is_for = |rule: &Rule| {
                rule.host.is_empty() || rule.host.iter().any(|pattern| pattern.matches(host))
            };
            (host.into(), possible(&is_for))
        });
        let by_host = by_host.collect();
        let is_open = |rule: &Rule| {
            let is_pattern = |pattern: &HostPattern| pattern.exact().is_none();
            rule.host.is_empty() || rule.host.iter().any(is_pattern)
        };
        let mut aliases: Vec<_> = config.rules.host_alias.clone().into_iter().collect();
        aliases.sort_by_key(|(pattern, _)| pattern.exact().is_none());
        let otherwise = Rule::new("");
        let rules = std::iter::once(&otherwise).chain(list);
        Self {
            terms: rules.map(|rule| Terms::new(config, rule)).collect(),
            matchers,
            by_host,
            elsewhere: possible(&is_open),
            aliases,
        }
    }

    /// What holds by `rule`.
    pub(crate) fn terms(&self, rule: RuleId) -> &Terms {
        // Ids are made here only; the first is always there.
        let terms = self.terms.get(usize::from(rule.0));
        terms.unwrap_or(&self.terms[0])
    }

    /// Finds the rule for a request, and makes it what the key says: its host by its canonical name, and its path and
    /// query as far as they matter.
    pub(crate) fn settle(&self, scheme: Scheme, req: &mut RequestHeader) -> Result<Settled> {
        if let Some(canonical) = self.canonical(scheme, req) {
            let target = req.raw_path().to_vec();
            readdress(req, canonical.as_bytes(), &target)?;
        }
        let (path, _) = split(req.raw_path());
        let settled = self.find(authority(req), path);
        let is_asked_for = matches!(req.method, Method::GET | Method::HEAD) || is_purge(req);
        let key = &self.terms(settled.rule).key;
        if !settled.is_ambiguous && is_asked_for && key.rewrite {
            let target = key.target(req.raw_path());
            if *target != *req.raw_path() {
                let (host, target) = (authority(req).to_vec(), target.into_owned());
                readdress(req, &host, &target)?;
            }
        }
        Ok(settled)
    }

    /// The cache key of what `req` asks for.
    pub(crate) fn key(&self, scheme: Scheme, req: &RequestHeader) -> CacheKey {
        let (path, _) = split(req.raw_path());
        let Settled { rule, .. } = self.find(authority(req), path);
        self.key_by(rule, scheme, req)
    }

    /// As [`key`](Self::key), where it is known which rule holds.
    pub(crate) fn key_by(&self, rule: RuleId, scheme: Scheme, req: &RequestHeader) -> CacheKey {
        let key = &self.terms(rule).key;
        key.key(scheme, authority(req), req.raw_path(), &req.headers)
    }

    /// The variant that a request selects: by what `Vary` names, and by what its rule does.
    pub(crate) fn variance(
        &self,
        rule: RuleId,
        of_vary: Option<HashBinary>,
        headers: &HeaderMap,
    ) -> Option<HashBinary> {
        self.terms(rule).key.variance(of_vary, headers)
    }

    fn canonical(&self, scheme: Scheme, req: &RequestHeader) -> Option<&str> {
        if self.aliases.is_empty() {
            return None;
        }
        let authority = normal_authority(scheme, authority(req));
        let name = authority.strip_suffix(b".").unwrap_or(&authority);
        let mut aliases = self.aliases.iter();
        let (_, canonical) = aliases.find(|(pattern, _)| pattern.matches(name))?;
        Some(canonical)
    }

    fn find(&self, authority: &[u8], path: &[u8]) -> Settled {
        let certain = |rule| Settled {
            rule,
            is_ambiguous: false,
        };
        if self.matchers.is_empty() {
            return certain(RuleId::default());
        }
        let host = host(authority);
        let candidates = self.by_host.get(&*host).unwrap_or(&self.elsewhere);
        let first = |path: &[u8]| {
            let mut candidates = candidates.iter();
            let found = candidates.find(|id| {
                let matcher = self.matchers.get(usize::from(id.0).wrapping_sub(1));
                matcher.is_some_and(|it| it.matches(&host, path))
            });
            found.copied().unwrap_or_default()
        };
        let as_sent = first(path);
        if is_plain(path) {
            return certain(as_sent);
        }
        let as_meant = first(&PathRules::ALL.normal(path));
        Settled {
            rule: as_sent,
            is_ambiguous: as_sent != as_meant,
        }
    }
}

impl Matcher {
    fn new(rule: &Rule) -> Self {
        Self {
            host: rule.host.clone(),
            path: rule.path.clone(),
        }
    }

    fn matches(&self, host: &[u8], path: &[u8]) -> bool {
        (self.host.is_empty() || self.host.iter().any(|it| it.matches(host)))
            && (self.path.is_empty() || Glob::any(&self.path, path))
    }
}

/// The host of an authority: in lower case, without port, without the dot that makes a name absolute.
fn host(authority: &[u8]) -> Cow<'_, [u8]> {
    let colon = authority.iter().rposition(|&byte| byte == b':');
    let bracket = authority.iter().rposition(|&byte| byte == b']');
    let host = match colon {
        Some(colon) if Some(colon) > bracket => &authority[..colon],
        _ => authority,
    };
    let host = host.strip_suffix(b".").unwrap_or(host);
    if host.iter().any(u8::is_ascii_uppercase) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

/// Makes `req` one for another host or target. The target loses its authority, if it had one: the `Host` says it.
fn readdress(req: &mut RequestHeader, host: &[u8], target: &[u8]) -> Result<()> {
    req.insert_header(header::HOST, host)?;
    req.set_raw_path(target)
}

fn is_purge(req: &RequestHeader) -> bool {
    req.method.as_str() == "PURGE"
}

#[cfg(test)]
mod tests;
