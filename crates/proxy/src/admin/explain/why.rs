//! Outcomes and reasons in words.

/// Why an answer was what it was, in one sentence.
pub(super) fn of(outcome: &str, reason: Option<&str>) -> &'static str {
    match (outcome, reason) {
        ("hit", _) => "it was stored, and fresh",
        ("stale", _) => "it was stored, stale, and allowed to be served while it was revalidated",
        ("collapsed", _) => "somebody else was fetching it: the response was shared",
        ("revalidated", _) => "it was stored, stale, and the origin confirmed it",
        ("stale_on_error", _) => {
            "the origin failed, and what was stored was allowed to be served instead"
        }
        ("miss", _) => "it was not stored, or not fresh; the origin's response was stored",
        ("generated", _) => {
            "the proxy answered by itself: the origin failed, or was not to be asked"
        }
        ("aborted", _) => "the client left before it had everything",
        ("error", _) => "something failed in the middle; the log tells more",
        ("pass", Some(reason)) => of_reason(reason),
        _ => "the origin's response was not stored",
    }
}

fn of_reason(reason: &str) -> &'static str {
    match reason {
        "no-store" => "the origin forbids to store it: Cache-Control: no-store",
        "private" => "the origin forbids shared caches to store it: Cache-Control: private",
        "must-understand" => "only caches that understand its status may store it",
        "no-lifetime" => {
            "the origin does not say how long it is fresh, and no default is configured"
        }
        "stale-on-arrival" => "it was stale already, and could not have been revalidated",
        "authorization" => {
            "the request had credentials, and the response does not allow to share it"
        }
        "set-cookie" => "it sets a cookie, and the origin does not say how long it may be stored",
        "vary" => "it varies by *, or by more headers than configured",
        "selecting-headers" => "the request's selecting headers are too long",
        "close-delimited" => "its end could not be told from a cut connection",
        "status" => "responses with its status are not stored",
        "variants" => "so many variants of it are stored that one more is not",
        "lock-timeout" => "it waited too long for another request for the same",
        "storage-error" => "the storage failed",
        "too-large" => "it is larger than its rule stores, or than any tier takes",
        "rule" => "its rule has requests pass by the cache",
        "cookie" => "the request carried a cookie with which its rule has it pass by the cache",
        "ambiguous-path" => "its path can be read in two ways, for which different rules hold",
        _ => UNKNOWN,
    }
}

const UNKNOWN: &str = "the origin's response was not stored, for the reason given";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_readme_has_its_sentence() {
        let readme = include_str!("../../../README.md");
        let table = readme.split("not stored because |\n").nth(1).unwrap();
        let rows = table.lines().skip(1).take_while(|row| row.starts_with('|'));
        let mut reasons = 0;
        for row in rows {
            let cell = row.split('|').nth(1).unwrap();
            for reason in cell.split('`').skip(1).step_by(2) {
                assert_ne!(of("pass", Some(reason)), UNKNOWN, "{reason}");
                reasons += 1;
            }
        }
        assert!(reasons >= 10, "{reasons}");
    }
}
