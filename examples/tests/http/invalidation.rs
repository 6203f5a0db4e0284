//! What unsafe methods make of what is stored.

use crate::case::{Answer, Case, Step, ask, case, get, ok};

fn fresh() -> Answer {
    ok("max-age=60")
}

fn post() -> Step {
    let mut step = ask("POST");
    step.body = Some("change it");
    step
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"]
        .into_iter()
        .map(|method| {
            case(
                method,
                "9111 4.4",
                [
                    get().answered(fresh()),
                    get().cached(0),
                    ask(method).answered(Answer::status(200)),
                    get().answered(fresh()),
                    get().cached(3),
                ],
            )
        })
        .collect();
    cases.extend(rules());
    cases
}

fn rules() -> Vec<Case> {
    vec![
        case(
            "an answer of success or redirection invalidates, an error does not",
            "9111 4.4",
            [
                get().answered(fresh()),
                post().answered(Answer::status(400)),
                get().cached(0),
                post().answered(Answer::status(500)),
                get().cached(0),
                post().answered(Answer::status(303)),
                get().answered(fresh()),
                post().answered(Answer::status(204)),
                get().answered(fresh()),
            ],
        ),
        case(
            "safe methods invalidate nothing",
            "9110 9.2.1",
            [
                get().answered(fresh()),
                ask("OPTIONS").answered(Answer::status(200)),
                ask("HEAD").asked(0).body(""),
                get().cached(0),
            ],
        ),
        case(
            "all variants go",
            "9111 4.4",
            [
                get().with("foo", "1").answered(fresh().with("vary", "foo")),
                get().with("foo", "2").answered(fresh().with("vary", "foo")),
                post().answered(Answer::status(200)),
                get().with("foo", "2").answered(fresh().with("vary", "foo")),
                get().with("foo", "1").answered(fresh().with("vary", "foo")),
            ],
        ),
        case(
            "what location and content-location name goes, too",
            "9111 4.4",
            [
                get().at("/a/x").answered(fresh()),
                get().at("/a/y?z").answered(fresh()),
                get().at("/a/other").answered(fresh()),
                post().at("/a/b").answered(
                    Answer::status(201)
                        .with("location", "x")
                        .with("content-location", "./y?z#fragment"),
                ),
                get().at("/a/x").answered(fresh()),
                get().at("/a/y?z").answered(fresh()),
                get().at("/a/other").cached(2),
            ],
        ),
        case(
            "not if the request failed",
            "9111 4.4",
            [
                get().at("/a/x").answered(fresh()),
                post()
                    .at("/a/b")
                    .answered(Answer::status(409).with("location", "x")),
                get().at("/a/x").cached(0),
            ],
        ),
        case(
            "a query of its own is another URL",
            "9111 4.4",
            [
                get().at("?a").answered(fresh()),
                post().at("?b").answered(Answer::status(200)),
                get().at("?a").cached(0),
            ],
        ),
    ]
}
