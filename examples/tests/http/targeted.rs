//! Fields for caches such as this one (RFC 9213).

use crate::case::{Answer, Case, case, get, ok};

const CDN: &str = "cdn-cache-control";
const OURS: &str = "terrace-cdn-cache-control";

fn is_reused(name: &'static str, answer: Answer) -> Case {
    case(name, "9213 2.2", [get().answered(answer), get().cached(0)])
}

fn is_not_reused(name: &'static str, answer: Answer) -> Case {
    let again = get().answered(ok("no-store"));
    case(name, "9213 2.2", [get().answered(answer), again])
}

/// 50 seconds old.
fn old(control: &str) -> Answer {
    ok(control).with("age", "50")
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        is_reused(
            "it makes it fresh",
            Answer::status(200).with(CDN, "max-age=60"),
        ),
        is_reused(
            "it wins over Cache-Control",
            ok("no-store").with(CDN, "max-age=60"),
        ),
        is_reused(
            "it wins over a shorter lifetime",
            old("max-age=1").with(CDN, "max-age=60"),
        ),
        is_not_reused(
            "it wins over a longer one",
            old("max-age=60").with(CDN, "max-age=1"),
        ),
        is_not_reused(
            "it wins over Expires",
            Answer::status(200)
                .with("expires", "@60")
                .with(CDN, "max-age=0"),
        ),
        is_not_reused(
            "its no-store counts",
            ok("max-age=60").with(CDN, "no-store"),
        ),
        is_not_reused("its private counts", ok("max-age=60").with(CDN, "private")),
        is_not_reused(
            "its no-cache counts",
            ok("max-age=60").with(CDN, "no-cache"),
        ),
        is_not_reused(
            "age counts",
            Answer::status(200)
                .with(CDN, "max-age=60")
                .with("age", "60"),
        ),
        is_reused(
            "what it says besides is passed over",
            Answer::status(200).with(CDN, "x, y=?0, max-age=60;z"),
        ),
        is_reused(
            "ours wins over that of all",
            Answer::status(200)
                .with(CDN, "no-store")
                .with(OURS, "max-age=60"),
        ),
        is_reused(
            "an invalid one of ours does not",
            Answer::status(200)
                .with(OURS, "max-age=")
                .with(CDN, "max-age=60"),
        ),
        is_not_reused(
            "what is no dictionary is not there",
            ok("no-store").with(CDN, "max-age=60, &&&"),
        ),
        is_not_reused("what is empty is not there", ok("no-store").with(CDN, "")),
        is_not_reused(
            "a value of the wrong type is not there",
            ok("no-store").with(CDN, r#"max-age="60""#),
        ),
        is_reused(
            "that of another cache is none of ours",
            ok("max-age=60").with("other-cdn-cache-control", "no-store"),
        ),
        case(
            "it is passed on",
            "9213 2.1",
            [
                get()
                    .answered(ok("max-age=1").with(CDN, "max-age=60"))
                    .header(CDN, "max-age=60"),
                get()
                    .cached(0)
                    .header(CDN, "max-age=60")
                    .header("cache-control", "max-age=1"),
            ],
        ),
        case(
            "it may withhold fields",
            "9213 2.1",
            [
                get()
                    .answered(
                        Answer::status(200)
                            .with(CDN, "max-age=60, no-cache=(\"a\")")
                            .with("a", "1"),
                    )
                    .header("a", "1"),
                get().cached(0).without("a"),
            ],
        ),
    ]
}
