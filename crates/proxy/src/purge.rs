//! `PURGE`: who may, and what is answered.

use std::net::IpAddr;

use http::{HeaderValue, StatusCode, header};
use pingora::cache::CacheKey;
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;
use terrace_core::{PurgeOutcome, Retry, Target};
use terrace_pingora::TerraceStorage;

use crate::config::PurgeConfig;
use crate::respond::Text;

/// Marks stale instead of removing.
const SOFT: &str = "terrace-soft-purge";

/// What can become of a purge, in the metrics.
pub(crate) const OUTCOMES: [&str; 7] = [
    "purged",
    "expired",
    "not_found",
    "forbidden",
    "invalid",
    "not_ready",
    "failed",
];

/// An answer, and its name in the metrics.
pub(crate) struct Answer {
    pub(crate) text: Text,
    pub(crate) outcome: &'static str,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, outcome: &'static str, body: impl Into<String>) -> Self {
        Self {
            text: Text::new(status, body),
            outcome,
        }
    }
}

/// Purges all variants of what is stored under `key`, if whoever made the request may.
pub(crate) async fn purge(
    storage: &TerraceStorage,
    config: &PurgeConfig,
    key: &CacheKey,
    session: &Session,
) -> Answer {
    let req = session.req_header();
    let peer = session.client_addr().and_then(|addr| addr.as_inet());
    if !permits(config, peer.map(std::net::SocketAddr::ip), req) {
        let body = "not purged: this address may not purge, and there is no valid bearer token";
        return Answer::new(StatusCode::FORBIDDEN, "forbidden", body);
    }
    let Some(soft) = is_soft(req) else {
        let body = format!("not purged: {SOFT} has one value, 1; leave it out to purge for good");
        return Answer::new(StatusCode::BAD_REQUEST, "invalid", body);
    };
    carry_out(storage, key, soft).await
}

/// Purges all variants of `key`.
pub(crate) async fn carry_out(storage: &TerraceStorage, key: &CacheKey, soft: bool) -> Answer {
    let Some(stack) = storage.stack() else {
        let body = "not purged: the cache is still starting; try again in a second";
        let mut answer = Answer::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", body);
        answer.text.retry_after = true;
        return answer;
    };
    let key = terrace_pingora::key(key);
    let target = Target::AllVariants(key.primary());
    let outcome = if soft {
        stack.expire(&target).await
    } else {
        stack.purge(&target).await
    };
    match outcome {
        Ok(PurgeOutcome::Purged(_)) => Answer::new(StatusCode::OK, "purged", "purged"),
        Ok(PurgeOutcome::Expired(_)) => Answer::new(StatusCode::OK, "expired", "marked stale"),
        Ok(PurgeOutcome::NotFound) => {
            let body = "nothing was stored; a response that is on its way will not be, either";
            Answer::new(StatusCode::NOT_FOUND, "not_found", body)
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &terrace_core::Error) -> Answer {
    tracing::error!(%error, source = ?std::error::Error::source(error), "a purge was not done by every tier");
    let kind = error.kind().as_str();
    let (status, advice) = match error.retry() {
        Retry::Later => (StatusCode::SERVICE_UNAVAILABLE, "try again"),
        Retry::Never => (
            StatusCode::BAD_GATEWAY,
            "trying again will not help before the cause is removed",
        ),
    };
    let body = format!(
        "not purged: a cache tier did not do it ({kind}), so copies may be left; {advice}; \
         the log and /healthz on the admin address tell more"
    );
    let mut answer = Answer::new(status, "failed", body);
    answer.text.retry_after = error.retry() == Retry::Later;
    answer
}

/// `None` if the header is there, but is not understood: a hard purge in its place would be an
/// expensive misunderstanding.
fn is_soft(req: &RequestHeader) -> Option<bool> {
    let mut values = req.headers.get_all(SOFT).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(false),
        (Some(value), None) if value.as_bytes() == b"1" => Some(true),
        _ => None,
    }
}

/// Whether whoever connects from `peer` may purge, and what else only operators may.
pub(crate) fn permits(config: &PurgeConfig, peer: Option<IpAddr>, req: &RequestHeader) -> bool {
    // A socket that listens on both families reports 127.0.0.1 as ::ffff:127.0.0.1.
    let peer = peer.map(|peer| peer.to_canonical());
    let is_allowed = peer.is_some_and(|peer| config.allowed.iter().any(|net| net.contains(&peer)));
    is_allowed || has_token(config, req)
}

/// Whether `req` brings the token.
pub(crate) fn has_token(config: &PurgeConfig, req: &RequestHeader) -> bool {
    let mut values = req.headers.get_all(header::AUTHORIZATION).iter();
    let (Some(token), Some(value), None) = (&config.token, values.next(), values.next()) else {
        return false;
    };
    bearer(value).is_some_and(|given| token.expose_secret().as_bytes().ct_eq(given).into())
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = value.as_bytes().split_at_checked(b"Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> RequestHeader {
        let mut req = RequestHeader::build("PURGE", b"/", None).unwrap();
        for (name, value) in headers {
            req.append_header(*name, *value).unwrap();
        }
        req
    }

    fn with_token(token: &str) -> PurgeConfig {
        PurgeConfig {
            token: Some(token.into()),
            ..PurgeConfig::default()
        }
    }

    #[test]
    fn loopback_may_purge_and_others_may_not() {
        let config = PurgeConfig::default();
        let from = |peer: &str| permits(&config, Some(peer.parse().unwrap()), &request(&[]));
        assert!(from("127.0.0.1"));
        assert!(from("127.8.0.1"));
        assert!(from("::1"));
        assert!(from("::ffff:127.0.0.1"));
        assert!(!from("192.0.2.1"));
        assert!(!from("::2"));
        assert!(!permits(&config, None, &request(&[])));
    }

    #[test]
    fn headers_do_not_change_where_a_request_comes_from() {
        let req = request(&[
            ("x-forwarded-for", "127.0.0.1"),
            ("forwarded", "for=127.0.0.1"),
        ]);
        let peer = "192.0.2.1".parse().ok();
        assert!(!permits(&PurgeConfig::default(), peer, &req));
    }

    #[test]
    fn the_token_opens_from_anywhere_and_only_the_right_one() {
        let config = with_token("s3cret");
        let peer: Option<IpAddr> = "192.0.2.1".parse().ok();
        let with = |value: &str| permits(&config, peer, &request(&[("authorization", value)]));
        assert!(with("Bearer s3cret"));
        assert!(with("bearer s3cret"));
        for wrong in [
            "Bearer s3cre",
            "Bearer s3cret2",
            "Bearer ",
            "Basic s3cret",
            "s3cret",
        ] {
            assert!(!with(wrong), "{wrong}");
        }
        let twice = request(&[
            ("authorization", "Bearer x"),
            ("authorization", "Bearer s3cret"),
        ]);
        assert!(!permits(&config, peer, &twice));
        let req = request(&[("authorization", "Bearer ")]);
        assert!(!permits(&PurgeConfig::default(), peer, &req));
    }

    #[test]
    fn a_soft_purge_is_asked_for_in_one_way() {
        assert_eq!(is_soft(&request(&[])), Some(false));
        assert_eq!(is_soft(&request(&[(SOFT, "1")])), Some(true));
        assert_eq!(is_soft(&request(&[(SOFT, "true")])), None);
        assert_eq!(is_soft(&request(&[(SOFT, "1"), (SOFT, "1")])), None);
    }
}
