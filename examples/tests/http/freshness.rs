//! For how long a response is good (RFC 9111, 4.2).

use crate::case::{Answer, Case, case, get, ok};

fn is_reused(name: &'static str, section: &'static str, answer: Answer) -> Case {
    case(name, section, [get().answered(answer), get().cached(0)])
}

fn is_not_reused(name: &'static str, section: &'static str, answer: Answer) -> Case {
    let again = get().answered(ok("no-store"));
    case(name, section, [get().answered(answer), again])
}

/// 50 seconds old.
fn old(control: &str) -> Answer {
    ok(control).with("age", "50")
}

fn expires(value: &str) -> Answer {
    Answer::status(200).with("expires", value)
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = directives();
    cases.extend(dates());
    cases.extend(guesses());
    cases
}

fn directives() -> Vec<Case> {
    const PARSING: &str = "9111 4.2.1";
    vec![
        case(
            "of many clients at a time one asks the origin",
            "9111 4",
            [get().answered(ok("max-age=60")).at_once(16)],
        ),
        is_reused("max-age makes it fresh", "9111 5.2.2.1", ok("max-age=60")),
        is_not_reused("max-age=0 does not", "9111 5.2.2.1", ok("max-age=0")),
        is_reused(
            "what overflows is for ever",
            "9111 1.2.2",
            ok("max-age=99999999999"),
        ),
        is_reused(
            "a longer s-maxage wins",
            "9111 5.2.2.10",
            old("max-age=1, s-maxage=60"),
        ),
        is_not_reused(
            "a shorter s-maxage wins",
            "9111 5.2.2.10",
            old("max-age=60, s-maxage=1"),
        ),
        is_reused(
            "max-age wins over Expires",
            "9111 5.3",
            ok("max-age=60").with("expires", "@-60"),
        ),
        is_not_reused(
            "max-age=0 wins over Expires",
            "9111 5.3",
            ok("max-age=0").with("expires", "@60"),
        ),
        is_reused("names are read in any case", "9111 5.2", ok("MAX-Age=60")),
        is_reused("numbers may be quoted", "9111 5.2", ok(r#"max-age="60""#)),
        is_reused(
            "what is unknown is passed over",
            "9111 5.2.3",
            ok(r#"x, y=1, z="a, b", max-age=60"#),
        ),
        is_not_reused(
            "what is quoted is no directive",
            "9111 5.2",
            ok(r#"x="max-age=60""#),
        ),
        is_not_reused("single quotes are none", PARSING, ok("max-age='60'")),
        is_not_reused("a fraction makes it stale", PARSING, ok("max-age=60.0")),
        is_not_reused(
            "a negative number makes it stale",
            PARSING,
            ok("max-age=-60"),
        ),
        is_not_reused(
            "a blank before the number makes it stale",
            PARSING,
            ok("max-age= 60"),
        ),
        is_not_reused("a missing number makes it stale", PARSING, ok("max-age")),
        is_not_reused(
            "an s-maxage that is no number makes it stale",
            PARSING,
            ok("s-maxage=x, max-age=60"),
        ),
        is_reused(
            "of two the first counts, if it is longer",
            PARSING,
            old("max-age=60, max-age=1"),
        ),
        is_not_reused(
            "of two the first counts, if it is shorter",
            PARSING,
            old("max-age=1, max-age=60"),
        ),
        is_not_reused(
            "of two lines the first counts",
            PARSING,
            old("max-age=1").with("cache-control", "max-age=60"),
        ),
    ]
}

fn dates() -> Vec<Case> {
    const FORMAT: &str = "9111 4.2";
    const INVALID: &str = "9111 5.3";
    let far = "Sun, 21 Nov 2286 04:46:39 GMT";
    vec![
        is_reused("Expires makes it fresh", "9111 5.3", expires("@60")),
        is_not_reused("it expires", "9111 5.3", expires("@-60")),
        is_not_reused(
            "it expires when it is made",
            "9111 5.3",
            expires("@0").with("date", "@0"),
        ),
        is_reused(
            "Expires is by the clock of Date",
            "9111 4.2.1",
            expires("@1060").with("date", "@1000"),
        ),
        is_not_reused(
            "a lifetime by that clock ends, too",
            "9111 4.2.1",
            expires("@300").with("date", "@400"),
        ),
        is_reused(
            "a Date that is none does not matter",
            "9111 4.2.1",
            expires("@60").with("date", "x"),
        ),
        is_not_reused(
            "age counts against Expires",
            "9111 4.2",
            expires("@60").with("date", "@0").with("age", "60"),
        ),
        is_reused("a date may be far away", FORMAT, expires(far)),
        is_reused(
            "a date may be of RFC 850",
            FORMAT,
            expires("Thursday, 18-Aug-50 02:01:18 GMT"),
        ),
        is_reused(
            "a date may be of asctime",
            FORMAT,
            expires("Thu Aug 18 02:01:18 2050"),
        ),
        is_reused(
            "a date may be in any case",
            FORMAT,
            expires("thu, 18 AUG 2050 02:01:18 gmt"),
        ),
        is_not_reused("0 is in the past", INVALID, expires("0")),
        is_not_reused(
            "another zone is in the past",
            INVALID,
            expires("Thu, 18 Aug 2050 02:01:18 UTC"),
        ),
        is_not_reused(
            "a short year is in the past",
            INVALID,
            expires("Thu, 18 Aug 50 02:01:18 GMT"),
        ),
        is_not_reused(
            "a short hour is in the past",
            INVALID,
            expires("Thu, 18 Aug 2050 2:01:18 GMT"),
        ),
        is_not_reused(
            "dashes are in the past",
            INVALID,
            expires("Thu, 18-Aug-2050 02:01:18 GMT"),
        ),
        is_not_reused(
            "of two lines the first counts",
            "9111 4.2.1",
            expires("0").with("expires", far),
        ),
    ]
}

fn guesses() -> Vec<Case> {
    const GUESS: &str = "9111 4.2.2";
    let unchanged = |status| {
        Answer::status(status)
            .with("last-modified", "@-100000")
            .with("date", "@0")
    };
    let unknown = is_not_reused(
        "nothing is known, nothing is guessed",
        GUESS,
        Answer::status(200),
    );
    let mut cases = vec![
        unknown,
        case(
            "what has not changed for long is taken to stay",
            GUESS,
            [
                get().answered(unchanged(200)),
                get().cached(0).cache_says("ttl="),
            ],
        ),
        case(
            "not for longer than a tenth of that time",
            GUESS,
            [
                get().answered(unchanged(200).with("age", "10001").with("etag", "\"a\"")),
                get().validated(0).origin_sees("if-none-match", "\"a\""),
            ],
        ),
        is_reused(
            "an unknown status that is public",
            "9111 5.2.2.9",
            unchanged(599).with("cache-control", "public"),
        ),
        is_not_reused(
            "what is explicit is not guessed",
            GUESS,
            unchanged(200)
                .with("expires", "0")
                .with("cache-control", "no-store"),
        ),
        is_not_reused(
            "a page with a cookie",
            "9111 7.3",
            unchanged(200).with("set-cookie", "a=b"),
        ),
        is_not_reused(
            "an answer that says Pragma: no-cache",
            "9111 5.4",
            unchanged(200).with("pragma", "no-cache"),
        ),
    ];
    cases.extend([
        is_reused("200 is guessed", "9110 15.1", unchanged(200)),
        case(
            "204 is guessed",
            "9110 15.1",
            [get().answered(unchanged(204)), get().asked(0).status(204)],
        ),
        is_reused("301 is guessed", "9110 15.1", unchanged(301)),
        is_reused("404 is guessed", "9110 15.1", unchanged(404)),
        is_reused("501 is guessed", "9110 15.1", unchanged(501)),
        is_not_reused("201 is not guessed", "9110 15.1", unchanged(201)),
        is_not_reused("302 is not guessed", "9110 15.1", unchanged(302)),
        is_not_reused("403 is not guessed", "9110 15.1", unchanged(403)),
        is_not_reused("503 is not guessed", "9110 15.1", unchanged(503)),
        is_not_reused("599 is not guessed", "9110 15.1", unchanged(599)),
    ]);
    cases
}
