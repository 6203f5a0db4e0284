//! How old a response is: `Age` and `Date` (RFC 9111, 4.2.3 and 5.1).

use crate::case::{Answer, Case, case, get, ok};

/// Fresh for 100 seconds.
fn aged(age: &str) -> Answer {
    ok("max-age=100").with("age", age)
}

fn is_reused(name: &'static str, answer: Answer) -> Case {
    case(name, "9111 5.1", [get().answered(answer), get().cached(0)])
}

fn is_too_old(name: &'static str, answer: Answer) -> Case {
    let again = get().answered(ok("no-store"));
    case(name, "9111 5.1", [get().answered(answer), again])
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case(
            "a reused response tells its age",
            "9111 4",
            [
                get().answered(ok("max-age=60")),
                get().cached(0).at_least("age", 0),
            ],
        ),
        case(
            "the age it came with counts",
            "9111 4.2.3",
            [
                get().answered(aged("20")).at_least("age", 20),
                get().cached(0).at_least("age", 20),
            ],
        ),
        case(
            "what Date says counts, too",
            "9111 4.2.3",
            [
                get().answered(ok("max-age=100").with("date", "@-50")),
                get().cached(0).at_least("age", 49),
            ],
        ),
        case(
            "the larger of the two counts",
            "9111 4.2.3",
            [
                get().answered(aged("20").with("date", "@-50")),
                get().cached(0).at_least("age", 49),
            ],
        ),
        case(
            "a Date of tomorrow is no age",
            "9111 4.2.3",
            [
                get().answered(ok("max-age=100").with("date", "@86400")),
                get().cached(0),
            ],
        ),
        case(
            "a Date of long ago makes it stale",
            "9111 4.2.3",
            [
                get().answered(ok("max-age=100").with("date", "@-200")),
                get().answered(ok("no-store")),
            ],
        ),
        is_too_old("an age above the lifetime makes it stale", aged("100")),
        is_too_old("an age beyond 31 bits is old", aged("2147483648")),
        is_too_old(
            "an age beyond all bits is old",
            aged("99999999999999999999"),
        ),
        is_too_old(
            "of a list of ages the first counts, if it is old",
            aged("200, 0"),
        ),
        is_reused(
            "of a list of ages the first counts, if it is young",
            aged("0, 200"),
        ),
        is_too_old(
            "of two lines the first counts, if it is old",
            aged("200").with("age", "0"),
        ),
        is_reused(
            "of two lines the first counts, if it is young",
            aged("0").with("age", "200"),
        ),
        is_reused("an age that is no number is none", aged("old")),
        is_reused("an age below zero is none", aged("-200")),
        is_reused("an age with a fraction is none", aged("200.0")),
        is_reused("an age with a parameter is none", aged("200;x=1")),
    ]
}
