//! What the origin forbids, and to whom (RFC 9111, 3 and 5.2.2).

use crate::case::{Answer, Case, Step, case, get, ok};

fn is_not_stored(
    name: &'static str,
    section: &'static str,
    answer: Answer,
    why: &'static str,
) -> Case {
    let again = get().answered(ok("no-store"));
    case(
        name,
        section,
        [get().answered(answer).cache_says(why), again],
    )
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = whole();
    cases.extend(fields());
    cases.extend(clients());
    cases
}

fn whole() -> Vec<Case> {
    vec![
        is_not_stored(
            "no-store",
            "9111 5.2.2.5",
            ok("max-age=60, no-store"),
            "detail=no-store",
        ),
        is_not_stored(
            "no-store in any case",
            "9111 5.2",
            ok("max-age=60, No-Store"),
            "detail=no-store",
        ),
        is_not_stored(
            "no-store in another line",
            "9111 5.2",
            ok("max-age=60").with("cache-control", "no-store"),
            "detail=no-store",
        ),
        is_not_stored(
            "no-store between the wrong signs",
            "9111 4.2.1",
            ok("no-store; max-age=60"),
            "detail=no-store",
        ),
        is_not_stored(
            "private",
            "9111 5.2.2.7",
            ok("private, max-age=60"),
            "detail=private",
        ),
        is_not_stored(
            "no-cache without a validator is of no use",
            "9111 5.2.2.4",
            ok("no-cache, max-age=60"),
            "detail=stale-on-arrival",
        ),
        case(
            "no-cache is stored, and asked for on each use",
            "9111 5.2.2.4",
            [
                get()
                    .answered(ok("max-age=60, no-cache").with("etag", "\"a\""))
                    .cache_says("stored"),
                get().validated(0).origin_sees("if-none-match", "\"a\""),
                get().validated(0),
            ],
        ),
        case(
            "must-revalidate may be reused while it is fresh",
            "9111 5.2.2.2",
            [
                get().answered(ok("max-age=60, must-revalidate")),
                get().cached(0),
            ],
        ),
        case(
            "must-revalidate is asked for when it is stale",
            "9111 5.2.2.2",
            [
                get().answered(
                    ok("max-age=60, must-revalidate")
                        .with("age", "60")
                        .with("etag", "\"a\""),
                ),
                get().validated(0),
            ],
        ),
        case(
            "immutable does not make it fresh",
            "8246 2",
            [
                get().answered(
                    ok("max-age=60, immutable")
                        .with("age", "60")
                        .with("etag", "\"a\""),
                ),
                get().validated(0),
            ],
        ),
    ]
}

fn fields() -> Vec<Case> {
    let both = |step: Step| step.without("a").header("b", "2");
    let answer = |control: &str| ok(control).with("a", "1").with("b", "2");
    let withheld = |name, section, control| {
        let first = get()
            .answered(answer(control))
            .header("a", "1")
            .header("b", "2");
        case(name, section, [first, both(get().cached(0))])
    };
    vec![
        withheld(
            "no-cache=\"a\" withholds a from all but the first",
            "9111 5.2.2.4",
            "max-age=60, no-cache=\"a\"",
        ),
        withheld("no-cache=a, too", "9111 5.2.2.4", "max-age=60, no-cache=a"),
        withheld(
            "private=\"a\" does not store a",
            "9111 5.2.2.7",
            "max-age=60, private=\"A, c\"",
        ),
        case(
            "what is withheld comes with the answer of a revalidation",
            "9111 5.2.2.4",
            [
                get()
                    .answered(
                        answer("max-age=60, no-cache=\"a\"")
                            .with("etag", "\"e\"")
                            .with("age", "60"),
                    )
                    .header("a", "1"),
                get()
                    .answered(answer("max-age=60, no-cache=\"a\""))
                    .header("a", "1"),
            ],
        ),
        case(
            "without what the cache itself needs nothing is reused",
            "9111 5.2.2.4",
            [
                get().answered(ok("max-age=60, no-cache=\"vary\"").with("etag", "\"a\"")),
                get().validated(0),
            ],
        ),
        is_not_stored(
            "a list of fields that is none is as no list",
            "9111 5.2.2.7",
            ok("max-age=60, private=\"a b\""),
            "detail=private",
        ),
        case(
            "a cookie that is private leaves the rest to be shared",
            "9111 5.2.2.7",
            [
                get()
                    .answered(ok("max-age=60, private=\"set-cookie\"").with("set-cookie", "s=1"))
                    .header("set-cookie", "s=1"),
                get().cached(0).without("set-cookie"),
            ],
        ),
        case(
            "a cookie is stored with what says how long it is good",
            "9111 7.3",
            [
                get().answered(ok("max-age=60").with("set-cookie", "s=1")),
                get().cached(0).header("set-cookie", "s=1"),
            ],
        ),
    ]
}

fn clients() -> Vec<Case> {
    const SECTION: &str = "9111 3.5";
    let authorized = || get().with("authorization", "Basic eA==");
    let shared = |name, control| {
        let first = authorized().answered(ok(control));
        case(
            name,
            SECTION,
            [first, get().cached(0), authorized().cached(0)],
        )
    };
    vec![
        case(
            "what has credentials gets an answer of its own",
            SECTION,
            [
                authorized()
                    .answered(ok("max-age=60"))
                    .origin_sees("authorization", "Basic eA==")
                    .cache_says("detail=authorization"),
                get().answered(ok("max-age=60")),
                get().cached(1),
            ],
        ),
        case(
            "an Expires does not share it",
            SECTION,
            [
                authorized().answered(Answer::status(200).with("expires", "@60")),
                get().answered(ok("no-store")),
            ],
        ),
        shared("unless it is public", "max-age=60, public"),
        shared(
            "unless it must be revalidated",
            "max-age=60, must-revalidate",
        ),
        shared("unless it has an s-maxage", "s-maxage=60"),
        case(
            "what was stored without credentials answers those who have some",
            SECTION,
            [get().answered(ok("max-age=60")), authorized().cached(0)],
        ),
        case(
            "a cookie of the client does not matter",
            "9111 4",
            [
                get().answered(ok("max-age=60")),
                get().with("cookie", "a=b").cached(0),
            ],
        ),
    ]
}
