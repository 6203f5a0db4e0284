//! Conditions of a client, answered from what is stored.

use crate::case::{Answer, Case, Step, case, get, ok};

const BEFORE: &str = "Sat, 21 Nov 2020 05:00:00 GMT";
const WHEN: &str = "Sat, 21 Nov 2020 06:00:00 GMT";

/// Fresh, with both validators.
fn tagged() -> Answer {
    ok("max-age=60")
        .with("etag", "\"a\"")
        .with("last-modified", WHEN)
}

/// What is stored answers, and the client has it already.
fn not_modified(name: &str, value: &str) -> Step {
    get().with(name, value).asked(0).status(304).body("")
}

/// What is stored answers, and the client gets it.
fn whole(name: &str, value: &str) -> Step {
    get().with(name, value).cached(0).status(200)
}

pub(crate) fn cases() -> Vec<Case> {
    [if_none_match(), if_modified_since(), preconditions()]
        .into_iter()
        .flatten()
        .collect()
}

fn if_none_match() -> Vec<Case> {
    vec![
        case(
            "if-none-match compares weakly, over lists and lines",
            "9110 13.1.2",
            [
                get().answered(tagged()),
                not_modified("if-none-match", "\"a\"").header("etag", "\"a\""),
                not_modified("if-none-match", "W/\"a\""),
                not_modified("if-none-match", "\"x\", \"y,z\" ,W/\"a\""),
                not_modified("if-none-match", "\"x\"").with("if-none-match", "\"a\""),
                not_modified("if-none-match", "*"),
                whole("if-none-match", "\"b\""),
                whole("if-none-match", "\"x,\"a\""),
                whole("if-none-match", "w/\"b\""),
            ],
        ),
        case(
            "a 304 says what a cache needs and nothing of a body",
            "9110 15.4.5",
            [
                get().answered(tagged().with("content-type", "text/plain")),
                not_modified("if-none-match", "\"a\"")
                    .header("cache-control", "max-age=60")
                    .header("last-modified", WHEN)
                    .header("age", "0")
                    .without("content-type")
                    .without("content-length"),
            ],
        ),
        case(
            "a weak tag is told apart from none",
            "9110 8.8.3",
            [
                get().answered(ok("max-age=60").with("etag", "W/\"a\"")),
                not_modified("if-none-match", "\"a\""),
                whole("if-none-match", "W/\"A\""),
            ],
        ),
        case(
            "a miss is fetched whole, and the condition is for the client",
            "9111 4.3.2",
            [
                get()
                    .with("if-none-match", "\"a\"")
                    .meanwhile(tagged())
                    .asked(1)
                    .origin_sees_no("if-none-match")
                    .status(304),
                get().cached(0),
            ],
        ),
        case(
            "what was not stored so far is asked for as the client does",
            "9110 13.1.2",
            [
                get().answered(ok("no-store").with("etag", "\"a\"")),
                get()
                    .with("if-none-match", "\"a\"")
                    .meanwhile(Answer::status(304).with("etag", "\"a\""))
                    .asked(1)
                    .status(304)
                    .origin_sees("if-none-match", "\"a\""),
            ],
        ),
        case(
            "an error has no conditions",
            "9110 13.2.1",
            [
                get().answered(Answer::status(404).with("cache-control", "max-age=60")),
                get().with("if-none-match", "*").cached(0).status(404),
            ],
        ),
    ]
}

fn if_modified_since() -> Vec<Case> {
    vec![
        case(
            "if-modified-since takes a date in three formats, and nothing else",
            "9110 13.1.3",
            [
                get().answered(ok("max-age=60").with("last-modified", WHEN)),
                not_modified("if-modified-since", WHEN),
                not_modified("if-modified-since", "Saturday, 21-Nov-20 06:00:00 GMT"),
                not_modified("if-modified-since", "Sat Nov 21 06:00:00 2020"),
                not_modified("if-modified-since", "@-10"),
                whole("if-modified-since", BEFORE),
                whole("if-modified-since", "yesterday"),
                whole("if-modified-since", "1605938400"),
                whole("if-modified-since", WHEN).with("if-modified-since", WHEN),
            ],
        ),
        case(
            "if-none-match goes before if-modified-since",
            "9110 13.2.2",
            [
                get().answered(tagged()),
                whole("if-none-match", "\"b\"").with("if-modified-since", WHEN),
                not_modified("if-none-match", "\"a\"").with("if-modified-since", BEFORE),
            ],
        ),
        case(
            "without last-modified the date counts",
            "9111 4.3.2",
            [
                get().answered(ok("max-age=60").with("date", "@-5")),
                not_modified("if-modified-since", "@0"),
                whole("if-modified-since", "@-3600"),
            ],
        ),
    ]
}

fn preconditions() -> Vec<Case> {
    vec![
        case(
            "a precondition that holds is answered from what is stored",
            "9110 13.1.1",
            [
                get().answered(tagged()),
                whole("if-match", "\"a\""),
                whole("if-match", "\"x\", \"a\""),
                whole("if-match", "*"),
                whole("if-unmodified-since", WHEN),
                whole("if-unmodified-since", "yesterday"),
            ],
        ),
        case(
            "one that does not is put to the origin, whose answer decides",
            "9110 13.1.1",
            [
                get().answered(tagged()),
                get()
                    .with("if-match", "\"b\"")
                    .meanwhile(Answer::status(304))
                    .asked(1)
                    .origin_sees("if-none-match", "\"a\"")
                    .status(412)
                    .body("")
                    .header("cache-control", "no-store"),
                get()
                    .with("if-match", "\"b\"")
                    .answered(ok("max-age=60").with("etag", "\"b\""))
                    .body_of(2),
                get().cached(2),
                get()
                    .with("if-match", "W/\"b\"")
                    .meanwhile(Answer::status(304))
                    .asked(1)
                    .status(412),
            ],
        ),
        case(
            "if-unmodified-since fails for what was modified since",
            "9110 13.1.4",
            [
                get().answered(tagged()),
                get()
                    .with("if-unmodified-since", BEFORE)
                    .meanwhile(Answer::status(304))
                    .asked(1)
                    .status(412),
            ],
        ),
        case(
            "a miss is fetched whole, and the precondition is for the client",
            "9110 13.2.2",
            [
                get()
                    .with("if-match", "\"b\"")
                    .meanwhile(tagged())
                    .asked(1)
                    .status(412)
                    .body(""),
                get().cached(0),
            ],
        ),
    ]
}
