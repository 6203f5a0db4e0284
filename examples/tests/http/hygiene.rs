//! Fields that concern one connection, or must not be kept.

use crate::case::{Case, case, get, ok};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = [
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "upgrade",
    ]
    .into_iter()
    .map(|field| {
        case(
            field,
            "9111 3.1",
            [
                get()
                    .answered(ok("max-age=60").with(field, "x").with("x-kept", "1"))
                    .without(field)
                    .header("x-kept", "1"),
                get().cached(0).without(field).header("x-kept", "1"),
            ],
        )
    })
    .collect();
    cases.extend(rules());
    cases.extend(framing());
    cases
}

fn rules() -> Vec<Case> {
    vec![
        case(
            "what connection names is neither stored nor passed on",
            "9110 7.6.1",
            [
                get()
                    .answered(
                        ok("max-age=60")
                            .with("connection", "x-a, X-B")
                            .with("connection", "x-c")
                            .with("x-a", "1")
                            .with("x-b", "2")
                            .with("x-c", "3")
                            .with("x-kept", "4"),
                    )
                    .without("x-a")
                    .without("x-b")
                    .without("x-c")
                    .header("x-kept", "4"),
                get().cached(0).without("x-a").without("x-b").without("x-c"),
            ],
        ),
        case(
            "connection cannot take away what the cache goes by",
            "9110 7.6.1",
            [
                get().answered(ok("no-store").with("connection", "cache-control")),
                get().answered(
                    ok("max-age=60")
                        .with("connection", "vary")
                        .with("vary", "foo"),
                ),
                get()
                    .with("foo", "1")
                    .answered(ok("max-age=60").with("vary", "foo")),
            ],
        ),
        case(
            "of a request, too",
            "9110 7.6.1",
            [get()
                .with("connection", "x-hop")
                .with("x-hop", "1")
                .with("te", "trailers")
                .with("keep-alive", "timeout=5")
                .with("proxy-connection", "keep-alive")
                .with("x-kept", "1")
                .answered(ok("no-store"))
                .origin_sees_no("x-hop")
                .origin_sees_no("te")
                .origin_sees_no("keep-alive")
                .origin_sees_no("proxy-connection")
                .origin_sees("x-kept", "1")],
        ),
        case(
            "a client's claims of where it comes from are not passed on, and what depends on that is not stored",
            "7239 4, 8.1",
            [
                get()
                    .with("forwarded", "for=198.51.100.3")
                    .with("x-forwarded-for", "198.51.100.1")
                    .with("x-real-ip", "198.51.100.2")
                    .answered(ok("max-age=60").with("vary", "x-forwarded-for"))
                    .origin_sees_no("forwarded")
                    .origin_sees("x-forwarded-for", "127.0.0.1")
                    .origin_sees_no("x-real-ip"),
                get().answered(ok("no-store")),
            ],
        ),
    ]
}

fn framing() -> Vec<Case> {
    vec![
        case(
            "a length that is said twice is one length",
            "9112 6.3",
            [
                get()
                    .answered(ok("max-age=60").with("content-length", "15, 15").closing())
                    .header("content-length", "15"),
                get().cached(0).header("content-length", "15"),
            ],
        ),
        case(
            "what has two lengths is refused",
            "9112 6.3",
            [
                get()
                    .meanwhile(ok("max-age=60").with("content-length", "15, 16").closing())
                    .status(502),
                get().answered(ok("max-age=60")),
            ],
        ),
        case(
            "so is what is coded in a way nobody asked for",
            "9112 6.1",
            [
                get()
                    .meanwhile(ok("max-age=60").with("transfer-encoding", "gzip").closing())
                    .status(502),
                get()
                    .meanwhile(
                        ok("max-age=60")
                            .with("transfer-encoding", "identity")
                            .closing(),
                    )
                    .status(502),
                get().answered(ok("max-age=60")),
            ],
        ),
        case(
            "both directions are told who passed",
            "9110 7.6.3",
            [
                get()
                    .with("via", "1.0 first")
                    .answered(ok("max-age=60").with("via", "1.1 behind"))
                    .origin_sees("via", "1.0 first, 1.1 terrace")
                    .header("via", "1.1 behind, 1.1 terrace"),
                get().cached(0).header("via", "1.1 behind, 1.1 terrace"),
            ],
        ),
        case(
            "what is unknown is stored as it is",
            "9111 3.1",
            [
                get().answered(
                    ok("max-age=60")
                        .with("x-two", "1")
                        .with("x-two", "2")
                        .with("content-security-policy", "default-src 'self'"),
                ),
                get()
                    .cached(0)
                    .header("x-two", "1, 2")
                    .header("content-security-policy", "default-src 'self'"),
            ],
        ),
    ]
}
