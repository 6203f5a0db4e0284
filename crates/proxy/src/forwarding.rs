//! What upstreams are told of the client that a request comes from.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use http::header::{self, HeaderName};
use ipnet::IpNet;
use pingora::Result;
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use crate::headers::tokens;
use crate::key::{Scheme, authority};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What upstreams are told of the client that a request comes from: `X-Forwarded-For`, `-Proto` and `-Host`, and `Forwarded`
/// (RFC 7239) if that is wanted.
///
/// None of them is part of a cache key. So what a stranger claims in them never reaches an upstream by default: an answer that depends
/// on it would be handed to others.
///
/// ```
/// # use terrace_proxy::{ConfigError, ProxyConfig};
/// let mut config = ProxyConfig::new("127.0.0.1:9000".parse()?);
/// // The load balancers in front.
/// config.forwarding.trusted.push("10.0.0.0/8".parse().expect("a network"));
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Forwarding {
    /// What becomes of what clients claim. Default: [`Claims::Replace`].
    pub claims: Claims,
    /// The networks of proxies in front of this one. What they say of a request's way is kept, and their
    /// `X-Forwarded-Proto`, if it is `http` or `https`, is the scheme of the request, in its key as well. Default: none.
    pub trusted: Vec<IpNet>,
    /// Whether `Forwarded` is written, too. Default: false.
    pub rfc7239: bool,
}

/// What becomes of what clients claim about their way here: `X-Forwarded-*`, `X-Real-IP` and `Forwarded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "config",
    derive(serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Claims {
    /// It is taken out, unless the client is one of [`Forwarding::trusted`], and what is known of the connection is written.
    #[default]
    Replace,
    /// `X-Forwarded-For` and `Forwarded` are kept whoever sends them, and the client's address is put behind: **only the last
    /// address is true.**
    Append,
    /// Everything is passed on as it came, and nothing is written. **Whatever an upstream makes of it gets into the cache.**
    Pass,
}

/// Whom a request came from, and by what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) peer: Option<IpAddr>,
    /// Nothing where the key does not tell schemes apart: their answers are to be the same.
    pub(crate) scheme: Option<Scheme>,
}

/// The address of the client at the other end of the connection.
pub(crate) fn peer(session: &Session) -> Option<IpAddr> {
    let address = session.client_addr().and_then(|addr| addr.as_inet());
    address.map(SocketAddr::ip)
}

impl Forwarding {
    /// Takes out what `peer` must not claim; says by which scheme the request was made, if it is one who knows.
    pub(crate) fn receive(&self, req: &mut RequestHeader, peer: Option<IpAddr>) -> Option<Scheme> {
        match self.claims {
            Claims::Pass => None,
            _ if self.trusts(peer) => {
                let mut said = req.headers.get_all(&PROTO).iter();
                match (said.next(), said.next()) {
                    (Some(scheme), None) => Scheme::parse(scheme.as_bytes()),
                    _ => None,
                }
            }
            Claims::Append => None,
            Claims::Replace => {
                let claims = req.headers.keys().filter(|it| is_claim(it));
                // Nearly always there is none, and nothing to be allocated.
                for name in claims.cloned().collect::<Vec<_>>() {
                    req.remove_header(&name);
                }
                None
            }
        }
    }

    /// Tells an upstream of a request with the host that the client named.
    pub(crate) fn tell(&self, request: &mut RequestHeader, from: Asker) -> Result<()> {
        if self.claims == Claims::Pass {
            return Ok(());
        }
        let host = authority(request).to_vec();
        if self.rfc7239 {
            let element = element(from, &host);
            append(request, &header::FORWARDED, &element)?;
        }
        if let Some(peer) = from.peer {
            append(request, &FOR, &peer.to_canonical().to_string())?;
        }
        match from.scheme {
            Some(scheme) => request.insert_header(PROTO, scheme.as_str())?,
            None => drop(request.remove_header(&PROTO)),
        }
        if host.is_empty() {
            return Ok(());
        }
        request.insert_header(HOST, host)
    }

    /// The fields by which an answer varies that is for one client alone.
    pub(crate) fn personal(&self) -> &'static [&'static str] {
        match (self.claims, self.rfc7239) {
            (Claims::Pass, _) => &[],
            (_, false) => &["x-forwarded-for"],
            (_, true) => &["x-forwarded-for", "forwarded"],
        }
    }

    fn trusts(&self, peer: Option<IpAddr>) -> bool {
        // A socket that listens on both families reports 127.0.0.1 as ::ffff:127.0.0.1.
        let peer = peer.map(|peer| peer.to_canonical());
        peer.is_some_and(|peer| self.trusted.iter().any(|net| net.contains(&peer)))
    }
}

fn is_claim(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-forwarded-") || name == header::FORWARDED || name == "x-real-ip"
}

