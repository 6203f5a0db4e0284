//! `POST /purge`: what `PURGE` does on the proxy's own listener, for the page's form.

use std::net::IpAddr;

use http::StatusCode;
use pingora::http::RequestHeader;
use pingora::protocols::http::ServerSession;
use serde::Deserialize;
use terrace_pingora::TerraceStorage;

use super::answer::Answer;
use crate::insight::Insight;
use crate::stats::Ending;
use crate::{key, metrics, purge, request};

/// Bytes of a request's body that are read.
const MAX_BODY: usize = 16 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    url: String,
    /// Mark stale instead of removing.
    #[serde(default)]
    soft: bool,
}

/// Purges what the request's body names, if whoever sent it may.
pub(super) async fn answer(
    storage: &TerraceStorage,
    insight: &Insight,
    session: &mut ServerSession,
) -> Answer {
    let outcome = purge(storage, insight, session).await;
    if outcome.is_err() {
        // Its body may not have been read.
        session.set_keepalive(None);
    }
    let done = outcome.unwrap_or_else(|refused| refused);
    metrics::purged(done.outcome);
    insight.stats().ended(Ending::Purge, 0);
    let mut answer = Answer::text(done.text.status, done.text.body);
    answer.retry_after = done.text.retry_after;
    answer
}

async fn purge(
    storage: &TerraceStorage,
    insight: &Insight,
    session: &mut ServerSession,
) -> Result<purge::Answer, purge::Answer> {
    let config = insight.config();
    let peer = super::peer(session);
    let req = session.req_header();
    comes_from_the_page(req).map_err(forbidden)?;
    let may = if names_an_address(req) {
        purge::permits(&config.purge, peer, req)
    } else {
        // A name in somebody else's hands may lead a browser here, from an address that may purge.
        purge::has_token(&config.purge, req)
    };
    if !may {
        let body = "not purged: there is no valid token, and this address, or the name this page was opened by, may \
                    not purge without one";
        return Err(forbidden(body));
    }
    let body = read(session)
        .await
        .ok_or_else(|| invalid("its body is too large or broke off"))?;
    let order: Order = serde_json::from_slice(&body)
        .map_err(|error| invalid(&format!("the body is not as expected: {error}")))?;
    let mut req = RequestHeader::build("PURGE", order.url.as_bytes(), None)
        .map_err(|_| invalid("the URL has characters that no URL has"))?;
    let scheme = request::normalise(&mut req, &config.name, &config.upstream);
    let scheme = scheme.ok().flatten().filter(|_| is_complete(&order.url));
    let scheme =
        scheme.ok_or_else(|| invalid("the URL must begin with http:// or https:// and a host"))?;
    let key = insight.key_to_purge(scheme, &mut req);
    let key = key.map_err(|error| invalid(&error.to_string()))?;
    Ok(purge::carry_out(storage, &key, order.soft).await)
}

/// A page of another origin can send a form here, but no JSON, unless it asks first, which nobody answers; and a
/// browser tells where the page was that sends.
fn comes_from_the_page(req: &RequestHeader) -> Result<(), &'static str> {
    let value = |name: &str| req.headers.get(name).map_or(&b""[..], |it| it.as_bytes());
    let kind = value("content-type").split(|it| *it == b';').next();
    if !kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"application/json")) {
        return Err("not purged: send JSON, as application/json");
    }
    let origin = value("origin");
    let of_origin = origin
        .splitn(3, |it| *it == b'/')
        .nth(2)
        .unwrap_or_default();
    let is_same = origin.is_empty() || of_origin == key::authority(req);
    let site = value("sec-fetch-site");
    let is_same_site = matches!(site, b"" | b"same-origin" | b"none");
    if is_same && is_same_site {
        return Ok(());
    }
    Err("not purged: only this listener's own page may ask a browser to")
}

/// Whether the request calls this listener by an address, or as `localhost`.
fn names_an_address(req: &RequestHeader) -> bool {
    let authority = String::from_utf8_lossy(key::authority(req));
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|it| it.is_ascii_digit()) => host,
        _ => &authority,
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

/// Whether `url` names a host, and no user.
fn is_complete(url: &str) -> bool {
    let uri = url.parse::<http::Uri>();
    let authority = uri.ok().and_then(|uri| uri.into_parts().authority);
    authority.is_some_and(|it| !it.host().is_empty() && !it.as_str().contains('@'))
}

/// `None` if it is too large, or broke off.
async fn read(session: &mut ServerSession) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(piece) = session.read_request_body().await.ok()? {
        if body.len() + piece.len() > MAX_BODY {
            return None;
        }
        body.extend_from_slice(&piece);
    }
    Some(body)
}

fn forbidden(body: &str) -> purge::Answer {
    purge::Answer::new(StatusCode::FORBIDDEN, "forbidden", body)
}

fn invalid(why: &str) -> purge::Answer {
    purge::Answer::new(
        StatusCode::BAD_REQUEST,
        "invalid",
        format!("not purged: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> RequestHeader {
        let mut req = RequestHeader::build("POST", b"/purge", None).unwrap();
        for (name, value) in headers {
            req.append_header(*name, *value).unwrap();
        }
        req
    }

    const JSON: (&str, &str) = ("content-type", "application/json");

    #[test]
    fn only_the_page_of_this_listener_may_use_a_browser() {
        let host = ("host", "127.0.0.1:8081");
        let comes = |headers: &[_]| comes_from_the_page(&request(headers)).is_ok();
        assert!(comes(&[host, JSON]), "no browser at all");
        assert!(comes(&[host, JSON, ("origin", "http://127.0.0.1:8081")]));
        assert!(comes(&[
            host,
            ("content-type", "Application/JSON; charset=utf-8"),
            ("sec-fetch-site", "same-origin")
        ]));
        for other in [
            "http://127.0.0.1:8080",
            "http://evil.example",
            "null",
            "http://127.0.0.1:8081.evil.example",
        ] {
            assert!(!comes(&[host, JSON, ("origin", other)]), "{other}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(!comes(&[host, JSON, ("sec-fetch-site", site)]), "{site}");
        }
        for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
            assert!(!comes(&[host, ("content-type", kind)]), "{kind}");
        }
        assert!(!comes(&[host]));
    }

    #[test]
    fn an_address_cannot_be_in_other_hands_but_a_name_can() {
        let names = |host: &str| names_an_address(&request(&[("host", host)]));
        for address in [
            "127.0.0.1",
            "127.0.0.1:8081",
            "[::1]:8081",
            "[::1]",
            "localhost:8081",
            "LOCALHOST",
        ] {
            assert!(names(address), "{address}");
        }
        for name in [
            "cache.example:8081",
            "127.0.0.1.evil.example",
            "",
            "localhost.evil.example",
        ] {
            assert!(!names(name), "{name}");
        }
    }

    #[test]
    fn a_url_is_complete_with_scheme_and_host() {
        for url in [
            "http://a.example",
            "https://a.example:444/b?c",
            "HTTP://[::1]/",
        ] {
            assert!(is_complete(url), "{url}");
        }
        for url in [
            "/path",
            "a.example/path",
            "http://",
            "http:///path",
            "http://user@a.example/",
            "",
        ] {
            assert!(!is_complete(url), "{url}");
        }
    }
}
