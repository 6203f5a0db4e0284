use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use secrecy::{ExposeSecret, SecretString};
use terrace_core::{Clock, SystemClock};

use crate::access_log::AccessLog;
use crate::error::ConfigError;
use crate::forwarding::Forwarding;
use crate::rules::Rules;
use crate::upstream::{DEFAULT_GROUP, Upstream, UpstreamGroup};

/// How a [`CachingProxy`](crate::CachingProxy) behaves. Checked by [`CachingProxy::new`](crate::CachingProxy::new).
///
/// ```
/// # use terrace_proxy::{ConfigError, ProxyConfig};
/// let mut config = ProxyConfig::new("127.0.0.1:9000".parse()?);
/// config.max_ranges = 8;
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProxyConfig {
    /// Where responses come from, unless a rule names another group.
    pub upstream: UpstreamGroup,
    /// The groups that rules can name. Default: none.
    pub upstreams: BTreeMap<String, UpstreamGroup>,
    /// What the cache is called in `Cache-Status` and `Via`. Default: `terrace`.
    pub name: String,
    /// For how long responses are good.
    pub freshness: Freshness,
    /// When a response that sets a cookie is stored. Default: [`SetCookie::Explicit`].
    pub set_cookie: SetCookie,
    /// Whether a client may demand that the origin be asked. Default: [`ClientDirectives::Honour`].
    pub client_directives: ClientDirectives,
    /// How long one request may fetch what others wait for, before one of them is sent to the origin, too. The
    /// wait ends when the origin's header is here; the body is shared while it comes. Default: 15 s.
    pub lock_age: Duration,
    /// How long a request waits in all for others to fetch what it wants, before it goes to the origin by itself,
    /// uncached. Default: 30 s.
    pub lock_wait: Duration,
    /// How long a client may take to accept the next piece of a response, of 256 KiB at most from the tiers. One that takes
    /// longer is cut off, because what it has not read takes up memory or disk. Default: 60 s.
    pub send_timeout: Duration,
    /// The most ranges one request may ask for; with more, the whole body is sent. Default: 32.
    pub max_ranges: usize,
    /// The most headers a response may name in `Vary`; with more, it is not stored. Default: 16.
    pub max_vary: usize,
    /// The most variants of one URL that this process lets in while the earlier ones may be served; one more is not
    /// stored. Default: 128.
    pub max_variants: usize,
    /// The most revalidations in the background at a time; beyond it, a stale hit is revalidated before it
    /// is served. Default: 256.
    pub max_background: usize,
    /// How many URLs are remembered as uncacheable, so that requests for them do not wait for each
    /// other. Default: 65,536, at about 100 bytes each.
    pub remembered_uncacheable: usize,
    /// What differs for parts of sites, and how keys are made. Default: nothing, and of scheme, host, path and query as they
    /// were sent.
    pub rules: Rules,
    /// For how many keys the last answer is remembered, for `/explain`; 0 for none. Default: 4,096, at about 250 bytes
    /// each.
    pub remembered_decisions: usize,
    /// Where each request is written down. Default: nowhere.
    pub access_log: Option<AccessLog>,
    /// Who may purge.
    pub purge: PurgeConfig,
    /// What upstreams are told of the client that a request comes from.
    pub forwarding: Forwarding,
    /// Tells the time. Default: the operating system's clock.
    pub clock: Arc<dyn Clock>,
}

