//! What a cache does differently for a part of a site.

use std::collections::BTreeMap;
use std::time::Duration;

use terrace_core::Level;
use terrace_policy::{AdmissionRule, Placement};

use crate::config::ClientDirectives;
use crate::glob::Glob;
use crate::key::KeyRules;
use crate::upstream::UpstreamGroup;

mod host;
mod set;
mod terms;
mod ttl;

pub use host::HostPattern;
pub(crate) use set::{RuleId, RuleSet};
pub(crate) use terms::{Said, Terms};
pub use ttl::{Statuses, Ttl};

/// The most rules there may be.
pub const MAX_RULES: usize = 4096;

/// Rules for parts of sites, and what holds where none does.
///
/// ```
/// # use std::time::Duration;
/// # use terrace_proxy::{Caching, ConfigError, Glob, ProxyConfig, Rule};
/// let mut images = Rule::new("images");
/// images.host.push("*.example.org".parse()?);
/// images.path.push(Glob::new("/img/*"));
/// images.ttl.min = Some(Duration::from_secs(3600));
///
/// let mut account = Rule::new("account");
/// account.path.push(Glob::new("/account/*"));
/// account.cache = Caching::Bypass;
///
/// let mut config = ProxyConfig::new("127.0.0.1:9000".parse()?);
/// config.rules.list.extend([images, account]);
/// config.validate()?;
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Rules {
    /// The **first** one that matches holds, and no other.
    pub list: Vec<Rule>,
    /// How keys are made where no rule says it.
    pub key: KeyRules,
    /// Hosts that are others by another name: `www.example.org` for `example.org`. Requests for them are treated, and sent
    /// on, as if they were for the canonical host, in rules as well. An exact name counts before a pattern.
    pub host_alias: BTreeMap<HostPattern, String>,
}

