//! How old a response is: `Age` and `Date`.

use crate::case::{Case, case, get, ok};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case(
            "a response is told with its age",
            "9111 4",
            [
                get().answered(ok("max-age=60").with("age", "20")),
                get().cached(0).at_least("age", 20),
            ],
        ),
        case(
            "what is older than its lifetime is not reused",
            "9111 4.2",
            [
                get().answered(ok("max-age=60").with("age", "60")),
                get().answered(ok("max-age=60")),
            ],
        ),
    ]
}
