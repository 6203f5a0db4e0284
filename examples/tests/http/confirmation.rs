//! What a 304 of the origin changes of the response it confirms.

use crate::case::{Answer, Case, case, get, ok};

/// Stale when it comes, but good to be confirmed.
fn stale() -> Answer {
    ok("max-age=60").with("age", "60").with("etag", "\"a\"")
}

/// Confirms it for a minute.
fn confirmed() -> Answer {
    Answer::status(304).with("cache-control", "max-age=60")
}

pub(crate) fn cases() -> Vec<Case> {
    [fields(), selection()].into_iter().flatten().collect()
}

fn fields() -> Vec<Case> {
    vec![
        case(
            "a 304 replaces the fields it has, adds new ones, and leaves the others",
            "9111 3.2",
            [
                get().answered(stale().with("x-a", "1").with("x-a", "2").with("x-b", "3")),
                get()
                    .meanwhile(
                        confirmed()
                            .with("x-a", "4")
                            .with("x-c", "5")
                            .with("x-c", "6"),
                    )
                    .asked(1)
                    .status(200)
                    .body_of(0)
                    .header("x-a", "4")
                    .header("x-b", "3")
                    .header("x-c", "5, 6"),
                get()
                    .cached(0)
                    .header("x-a", "4")
                    .header("x-b", "3")
                    .header("x-c", "5, 6"),
            ],
        ),
        case(
            "what describes the stored bytes stays",
            "9111 3.2",
            [
                get().answered(stale().with("content-type", "text/plain")),
                get()
                    .meanwhile(
                        confirmed()
                            .with("content-encoding", "gzip")
                            .with("content-range", "bytes 0-1/2")
                            .with("content-md5", "x")
                            .with("etag", "\"b\"")
                            .with("content-type", "text/html"),
                    )
                    .asked(1)
                    .body_of(0)
                    .header("etag", "\"a\"")
                    .header("content-type", "text/html")
                    .without("content-encoding"),
                get()
                    .cached(0)
                    .header("etag", "\"a\"")
                    .without("content-range")
                    .without("content-md5"),
            ],
        ),
        case(
            "a 304 has fields of its connection as any response",
            "9110 7.6.1",
            [
                get().answered(stale()),
                get()
                    .meanwhile(confirmed().with("connection", "x-hop").with("x-hop", "1"))
                    .asked(1)
                    .body_of(0)
                    .without("x-hop"),
                get().cached(0).without("x-hop"),
            ],
        ),
    ]
}

fn selection() -> Vec<Case> {
    vec![
        case(
            "a 304 that forbids storing is heeded from the next request on",
            "9111 4.3.4",
            [
                get().answered(stale().with("x-a", "1")),
                get()
                    .meanwhile(
                        Answer::status(304)
                            .with("cache-control", "no-store")
                            .with("x-a", "2"),
                    )
                    .asked(1)
                    .status(200)
                    .body_of(0)
                    .header("x-a", "2"),
                get().answered(ok("max-age=60")),
            ],
        ),
        case(
            "each variant is confirmed by itself",
            "9111 4.3.4",
            [
                get()
                    .with("foo", "1")
                    .answered(stale().with("vary", "foo").with("x-a", "1")),
                get()
                    .with("foo", "2")
                    .answered(stale().with("vary", "foo").with("x-a", "2")),
                get()
                    .with("foo", "2")
                    .meanwhile(confirmed().with("x-a", "3"))
                    .asked(1)
                    .body_of(1)
                    .header("x-a", "3"),
                get().with("foo", "2").cached(1).header("x-a", "3"),
                get()
                    .with("foo", "1")
                    .meanwhile(confirmed())
                    .asked(1)
                    .origin_sees("if-none-match", "\"a\"")
                    .body_of(0)
                    .header("x-a", "1"),
                get().with("foo", "1").cached(0).header("x-a", "1"),
            ],
        ),
        case(
            "a client that has what is confirmed gets a 304 of its own",
            "9111 4.3.3",
            [
                get().answered(stale().with("x-a", "1")),
                get()
                    .with("if-none-match", "\"a\"")
                    .meanwhile(confirmed().with("x-a", "2"))
                    .asked(1)
                    .status(304)
                    .header("x-a", "2"),
                get().cached(0).header("x-a", "2"),
            ],
        ),
    ]
}