/// Puts `element` behind the list that is there, on one line.
fn append(request: &mut RequestHeader, name: &HeaderName, element: &str) -> Result<()> {
    let mut list = Vec::new();
    for known in tokens(request.headers.get_all(name).iter()) {
        list.extend_from_slice(known);
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(element.as_bytes());
    request.insert_header(name, list)
}

/// RFC 7239, section 4.
fn element(from: Asker, host: &[u8]) -> String {
    let mut element = match from.peer.map(|peer| peer.to_canonical()) {
        None => "for=unknown".to_owned(),
        Some(IpAddr::V4(peer)) => format!("for={peer}"),
        Some(IpAddr::V6(peer)) => format!("for=\"[{peer}]\""),
    };
    if let Some(scheme) = from.scheme {
        element.push_str(";proto=");
        element.push_str(scheme.as_str());
    }
    // A host that came through `normalise` has no quote in it.
    if let Ok(host) = std::str::from_utf8(host)
        && !host.is_empty()
        && !host.contains(['"', '\\'])
    {
        // Writing to a text cannot fail.
        let _ = write!(element, ";host=\"{host}\"");
    }
    element
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    const STRANGER: &str = "192.0.2.7";
    const BALANCER: &str = "::ffff:10.0.0.1";

    /// What an upstream is told of a request with `claims`.
    fn told(forwarding: &Forwarding, peer: &str, claims: &[(&'static str, &str)]) -> HeaderMap {
        let peer = peer.parse().ok();
        let mut req = RequestHeader::build("GET", b"/", None).unwrap();
        req.insert_header("host", "example.org:81").unwrap();
        for (name, value) in claims {
            req.append_header(*name, *value).unwrap();
        }
        let scheme = forwarding.receive(&mut req, peer);
        let scheme = Some(scheme.unwrap_or(Scheme::Http));
        forwarding.tell(&mut req, Asker { peer, scheme }).unwrap();
        req.headers.clone()
    }

    fn behind_balancers() -> Forwarding {
        Forwarding {
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
            ..Forwarding::default()
        }
    }

    const CLAIMS: [(&str, &str); 7] = [
        ("x-forwarded-for", "1.1.1.1, 2.2.2.2"),
        ("x-forwarded-for", "3.3.3.3"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-port", "666"),
        ("x-real-ip", "4.4.4.4"),
        ("forwarded", "for=5.5.5.5"),
    ];

    #[test]
    fn what_a_stranger_claims_is_replaced() {
        for forwarding in [Forwarding::default(), behind_balancers()] {
            let told = told(&forwarding, STRANGER, &CLAIMS);
            assert_eq!(told["x-forwarded-for"], STRANGER);
            assert_eq!(told["x-forwarded-proto"], "http");
            assert_eq!(told["x-forwarded-host"], "example.org:81");
            assert_eq!(told.len(), 4, "{told:?}");
        }
    }

    #[test]
    fn what_a_proxy_in_front_says_is_kept() {
        let told = told(&behind_balancers(), BALANCER, &CLAIMS);
        let chain = "1.1.1.1, 2.2.2.2, 3.3.3.3, 10.0.0.1";
        assert_eq!(told["x-forwarded-for"], chain);
        assert_eq!(told["x-forwarded-proto"], "https");
        assert_eq!(told["x-forwarded-host"], "example.org:81");
        assert_eq!(told["x-real-ip"], "4.4.4.4");
        assert_eq!(told["forwarded"], "for=5.5.5.5");
    }

    #[test]
    fn a_scheme_that_is_none_or_two_is_not_believed() {
        for claims in [
            &[("x-forwarded-proto", "wss")][..],
            &[("x-forwarded-proto", "https,http")],
            &[
                ("x-forwarded-proto", "https"),
                ("x-forwarded-proto", "http"),
            ],
        ] {
            let told = told(&behind_balancers(), BALANCER, claims);
            assert_eq!(told["x-forwarded-proto"], "http", "{claims:?}");
        }
    }

    #[test]
    fn whoever_asks_may_be_put_behind_what_is_there() {
        let forwarding = Forwarding {
            claims: Claims::Append,
            ..Forwarding::default()
        };
        let told = told(&forwarding, STRANGER, &CLAIMS);
        let chain = "1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.7";
        assert_eq!(told["x-forwarded-for"], chain);
        assert_eq!(told["x-forwarded-proto"], "http");
        assert_eq!(told["x-forwarded-host"], "example.org:81");
    }

    #[test]
    fn everything_may_be_passed_on() {
        let forwarding = Forwarding {
            claims: Claims::Pass,
            rfc7239: true,
            ..behind_balancers()
        };
        let told = told(&forwarding, BALANCER, &CLAIMS);
        assert_eq!(told.len(), 1 + CLAIMS.len());
        assert!(forwarding.personal().is_empty());
    }

    #[test]
    fn the_standard_field_is_written_as_its_grammar_says() {
        let forwarding = Forwarding {
            rfc7239: true,
            ..behind_balancers()
        };
        let host = ";proto=http;host=\"example.org:81\"";
        let told = |peer, claims| told(&forwarding, peer, claims)["forwarded"].clone();
        assert_eq!(told(STRANGER, &CLAIMS[..]), format!("for=192.0.2.7{host}"));
        assert_eq!(
            told("2001:db8::1", &[]),
            format!("for=\"[2001:db8::1]\"{host}")
        );
        assert_eq!(told("", &[]), format!("for=unknown{host}"));
        let chain = format!("for=5.5.5.5, for=10.0.0.1{host}");
        assert_eq!(told(BALANCER, &CLAIMS[6..]), chain);
    }
}
