//! Which statuses are stored (RFC 9111, 3).

use crate::case::{Answer, Case, case, get, ok};

fn fresh(status: u16) -> Answer {
    Answer::status(status).with("cache-control", "max-age=60")
}

fn is_stored(name: &'static str, status: u16) -> Case {
    let reused = get().asked(0).status(status);
    case(name, "9111 3", [get().answered(fresh(status)), reused])
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        is_stored("203 with a lifetime", 203),
        is_stored("204 with a lifetime", 204),
        is_stored("299 with a lifetime", 299),
        is_stored("302 with a lifetime", 302),
        is_stored("307 with a lifetime", 307),
        is_stored("400 with a lifetime", 400),
        is_stored("404 with a lifetime", 404),
        is_stored("410 with a lifetime", 410),
        is_stored("500 with a lifetime", 500),
        is_stored("503 with a lifetime", 503),
        is_stored("599 with a lifetime", 599),
        case(
            "not when it is stale",
            "9111 4.2",
            [
                get().answered(fresh(404).with("age", "60")),
                get().answered(ok("no-store")),
            ],
        ),
        case(
            "a 404 without a lifetime is asked for again",
            "9111 3",
            [
                get()
                    .answered(Answer::status(404))
                    .cache_says("detail=no-lifetime"),
                get().answered(ok("max-age=60")),
                get().cached(1),
            ],
        ),
        case(
            "must-understand and a status that is not understood",
            "9111 5.2.2.3",
            [
                get()
                    .answered(
                        Answer::status(599)
                            .with("cache-control", "max-age=60, no-store, must-understand"),
                    )
                    .cache_says("detail=must-understand"),
                get().answered(ok("no-store")),
            ],
        ),
        case(
            "must-understand and one that is: no-store is for others",
            "9111 5.2.2.3",
            [
                get().answered(ok("max-age=60, no-store, must-understand")),
                get().cached(0),
            ],
        ),
        case(
            "must-understand does not make it public",
            "9111 5.2.2.3",
            [
                get().answered(ok("max-age=60, private, must-understand")),
                get().answered(ok("no-store")),
            ],
        ),
    ]
}