/// For how long responses are good, where the origin's `Cache-Control` and `Expires` do not say; and where
/// it says it.
///
/// Lifetimes of a response, the first that there is: the origin's, [`by_status`](Self::by_status), the guess from
/// `Last-Modified`, [`default_ttl`](Self::default_ttl). The latter two are for statuses that may be cached without a
/// lifetime (200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501), and for responses that are `public`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Freshness {
    /// Fields that are read instead of `Cache-Control` and `Expires` if they are there and valid, the first before
    /// the others (RFC 9213). Default: `Terrace-CDN-Cache-Control`, `CDN-Cache-Control`.
    pub targets: Vec<HeaderName>,
    /// For negative and other answers that have no lifetime: how long they are good, by status. It is the operator's
    /// word, so any final status can be named, but 206 and 304. Default: none.
    pub by_status: BTreeMap<u16, Duration>,
    /// How much of the time for which a response had not changed when it was made it is taken to stay as it is, in percent
    /// (RFC 9111, 4.2.2). 0: nothing is guessed. Default: 10.
    pub heuristic_percent: u8,
    /// The longest lifetime that is guessed. Default: one day.
    pub heuristic_max: Duration,
    /// How long a response is fresh about which nothing else is known. Default: `None`, it is not stored.
    pub default_ttl: Option<Duration>,
    /// How long a stale response is served while it is revalidated in the background, where the origin does not say.
    /// Whole seconds. Default: none.
    pub stale_while_revalidate: Duration,
    /// How long a stale response is served because the origin cannot be reached or answers 500, 502, 503 or 504, where
    /// the origin does not say, and does not forbid it. Whole seconds. Default: one hour.
    pub stale_if_error: Duration,
}

/// When a response with `Set-Cookie` is stored, cookie and all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "config",
    derive(serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum SetCookie {
    /// If the origin says how long it is good. What RFC 9111, 7.3 describes.
    #[default]
    Explicit,
    /// If the origin says besides that it is for everyone: by `public`, `s-maxage` or a targeted field. For origins that
    /// put cookies of sessions on whatever they answer.
    Public,
}

/// Whether `Cache-Control: no-cache`, `max-age`, `min-fresh` and `max-stale`, and `Pragma: no-cache`, in a request are
/// heeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "config",
    derive(serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum ClientDirectives {
    /// They make the cache ask the origin. What RFC 9111 describes.
    #[default]
    Honour,
    /// They are ignored, so that no client can make the origin work. What many delivery networks do.
    Ignore,
}

/// Who may purge: whoever connects from an allowed address, or knows the token.
///
/// The address is the peer of the connection, never what a header claims. **Behind another proxy on the same
/// machine every client comes from the loopback address**: then empty [`allowed`](Self::allowed) and
/// set a [`token`](Self::token).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PurgeConfig {
    /// Networks that may purge without a token. Default: `127.0.0.0/8` and `::1/128`.
    pub allowed: Vec<IpNet>,
    /// `Authorization: Bearer <token>` purges from anywhere. Default: none.
    pub token: Option<SecretString>,
}

impl ProxyConfig {
    /// The defaults, for one `upstream`.
    pub fn new(upstream: Upstream) -> Self {
        Self::with_group(upstream.into())
    }

    /// The defaults, for several upstreams.
    pub fn with_group(upstream: UpstreamGroup) -> Self {
        Self {
            upstream,
            upstreams: BTreeMap::new(),
            name: "terrace".to_owned(),
            freshness: Freshness::default(),
            set_cookie: SetCookie::default(),
            client_directives: ClientDirectives::default(),
            lock_age: Duration::from_secs(15),
            lock_wait: Duration::from_secs(30),
            send_timeout: Duration::from_mins(1),
            max_ranges: 32,
            max_vary: 16,
            max_variants: 128,
            max_background: 256,
            remembered_uncacheable: 1 << 16,
            rules: Rules::default(),
            remembered_decisions: 1 << 12,
            access_log: None,
            purge: PurgeConfig::default(),
            forwarding: Forwarding::default(),
            clock: Arc::new(SystemClock),
        }
    }

    /// The first thing that is wrong with it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !is_name(&self.name) {
            return Err(ConfigError::Name(self.name.clone()));
        }
        for (what, duration) in [
            ("lock_age", self.lock_age),
            ("lock_wait", self.lock_wait),
            ("send_timeout", self.send_timeout),
        ] {
            not_zero(what, !duration.is_zero())?;
        }
        not_zero("max_ranges", self.max_ranges > 0)?;
        not_zero("max_vary", self.max_vary > 0)?;
        not_zero("max_variants", self.max_variants > 0)?;
        not_zero("remembered_uncacheable", self.remembered_uncacheable > 0)?;
        self.freshness.validate()?;
        self.upstream.validate()?;
        for (name, group) in &self.upstreams {
            if !is_name(name) || name == DEFAULT_GROUP {
                return Err(ConfigError::GroupName(name.clone()));
            }
            group.validate()?;
        }
        let rules = self.rules.validate();
        rules.map_err(|(number, source)| ConfigError::Rule { number, source })?;
        for (rule, number) in self.rules.list.iter().zip(1..) {
            let found = rule.validate_upstream(&self.upstreams);
            found.map_err(|source| ConfigError::Rule { number, source })?;
        }
        self.purge.validate()
    }
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            targets: ["terrace-cdn-cache-control", "cdn-cache-control"]
                .map(HeaderName::from_static)
                .into(),
            by_status: BTreeMap::new(),
            heuristic_percent: 10,
            heuristic_max: Duration::from_hours(24),
            default_ttl: None,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::from_hours(1),
        }
    }
}