/// What a cache does for the requests it matches. What it leaves out stays as the [`ProxyConfig`](crate::ProxyConfig) has it.
///
/// # Which requests it matches
///
/// Those whose host is one of [`host`](Self::host) and whose path is one of [`path`](Self::path). A path that servers
/// may read in several ways (`/a/../b`, `//b`, `/%62`) is matched as it is and as what it may mean; if that
/// leads to different rules, the request passes by the cache, for no rule could be trusted to be the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "config",
    derive(serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
#[non_exhaustive]
pub struct Rule {
    /// What it is called where it is told of.
    pub name: String,
    /// Hosts; all of them if there are none here. The port does not matter.
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::list"))]
    pub host: Vec<HostPattern>,
    /// Paths, without the query: `/img/*`, `*.css`, `/`; all of them if there are none here. Case matters, and `*` passes
    /// over `/`, too.
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::list"))]
    pub path: Vec<Glob>,
    /// The group of [`ProxyConfig::upstreams`](crate::ProxyConfig::upstreams) that its requests go to, by name. Default:
    /// [`ProxyConfig::upstream`](crate::ProxyConfig::upstream).
    pub upstream: Option<String>,
    /// Whether responses are stored at all.
    pub cache: Caching,
    /// A request with a cookie of such a name passes by the cache.
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::list"))]
    pub bypass_cookies: Vec<Glob>,
    /// Lifetimes of responses with a status below 400.
    pub ttl: Ttl,
    /// Lifetimes of responses by status, or class of them; the status counts before its class.
    pub ttl_by_status: BTreeMap<Statuses, Ttl>,
    /// Instead of [`Freshness::stale_while_revalidate`](crate::Freshness::stale_while_revalidate).
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::duration"))]
    pub stale_while_revalidate: Option<Duration>,
    /// Instead of [`Freshness::stale_if_error`](crate::Freshness::stale_if_error).
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::duration"))]
    pub stale_if_error: Option<Duration>,
    /// `Set-Cookie` is taken out of what may be stored, and the rest is stored, whatever else is said of cookies. Nobody
    /// gets the cookie then, also not the client whose request it was.
    pub remove_set_cookie: bool,
    /// Instead of [`ProxyConfig::client_directives`](crate::ProxyConfig::client_directives).
    pub client_directives: Option<ClientDirectives>,
    /// Whether requests wait for another one for the same. Default: true.
    pub collapse: bool,
    /// Where responses are stored.
    pub store: StoreRules,
    /// Instead of [`Rules::key`], all of it.
    pub key: Option<KeyRules>,
}

/// Whether responses are stored at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "config",
    derive(serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Caching {
    /// As the origin says.
    #[default]
    Normal,
    /// Never, and nothing stored is served.
    Bypass,
    /// For as long as [`Rule::ttl`] says, although the origin says nothing, `no-store`, `private` or `no-cache`. Needs
    /// a [`Ttl::fixed`] or a [`Ttl::default`]. What it does not override: `Vary: *`, and requests with `Authorization`.
    ///
    /// **Whatever is personal behind such a rule is handed to strangers.**
    Force,
}

/// Where responses are stored, beside what the [`Policy`](terrace_policy::Policy) says: both must agree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "config",
    derive(serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
#[non_exhaustive]
pub struct StoreRules {
    /// Larger bodies are not stored, in bytes.
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::bytes"))]
    pub max_bytes: Option<u64>,
    /// In these tiers only.
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::levels"))]
    pub tiers: Option<Vec<Level>>,
    /// Below L0, only what was asked for before. Needs a stack that
    /// [counts requests](terrace_policy::PolicyBuilder::count_requests).
    pub second_request: bool,
    /// Below L0, only what will be fresh for at least this long.
    #[cfg_attr(feature = "config", serde(deserialize_with = "crate::human::duration"))]
    pub min_freshness: Option<Duration>,
}

impl Rules {
    /// The first rule that contradicts itself, counted from 1; 0 for what holds without a rule.
    pub fn validate(&self) -> Result<(), (usize, RuleError)> {
        self.key.validate().map_err(|error| (0, error))?;
        for canonical in self.host_alias.values() {
            if http::uri::Authority::try_from(canonical.as_str()).is_err() {
                let what = format!("`host_alias`: {canonical:?} is not HOST or HOST:PORT");
                return Err((0, RuleError::new(what)));
            }
        }
        if self.list.len() > MAX_RULES {
            let what = format!("there are more than {MAX_RULES} rules: put several paths into one");
            return Err((MAX_RULES + 1, RuleError::new(what)));
        }
        for (index, rule) in self.list.iter().enumerate() {
            rule.validate().map_err(|error| (index + 1, error))?;
        }
        Ok(())
    }
}

impl Rule {
    /// A rule for all requests that changes nothing.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// The first thing that contradicts itself.
    pub fn validate(&self) -> Result<(), RuleError> {
        let refused = |what: &str| Err(RuleError::new(what));
        for path in &self.path {
            let text = path.to_string();
            if !text.starts_with(['/', '*']) {
                return refused(&format!(
                    "`path`: {text:?} matches no path: begin with / or *"
                ));
            }
            if !text.is_ascii() || text.contains('\\') {
                return refused(&format!(
                    "`path`: {text:?} matches no path: percent-encode what is not ASCII, in upper case"
                ));
            }
            if text.contains(['?', '#']) {
                return refused(&format!(
                    "`path`: {text:?} matches no path: a rule does not see the query; what of it matters is said by `key.query`"
                ));
            }
        }
        self.ttl.validate("ttl")?;
        for (statuses, ttl) in &self.ttl_by_status {
            ttl.validate(&format!("ttl_by_status.{statuses}"))?;
        }
        let says_how_long = |ttl: &Ttl| ttl.fixed.or(ttl.default).is_some();
        let is_forced = self.cache == Caching::Force;
        if is_forced && !says_how_long(&self.ttl) && !self.ttl_by_status.values().any(says_how_long)
        {
            return refused(
                "`cache = \"force\"` needs `ttl.fixed` or `ttl.default`: for how long?",
            );
        }
        if self.cache == Caching::Bypass && self.stores_something() {
            return refused(
                "`cache = \"bypass\"` stores nothing: `ttl`, `ttl_by_status` and `store` have nothing to do",
            );
        }
        if self.store.tiers.as_ref().is_some_and(Vec::is_empty) {
            return refused("`store.tiers` is empty: write `cache = \"bypass\"` to store nothing");
        }
        if self.store.min_freshness == Some(Duration::ZERO) {
            return refused("`store.min_freshness` is zero: leave it out to store everything");
        }
        self.key.as_ref().map_or(Ok(()), KeyRules::validate)
    }

    /// The group it names must be one of `groups`.
    pub(crate) fn validate_upstream(
        &self,
        groups: &BTreeMap<String, UpstreamGroup>,
    ) -> Result<(), RuleError> {
        match &self.upstream {
            Some(name) if !groups.contains_key(name) => {
                let known: Vec<_> = groups.keys().map(String::as_str).collect();
                let known = match known.as_slice() {
                    [] => "there is none".to_owned(),
                    known => format!("there is {}", known.join(", ")),
                };
                Err(RuleError::new(format!(
                    "`upstream`: {name:?} is no group of upstreams: {known}"
                )))
            }
            _ => Ok(()),
        }
    }

    fn stores_something(&self) -> bool {
        let is_said = self.ttl != Ttl::default() || !self.ttl_by_status.is_empty();
        is_said || self.store != StoreRules::default()
    }
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            name: String::new(),
            host: Vec::new(),
            path: Vec::new(),
            upstream: None,
            cache: Caching::default(),
            bypass_cookies: Vec::new(),
            ttl: Ttl::default(),
            ttl_by_status: BTreeMap::new(),
            stale_while_revalidate: None,
            stale_if_error: None,
            remove_set_cookie: false,
            client_directives: None,
            collapse: true,
            store: StoreRules::default(),
            key: None,
        }
    }
}

impl StoreRules {
    fn placement(&self) -> Placement {
        let mut placement = Placement::default();
        if let Some(levels) = &self.tiers {
            placement = placement.only(levels);
        }
        if let Some(bytes) = self.max_bytes {
            placement = placement.max_bytes(bytes);
        }
        let second = self.second_request.then_some(AdmissionRule::SecondRequest);
        let fresh = self.min_freshness.map(AdmissionRule::MinFreshness);
        for rule in second.into_iter().chain(fresh) {
            // The one rule that is refused, a freshness of zero, is no condition.
            placement = placement.admission(rule).unwrap_or(placement);
        }
        placement
    }
}

/// What is wrong with a rule, and under which key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RuleError(String);

impl RuleError {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}
