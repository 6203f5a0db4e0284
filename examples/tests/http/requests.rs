//! What a client may demand (RFC 9111, 5.2.1 and 5.4).

use crate::case::{Case, Step, case, dies, get, ok};

fn demanding(control: &str) -> Step {
    get().with("cache-control", control)
}

fn fresh() -> Step {
    get().answered(ok("max-age=60"))
}

fn aged() -> Step {
    get().answered(ok("max-age=60").with("age", "30"))
}

fn stale() -> Step {
    let answer = ok("max-age=60").with("age", "90");
    get().answered(answer.with("etag", "\"a\""))
}

fn asks(control: &str) -> Step {
    demanding(control).answered(ok("max-age=60"))
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = no_cache();
    cases.extend(bounds());
    cases.extend(max_stale());
    cases.extend(others());
    cases
}

fn no_cache() -> Vec<Case> {
    vec![
        case(
            "no-cache asks the origin",
            "9111 5.2.1.4",
            [fresh(), asks("no-cache")],
        ),
        case(
            "no-cache asks by the validator that is stored",
            "9111 5.2.1.4",
            [
                get().answered(ok("max-age=60").with("etag", "\"a\"")),
                demanding("no-cache")
                    .validated(0)
                    .origin_sees("if-none-match", "\"a\""),
            ],
        ),
        case(
            "no-cache is not answered from what is stored when the origin fails",
            "9111 5.2.1.4",
            [fresh(), demanding("no-cache").meanwhile(dies()).status(502)],
        ),
        case(
            "no-cache takes nothing that is stale, either",
            "9111 5.2.1.4",
            [
                get().answered(ok("max-age=60, stale-while-revalidate=900").with("age", "90")),
                asks("no-cache"),
            ],
        ),
    ]
}

fn bounds() -> Vec<Case> {
    vec![
        case(
            "max-age=0 asks the origin",
            "9111 5.2.1.1",
            [fresh(), asks("max-age=0")],
        ),
        case(
            "max-age takes what is young enough",
            "9111 5.2.1.1",
            [aged(), demanding("max-age=50").cached(0)],
        ),
        case(
            "max-age asks for something younger",
            "9111 5.2.1.1",
            [aged(), asks("max-age=29")],
        ),
        case(
            "max-age is a wish, and old is better than nothing",
            "9111 5.2.1.1",
            [
                aged(),
                demanding("max-age=29")
                    .meanwhile(dies())
                    .status(200)
                    .body_of(0),
            ],
        ),
        case(
            "max-age does not ask for what never changes",
            "8246 2",
            [
                get().answered(ok("max-age=60, immutable")),
                demanding("max-age=0").cached(0),
            ],
        ),
        case(
            "no-cache asks even for that",
            "8246 2",
            [
                get().answered(ok("max-age=60, immutable")),
                asks("no-cache"),
            ],
        ),
        case(
            "min-fresh takes what is good for long enough",
            "9111 5.2.1.3",
            [fresh(), demanding("min-fresh=50").cached(0)],
        ),
        case(
            "min-fresh asks for something that lasts",
            "9111 5.2.1.3",
            [aged(), asks("min-fresh=31")],
        ),
    ]
}

fn max_stale() -> Vec<Case> {
    vec![
        case(
            "max-stale takes what is stale",
            "9111 5.2.1.2",
            [
                stale(),
                demanding("max-stale=60").cached(0).cache_says("hit"),
                demanding("max-stale").cached(0),
            ],
        ),
        case(
            "max-stale does not take what is too stale",
            "9111 5.2.1.2",
            [stale(), demanding("max-stale=29").validated(0)],
        ),
        case(
            "max-stale does not overrule must-revalidate",
            "9111 5.2.2.2",
            [
                get().answered(
                    ok("max-age=60, must-revalidate")
                        .with("age", "90")
                        .with("etag", "\"a\""),
                ),
                demanding("max-stale").validated(0),
            ],
        ),
        case(
            "max-stale does not overrule s-maxage",
            "9111 5.2.2.10",
            [
                get().answered(ok("s-maxage=60").with("age", "90").with("etag", "\"a\"")),
                demanding("max-stale").validated(0),
            ],
        ),
    ]
}

fn others() -> Vec<Case> {
    vec![
        case(
            "no-store is not stored",
            "9111 5.2.1.5",
            [
                asks("no-store"),
                get().answered(ok("max-age=60")),
                get().cached(1),
            ],
        ),
        case(
            "only-if-cached gets what is stored",
            "9111 5.2.1.7",
            [fresh(), demanding("only-if-cached").cached(0)],
        ),
        case(
            "only-if-cached gets 504 otherwise",
            "9111 5.2.1.7",
            [demanding("only-if-cached").asked(0).status(504)],
        ),
        case(
            "Pragma: no-cache is as Cache-Control",
            "9111 5.4",
            [
                fresh(),
                get().with("pragma", "no-cache").answered(ok("max-age=60")),
            ],
        ),
        case(
            "where there is a Cache-Control, Pragma does not count",
            "9111 5.4",
            [
                fresh(),
                demanding("max-age=60").with("pragma", "no-cache").cached(0),
            ],
        ),
        case(
            "any other Pragma does not count",
            "9111 5.4",
            [fresh(), get().with("pragma", "x").cached(0)],
        ),
        case(
            "what is unknown is passed over",
            "9111 5.2.3",
            [fresh(), demanding("x=1, y").cached(0)],
        ),
    ]
}