impl Freshness {
    fn validate(&self) -> Result<(), ConfigError> {
        let is_storable =
            |status: &u16| matches!(status, 200..=599) && ![206, 304].contains(status);
        let odd = self.by_status.keys().find(|status| !is_storable(status));
        odd.map_or(Ok(()), |status| Err(ConfigError::Status(*status)))
    }
}

impl Default for PurgeConfig {
    fn default() -> Self {
        let v4 = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
        let v6 = Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128);
        Self {
            allowed: vec![v4.into(), v6.into()],
            token: None,
        }
    }
}

impl PurgeConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        let sendable = |token: &SecretString| {
            let token = token.expose_secret();
            !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        match &self.token {
            Some(token) if !sendable(token) => Err(ConfigError::Token),
            _ => Ok(()),
        }
    }
}

pub(crate) fn not_zero(what: &'static str, holds: bool) -> Result<(), ConfigError> {
    if holds {
        Ok(())
    } else {
        Err(ConfigError::Zero(what))
    }
}

/// What is both a structured-field token (RFC 8941) and a pseudonym for `Via` (RFC 9110).
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ProxyConfig {
        ProxyConfig::new("127.0.0.1:9000".parse().unwrap())
    }

    #[test]
    fn the_default_is_valid() {
        config().validate().unwrap();
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        type Break = fn(&mut ProxyConfig);
        let broken: [(&str, Break); 12] = [
            ("elsewhere", |c| {
                let mut rule = crate::Rule::new("it");
                rule.upstream = Some("elsewhere".into());
                c.rules.list.push(rule);
            }),
            ("304", |c| {
                c.freshness.by_status = [(304, Duration::from_secs(1))].into();
            }),
            ("lock_age", |c| c.lock_age = Duration::ZERO),
            ("lock_wait", |c| c.lock_wait = Duration::ZERO),
            ("send_timeout", |c| c.send_timeout = Duration::ZERO),
            ("max_ranges", |c| c.max_ranges = 0),
            ("max_vary", |c| c.max_vary = 0),
            ("max_variants", |c| c.max_variants = 0),
            ("read_timeout", |c| {
                c.upstream.servers[0].read_timeout = Duration::ZERO;
            }),
            ("default", |c| {
                let group = c.upstream.clone();
                c.upstreams.insert("default".into(), group);
            }),
            ("token", |c| c.purge.token = Some("a b".into())),
            ("a;b", |c| c.name = "a;b".into()),
        ];
        for (named, change) in broken {
            let mut config = config();
            change(&mut config);
            let error = config.validate().unwrap_err().to_string();
            assert!(error.contains(named), "{named} is not in {error}");
        }
    }

    #[test]
    fn the_token_is_never_printed() {
        let mut config = config();
        config.purge.token = Some("canary-4711".into());
        assert!(!format!("{config:?}").contains("canary"));
    }
}
