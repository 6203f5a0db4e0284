//! [`CachingProxy`]: a caching reverse proxy, ready to be hosted by a [Pingora](https://docs.rs/pingora) server, over
//! the tiers of [Terrace](https://docs.rs/terrace).
//!
//! | you want to | read |
//! |---|---|
//! | proxy and cache one upstream | [`CachingProxy`], [`ProxyConfig`], [`Upstream`] |
//! | share the load among several, and do without those that fail | [`UpstreamGroup`], [`UpstreamService`] |
//! | use TLS, and HTTP/2 | [`ServerCertificate`], [`CertificateWatch`], [`Http2`], [`UpstreamTls`], [`Protocol`] |
//! | give it its tiers, on a runtime of their own | [`StackService`] |
//! | face clients that mean no good | [`Connections`], [`ConnectionLimits`] |
//! | tell upstreams whom a request comes from | [`Forwarding`] |
//! | let operators purge | [`PurgeConfig`] |
//! | see what happens | [`Admin`], and the tables of headers and metrics in the README |
//! | read its options from a file | `settings`, with the feature `config` |
//! | say what is cached how, by host and path, and what keys are made of | [`Rules`], [`Rule`], [`KeyRules`] |
//! | name a URL's cache key from outside | [`cache_key`], [`Scheme`] |
//!
//! ```no_run
//! use pingora::prelude::*;
//! use terrace_pingora::TerraceStorage;
//! use terrace_proxy::{CachingProxy, ConnectionLimits, Connections, ProxyConfig, StackService};
//!
//! static STORAGE: TerraceStorage = TerraceStorage::new();
//!
//! # async fn open_tiers(_: tokio::runtime::Handle) -> Result<terrace_tiers::Stack, std::io::Error> { unimplemented!() }
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut server = Server::new(None)?;
//!     let config = ProxyConfig::new("origin.example:80".parse()?);
//!     let proxy = CachingProxy::new(&STORAGE, config)?;
//!
//!     let stack = StackService::new(&STORAGE, open_tiers).wait_for(proxy.in_flight());
//!     let upstreams = proxy.upstreams();
//!     let proxy = pingora::proxy::http_proxy(&server.configuration, proxy);
//!     let mut service = Connections::new(proxy, ConnectionLimits::default()).into_service("proxy");
//!     service.add_tcp("127.0.0.1:8080");
//!
//!     let stack = server.add_service(background_service("tiers", stack));
//!     server.add_service(background_service("upstreams", upstreams));
//!     server.add_service(service).add_dependency(&stack);
//!     server.bootstrap();
//!     server.run_forever()
//! }
//! ```
//!
//! # What it promises
//!
//! - What it stores is what the origin allowed a shared cache to store, and whole: a response that ends only with its
//!   connection is passed on, never stored, because nobody can tell whether it was cut short (P1).
//! - Two requests share an answer only if method class, scheme, authority, path, query and every header
//!   the origin named in `Vary` are the same (P10).
//! - `PURGE` answers 200 or 404 only if every tier did it (P3).
//! - A hit whose tiers all fail midway is continued from the origin, verified against the stored checksums.

mod access_log;
mod admin;
mod cacheability;
mod conditions;
mod config;
mod confirmation;
mod connections;
mod context;
mod control;
mod date;
mod decisions;
mod done;
mod error;
mod forwarding;
mod framing;
mod glob;
mod headers;
#[cfg(feature = "config")]
pub mod human;
mod in_flight;
mod insight;
mod interim;
mod invalidation;
mod key;
mod listen;
mod method;
mod metrics;
mod proxy;
mod purge;
mod range;
mod request;
mod rescue;
mod respond;
mod rules;
mod service;
#[cfg(feature = "config")]
pub mod settings;
mod span;
mod stats;
mod status;
mod tls;
mod upstream;
mod variants;
mod vary;

pub use access_log::{
    AccessLog, AccessLogError, AccessLogFormat, AccessLogTarget, AccessLogWriter,
};
pub use admin::{Admin, AdminService};
pub use config::{ClientDirectives, Freshness, ProxyConfig, PurgeConfig, SetCookie};
pub use connections::{ConnectionLimits, Connections};
pub use context::RequestContext;
pub use error::ConfigError;
pub use forwarding::{Claims, Forwarding};
pub use glob::Glob;
pub use in_flight::InFlight;
pub use insight::Insight;
pub use key::{KeyRules, PathRules, QueryRules, Scheme, Tenant, cache_key};
pub use listen::Http2;
pub use proxy::CachingProxy;
pub use rules::{
    Caching, HostPattern, MAX_RULES, Rule, RuleError, Rules, Statuses, StoreRules, Ttl,
};
pub use service::StackService;
pub use tls::{CertificateWatch, ClientIdentity, ServerCertificate, TlsError, TrustAnchors};
pub use upstream::{
    HealthCheck, HostPolicy, Protocol, Selection, Upstream, UpstreamGroup, UpstreamService,
    UpstreamTls, Verify,
};

// They stand in the configuration.
pub use http::HeaderName;
pub use ipnet::IpNet;
pub use secrecy::SecretString;
