//! Ranges, of what is stored and of what is not.

use crate::case::{Answer, Case, Step, ask, case, get, ok};

const WHEN: &str = "Sat, 21 Nov 2020 06:00:00 GMT";
/// Too many.
const MANY: &str = "bytes=0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,\
    0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0";

fn ten() -> Answer {
    ok("max-age=60")
        .with("etag", "\"a\"")
        .with("last-modified", WHEN)
        .carrying("0123456789")
}

/// A part of what is stored.
fn part(range: &str, body: &str, told: &str) -> Step {
    let step = get().with("range", range).asked(0).status(206);
    step.body(body).header("content-range", told)
}

/// The whole of what is stored.
fn whole(range: &str) -> Step {
    get()
        .with("range", range)
        .asked(0)
        .status(200)
        .body("0123456789")
}

fn unsatisfiable(range: &str) -> Step {
    let step = get().with("range", range).asked(0).status(416).body("");
    step.header("content-range", "bytes */10")
        .header("cache-control", "no-store")
}

pub(crate) fn cases() -> Vec<Case> {
    [parts(), limits()].into_iter().flatten().collect()
}

fn parts() -> Vec<Case> {
    vec![
        case(
            "parts of a stored body are exact",
            "9110 14.1.2",
            [
                get().answered(ten()),
                part("bytes=0-0", "0", "bytes 0-0/10"),
                part("bytes=2-4", "234", "bytes 2-4/10"),
                part("bytes=7-", "789", "bytes 7-9/10"),
                part("bytes=7-99", "789", "bytes 7-9/10"),
                part("bytes=-3", "789", "bytes 7-9/10"),
                part("bytes=-99", "0123456789", "bytes 0-9/10"),
                part("BYTES=2-4", "234", "bytes 2-4/10"),
            ],
        ),
        case(
            "what has no byte of the body is a 416",
            "9110 15.5.17",
            [
                get().answered(ten()),
                unsatisfiable("bytes=10-"),
                unsatisfiable("bytes=10-12,20-"),
                unsatisfiable("bytes=-0"),
                unsatisfiable("bytes=99999999999999999999999-"),
                part("bytes=10-,2-4", "234", "bytes 2-4/10"),
            ],
        ),
        case(
            "what is malformed, unknown or too much gets the whole",
            "9110 14.2",
            [
                get().answered(ten()),
                whole("bytes=4-2"),
                whole("bytes=-"),
                whole("bytes="),
                whole("bytes=a-b"),
                whole("bytes=0-1,x"),
                whole("lines=0-1"),
                whole("0-1"),
                whole(MANY),
                whole("bytes=0-1").with("range", "bytes=2-3"),
            ],
        ),
        case(
            "ranges that overlap or touch are one",
            "9110 15.3.7.2",
            [
                get().answered(ten()),
                part("bytes=0-3,2-5", "012345", "bytes 0-5/10"),
                part("bytes=2-3,0-1", "0123", "bytes 0-3/10"),
                part("bytes=0-,0-,0-", "0123456789", "bytes 0-9/10"),
            ],
        ),
        case(
            "if-range wants the same bytes",
            "9110 13.1.5",
            [
                get().answered(ten()),
                part("bytes=2-4", "234", "bytes 2-4/10").with("if-range", "\"a\""),
                part("bytes=2-4", "234", "bytes 2-4/10").with("if-range", WHEN),
                whole("bytes=2-4").with("if-range", "\"b\""),
                whole("bytes=2-4").with("if-range", "W/\"a\""),
                whole("bytes=2-4").with("if-range", "@0"),
                whole("bytes=10-").with("if-range", "\"b\""),
            ],
        ),
    ]
}

fn limits() -> Vec<Case> {
    vec![
        case(
            "ranges are for GET, for 200, and for who needs the body",
            "9110 14.2",
            [
                get().answered(ten()),
                ask("HEAD").with("range", "bytes=2-4").asked(0).status(200),
                get()
                    .with("range", "bytes=2-4")
                    .with("if-none-match", "\"a\"")
                    .asked(0)
                    .status(304),
            ],
        ),
        case(
            "an error has no parts",
            "9110 14.2",
            [
                get().answered(Answer::status(404).with("cache-control", "max-age=60")),
                get().with("range", "bytes=0-1").cached(0).status(404),
            ],
        ),
        case(
            "a range that misses fetches the whole",
            "9111 3.3",
            [
                get()
                    .with("range", "bytes=2-4")
                    .meanwhile(ten())
                    .asked(1)
                    .origin_sees_no("range")
                    .status(206)
                    .body("234"),
                part("bytes=7-", "789", "bytes 7-9/10"),
                get().asked(0).status(200).body("0123456789"),
            ],
        ),
        case(
            "a part from the origin is passed on, and never stored as the whole",
            "9111 3.3",
            [
                get()
                    .with("range", "bytes=0-4")
                    .answered(
                        Answer::status(206)
                            .with("cache-control", "max-age=60")
                            .with("content-range", "bytes 0-4/10")
                            .carrying("01234"),
                    )
                    .body("01234")
                    .header("content-range", "bytes 0-4/10"),
                get().answered(ten()),
            ],
        ),
        case(
            "of what was not stored so far the origin is asked for the part",
            "9110 14.2",
            [
                get().answered(ok("no-store")),
                get()
                    .with("range", "bytes=0-4")
                    .with("if-range", "\"a\"")
                    .answered(
                        Answer::status(206)
                            .with("cache-control", "max-age=60")
                            .with("content-range", "bytes 0-4/10")
                            .carrying("01234"),
                    )
                    .origin_sees("range", "bytes=0-4")
                    .origin_sees("if-range", "\"a\""),
                // It could be stored by now: the next one fetches the whole.
                get()
                    .with("range", "bytes=0-4")
                    .meanwhile(ten())
                    .asked(1)
                    .origin_sees_no("range")
                    .status(206)
                    .body("01234"),
                part("bytes=5-", "56789", "bytes 5-9/10"),
            ],
        ),
    ]
}
