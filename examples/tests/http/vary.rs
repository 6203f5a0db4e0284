//! Variants.

use crate::case::{Answer, Case, case, get, ok};

fn varying(vary: &str) -> Answer {
    ok("max-age=60").with("vary", vary)
}

pub(crate) fn cases() -> Vec<Case> {
    [variants(), spellings()].into_iter().flatten().collect()
}

fn variants() -> Vec<Case> {
    vec![
        case(
            "each value has its response, and both are kept",
            "9111 4.1",
            [
                get().with("foo", "1").answered(varying("Foo")),
                get().with("foo", "2").answered(varying("foo")),
                get().with("foo", "1").cached(0),
                get().with("foo", "2").cached(1),
            ],
        ),
        case(
            "a header that is not there is a value, and not an empty one",
            "9111 4.1",
            [
                get().answered(varying("foo")),
                get().with("foo", "").answered(varying("foo")),
                get().with("foo", "1").answered(varying("foo")),
                get().cached(0),
                get().with("foo", "").cached(1),
            ],
        ),
        case(
            "every header that is named has to match, in whatever line",
            "9111 4.1",
            [
                get()
                    .with("foo", "1")
                    .with("bar", "1")
                    .answered(varying("foo").with("vary", "BAR")),
                get()
                    .with("foo", "1")
                    .with("bar", "2")
                    .answered(varying("foo, bar")),
                get()
                    .with("bar", "1")
                    .with("foo", "1")
                    .with("baz", "9")
                    .cached(0),
            ],
        ),
        case(
            "a star matches nothing",
            "9111 4.1",
            [
                get().answered(varying("*")),
                get().answered(varying("foo, *")),
                get().answered(varying("foo").with("vary", "*")),
                get().answered(varying("foo")),
            ],
        ),
        case(
            "the newest list of names counts",
            "9111 4.1",
            [
                get()
                    .with("foo", "1")
                    .with("bar", "1")
                    .answered(varying("foo")),
                get()
                    .with("foo", "2")
                    .with("bar", "1")
                    .answered(varying("foo, bar")),
                get().with("foo", "2").with("bar", "1").cached(1),
                get()
                    .with("foo", "2")
                    .with("bar", "2")
                    .answered(varying("foo, bar")),
                get().with("foo", "2").with("bar", "2").cached(3),
                get().with("foo", "2").with("bar", "1").cached(1),
            ],
        ),
        case(
            "a response that names none is for everybody",
            "9111 4.1",
            [
                get().with("foo", "1").answered(varying("foo")),
                get().with("foo", "2").answered(ok("max-age=60")),
                get().with("foo", "3").cached(1),
            ],
        ),
    ]
}

fn spellings() -> Vec<Case> {
    vec![
        case(
            "lines and white space do not make a variant",
            "9111 4.1",
            [
                get().with("foo", "1, 2").answered(varying("foo")),
                get().with("foo", "1,2").cached(0),
                get().with("foo", "1").with("foo", "2").cached(0),
                get().with("foo", "2, 1").answered(varying("foo")),
                get().with("foo", "1 2").answered(varying("foo")),
            ],
        ),
        case(
            "a comma in quotes is part of a value",
            "9110 5.6.1",
            [
                get().with("foo", "\"1, 2\"").answered(varying("foo")),
                get().with("foo", "\"1,2\"").answered(varying("foo")),
            ],
        ),
        case(
            "codings have no case and no order",
            "9110 12.5.3",
            [
                get()
                    .with("accept-encoding", "gzip, br;q=0.5")
                    .answered(varying("accept-encoding")),
                get().with("accept-encoding", "BR; q=0.5 ,GZIP").cached(0),
                get()
                    .with("accept-encoding", "gzip, br;q=0")
                    .answered(varying("accept-encoding")),
            ],
        ),
        case(
            "languages have no case and no order, but weights",
            "9110 12.5.4",
            [
                get()
                    .with("accept-language", "de, EN;q=0.5")
                    .answered(varying("accept-language")),
                get().with("accept-language", "en;q=0.5,DE").cached(0),
                get()
                    .with("accept-language", "en, de;q=0.5")
                    .answered(varying("accept-language")),
            ],
        ),
    ]
}
