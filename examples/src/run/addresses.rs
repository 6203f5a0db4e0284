//! Where to listen and where to fetch from, checked before anything is started.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

use terrace::proxy::{Upstream, UpstreamGroup};

use super::BoxError;
use crate::cli::ProxyArgs;

/// Addresses that are ours, as long as this is held.
pub(super) struct Addresses {
    pub(super) listen: SocketAddr,
    pub(super) tls: Option<SocketAddr>,
    pub(super) admin: SocketAddr,
    pub(super) origin: Origin,
    claims: Vec<TcpListener>,
}

/// Where responses come from.
pub(super) enum Origin {
    Elsewhere(Vec<Upstream>),
    Demonstration(SocketAddr),
}

impl Origin {
    /// The servers there are.
    pub(super) fn servers(&self) -> Vec<Upstream> {
        match self {
            Self::Elsewhere(servers) => servers.clone(),
            Self::Demonstration(address) => {
                vec![Upstream::new(address.ip().to_string(), address.port())]
            }
        }
    }
}

impl Addresses {
    /// Claims the addresses, so that a port in use is found out now, and port 0 becomes a number.
    pub(super) fn claim(args: &ProxyArgs) -> Result<Self, BoxError> {
        let mut claims = Vec::new();
        let mut claim = |text: &str, option| {
            let (claim, address) = claim(text, option)?;
            claims.push(claim);
            Ok::<_, BoxError>(address)
        };
        let listen = claim(&args.listen, "--listen")?;
        let tls = args.tls.tls_listen.as_ref();
        let tls = tls.map(|text| claim(text, "--tls-listen")).transpose()?;
        let admin = claim(&args.admin, "--admin")?;
        let servers = &args.origin.upstream;
        let origin = if servers.is_empty() {
            Origin::Demonstration(claim("127.0.0.1:0", "the demonstration origin")?)
        } else {
            for server in servers {
                check(server, &[Some(listen), tls])?;
            }
            Origin::Elsewhere(servers.clone())
        };
        Ok(Self {
            listen,
            tls,
            admin,
            origin,
            claims,
        })
    }

    /// The upstreams of the file are there, and are not this proxy. Whether they answer, their health checks say.
    pub(super) fn check(&self, groups: &BTreeMap<String, UpstreamGroup>) -> Result<(), BoxError> {
        for (name, group) in groups {
            for server in &group.servers {
                resolve(
                    server,
                    &[Some(self.listen), self.tls],
                    &format!("`upstreams.{name}`"),
                )?;
            }
        }
        Ok(())
    }

    /// Leaves the addresses to those who are about to listen on them.
    pub(super) fn release(self) {
        drop(self.claims);
    }
}

fn claim(text: &str, option: &str) -> Result<(TcpListener, SocketAddr), BoxError> {
    let mut found = text.to_socket_addrs().map_err(|error| {
        format!("{option} {text}: {error}: write HOST:PORT, for example 127.0.0.1:8080")
    })?;
    let address = found
        .next()
        .ok_or_else(|| format!("{option} {text}: the name has no address"))?;
    let claim = TcpListener::bind(address).map_err(|error| {
        let advice = match error.kind() {
            ErrorKind::AddrInUse => "stop whatever listens there, or choose another port",
            ErrorKind::AddrNotAvailable => "this machine does not have that address",
            ErrorKind::PermissionDenied => "ports below 1024 need a privilege: choose a higher one",
            _ => "choose another address",
        };
        format!("cannot listen on {address} ({option}): {error}: {advice}")
    })?;
    let address = claim.local_addr()?;
    Ok((claim, address))
}

/// An upstream that cannot be found is a mistake; one that does not answer may just be late.
fn check(upstream: &Upstream, listeners: &[Option<SocketAddr>]) -> Result<(), BoxError> {
    let addresses = resolve(upstream, listeners, "--upstream")?;
    let answers = |address| TcpStream::connect_timeout(address, Duration::from_secs(1)).is_ok();
    if !addresses.iter().any(answers) {
        tracing::warn!(%upstream, "the upstream does not answer: until it does, only what is stored can be served");
    }
    Ok(())
}

/// Its addresses, none of which may be one of `listeners`. `said_by` says where it is configured.
fn resolve(
    upstream: &Upstream,
    listeners: &[Option<SocketAddr>],
    said_by: &str,
) -> Result<Vec<SocketAddr>, BoxError> {
    let found = (upstream.host.as_str(), upstream.port).to_socket_addrs();
    let addresses: Vec<_> = found
        .map_err(|error| format!("cannot resolve the upstream {upstream} ({said_by}): {error}"))?
        .collect();
    let is = |listen: &SocketAddr, address: &SocketAddr| {
        let is_here = listen.ip().is_unspecified() && address.ip().is_loopback();
        address.port() == listen.port() && (address.ip() == listen.ip() || is_here)
    };
    let is_self = |address| listeners.iter().flatten().any(|it| is(it, address));
    if addresses.iter().any(is_self) {
        let message = format!(
            "the upstream {upstream} ({said_by}) is this proxy itself: each request would go round in circles"
        );
        return Err(message.into());
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(result: Result<(), BoxError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_port_in_use_is_named_with_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let error = text(claim(&address, "--listen").map(drop));
        for part in [address.as_str(), "--listen", "choose another port"] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }

    #[test]
    fn port_zero_becomes_a_number_and_is_kept() {
        let (_claim, address) = claim("127.0.0.1:0", "--listen").unwrap();
        assert_ne!(address.port(), 0);
        assert!(claim(&address.to_string(), "--admin").is_err());
    }

    #[test]
    fn the_proxy_is_not_its_own_upstream() {
        let upstream = "127.0.0.1:8080".parse().unwrap();
        for listen in ["127.0.0.1:8080", "0.0.0.0:8080"] {
            let error = text(check(&upstream, &[None, Some(listen.parse().unwrap())]));
            assert!(error.contains("itself"), "{error}");
        }
    }

    #[test]
    fn an_upstream_without_an_address_is_refused() {
        let upstream = "no-such-host.invalid:80".parse().unwrap();
        let error = text(check(&upstream, &[]));
        assert!(error.contains("no-such-host.invalid:80"), "{error}");
    }
}
