//! Methods, interim responses, trailers.

use crate::case::{Answer, Case, ask, case, get, ok};

pub(crate) fn cases() -> Vec<Case> {
    [methods(), interim_and_trailers()]
        .into_iter()
        .flatten()
        .collect()
}

fn methods() -> Vec<Case> {
    vec![
        case(
            "HEAD is answered from what GET stored",
            "9110 9.3.2",
            [
                get().answered(ok("max-age=60").with("etag", "\"a\"")),
                ask("HEAD")
                    .asked(0)
                    .status(200)
                    .body("")
                    .header("etag", "\"a\"")
                    .header("content-length", "15"),
            ],
        ),
        case(
            "a HEAD that misses fetches what the next GET needs",
            "9111 4",
            [
                ask("HEAD").answered(ok("max-age=60")).body(""),
                get().cached(0),
                ask("HEAD").asked(0).body(""),
            ],
        ),
        case(
            "a HEAD for what is stale confirms or replaces it for all",
            "9111 4.3.5",
            [
                get().answered(ok("max-age=60").with("age", "60").with("etag", "\"a\"")),
                ask("HEAD")
                    .meanwhile(
                        Answer::status(304)
                            .with("cache-control", "max-age=60")
                            .with("x-a", "1"),
                    )
                    .asked(1)
                    .status(200)
                    .header("x-a", "1"),
                get().cached(0).header("x-a", "1"),
            ],
        ),
        case(
            "a HEAD for what was not stored so far stays one",
            "9110 9.3.2",
            [
                get().answered(ok("no-store")),
                ask("HEAD").answered(ok("no-store")).body(""),
            ],
        ),
        case(
            "OPTIONS is counted down, and answered at zero",
            "9110 7.6.2",
            [
                ask("OPTIONS")
                    .with("max-forwards", "3")
                    .answered(Answer::status(200))
                    .origin_sees("max-forwards", "2"),
                ask("OPTIONS")
                    .with("max-forwards", "0")
                    .asked(0)
                    .status(200)
                    .header("allow", "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"),
                ask("OPTIONS").answered(Answer::status(200)),
            ],
        ),
        case(
            "TRACE is refused",
            "9110 9.3.8",
            [ask("TRACE").asked(0).status(405)],
        ),
        case(
            "what POST answers is not stored",
            "9110 9.3.3",
            [
                ask("POST").answered(ok("max-age=60")),
                get().answered(ok("max-age=60")),
            ],
        ),
    ]
}

fn interim_and_trailers() -> Vec<Case> {
    let hints = || ok("max-age=60").after(103, "link", "</style.css>; rel=preload");
    vec![
        case(
            "an interim response that comes with the final one is passed on",
            "9110 15.2",
            [
                get().answered(hints()).interim(&[103]),
                get().cached(0).interim(&[]),
            ],
        ),
        case(
            "several are, in their order, also where nothing is stored",
            "9110 15.2",
            [
                get()
                    .answered(hints().after(102, "x-a", "1").after(103, "x-a", "2"))
                    .interim(&[103, 102, 103]),
                ask("POST").answered(hints()).interim(&[103]),
            ],
        ),
        case(
            "what comes in chunks is stored whole, and its trailers are dropped",
            "9110 6.5.1",
            [
                get().answered(ok("max-age=60").trailing("x-checksum", "1")),
                get().cached(0).without("x-checksum"),
            ],
        ),
    ]
}
