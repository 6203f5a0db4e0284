//! What is served although it is stale (RFC 5861, and RFC 9111, 4.2.4).

use crate::case::{Answer, Case, case, dies, get, ok};

/// 30 seconds beyond a lifetime of 60.
fn stale(more: &str) -> Answer {
    ok(&format!("max-age=60{more}"))
        .with("age", "90")
        .with("etag", "\"a\"")
}

fn is_never_stale(name: &'static str, section: &'static str, answer: Answer) -> Case {
    case(
        name,
        section,
        [get().answered(answer), get().meanwhile(dies()).status(504)],
    )
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = while_revalidate();
    cases.extend(if_error());
    cases.extend(never());
    cases
}

fn while_revalidate() -> Vec<Case> {
    vec![
        case(
            "while it is revalidated",
            "5861 3",
            [
                get().answered(stale(", stale-while-revalidate=60")),
                // The origin is asked once, behind the client's back.
                get()
                    .meanwhile(ok("max-age=60"))
                    .asked(1)
                    .body_of(0)
                    .cache_says("hit"),
            ],
        ),
        case(
            "not beyond that window",
            "5861 3",
            [
                get().answered(stale(", stale-while-revalidate=29")),
                get().validated(0),
            ],
        ),
        case(
            "not if the window is no number",
            "5861 3",
            [
                get().answered(stale(", stale-while-revalidate=x")),
                get().validated(0),
            ],
        ),
        case(
            "what the client demands is not asked behind its back",
            "5861 3",
            [
                get().answered(stale(", stale-while-revalidate=60")),
                get()
                    .with("cache-control", "only-if-cached")
                    .meanwhile(ok("max-age=60"))
                    .asked(1)
                    .body_of(0)
                    .origin_sees_no("cache-control"),
            ],
        ),
        case(
            "a client that wants it younger waits for it",
            "9111 5.2.1.1",
            [
                get().answered(stale(", stale-while-revalidate=60")),
                get()
                    .with("cache-control", "max-age=10")
                    .answered(ok("max-age=60")),
            ],
        ),
    ]
}

fn if_error() -> Vec<Case> {
    vec![
        case(
            "because the origin breaks off",
            "5861 4",
            [
                get().answered(stale(", stale-if-error=60")),
                get()
                    .meanwhile(dies())
                    .status(200)
                    .body_of(0)
                    .cache_says("fwd=stale"),
            ],
        ),
        case(
            "because the origin is unavailable",
            "5861 4",
            [
                get().answered(stale(", stale-if-error=60")),
                get()
                    .meanwhile(Answer::status(503))
                    .status(200)
                    .body_of(0)
                    .cache_says("fwd-status=503"),
            ],
        ),
        case(
            "not because it says something else that is no error",
            "5861 4",
            [
                get().answered(stale(", stale-if-error=60")),
                get().answered(Answer::status(501)),
            ],
        ),
        case(
            "not beyond that window, either",
            "5861 4",
            [
                get().answered(stale(", stale-if-error=29")),
                get().meanwhile(dies()).status(504),
            ],
        ),
        case(
            "where the origin does not say, for an hour",
            "9111 4.2.4",
            [
                get().answered(stale("")),
                get().meanwhile(dies()).status(200).body_of(0),
            ],
        ),
        case(
            "and not longer",
            "9111 4.2.4",
            [
                get().answered(ok("max-age=60").with("age", "3700").with("etag", "\"a\"")),
                get().meanwhile(dies()).status(504),
            ],
        ),
    ]
}

fn never() -> Vec<Case> {
    vec![
        is_never_stale(
            "never with must-revalidate",
            "9111 5.2.2.2",
            stale(", must-revalidate, stale-if-error=60"),
        ),
        is_never_stale(
            "never with proxy-revalidate",
            "9111 5.2.2.8",
            stale(", proxy-revalidate, stale-if-error=60"),
        ),
        is_never_stale(
            "never with s-maxage",
            "9111 5.2.2.10",
            stale(", s-maxage=60, stale-if-error=60"),
        ),
        is_never_stale(
            "never with no-cache",
            "9111 5.2.2.4",
            stale(", no-cache, stale-if-error=60"),
        ),
        case(
            "must-revalidate closes the other window, too",
            "9111 5.2.2.2",
            [
                get().answered(stale(", must-revalidate, stale-while-revalidate=60")),
                get().validated(0),
            ],
        ),
        case(
            "a targeted field opens the windows for caches such as this one",
            "9213 2.2",
            [
                get().answered(
                    stale(", s-maxage=60")
                        .with("cdn-cache-control", "max-age=60, stale-if-error=60"),
                ),
                get().meanwhile(dies()).status(200).body_of(0),
            ],
        ),
    ]
}
