//! The status page: a few files in the program, and no other origin.

use http::StatusCode;

use super::answer::Answer;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// Path, type, content.
const FILES: [(&str, &str, &str); 12] = [
    ("/", HTML, include_str!("page/index.html")),
    ("/status", HTML, include_str!("page/index.html")),
    ("/status.css", CSS, include_str!("page/status.css")),
    ("/status.js", JS, include_str!("page/status.js")),
    ("/status/chart.js", JS, include_str!("page/status/chart.js")),
    ("/status/dom.js", JS, include_str!("page/status/dom.js")),
    (
        "/status/format.js",
        JS,
        include_str!("page/status/format.js"),
    ),
    (
        "/status/history.js",
        JS,
        include_str!("page/status/history.js"),
    ),
    ("/status/purge.js", JS, include_str!("page/status/purge.js")),
    ("/status/tiers.js", JS, include_str!("page/status/tiers.js")),
    ("/status/top.js", JS, include_str!("page/status/top.js")),
    (
        "/status/verdict.js",
        JS,
        include_str!("page/status/verdict.js"),
    ),
];

/// The file of the page at `path`.
pub(super) fn file(path: &str) -> Option<Answer> {
    let (_, kind, content) = FILES.iter().find(|(known, ..)| *known == path)?;
    Some(Answer::new(StatusCode::OK, kind, *content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_that_is_imported_is_there() {
        for (path, kind, content) in FILES {
            if kind != JS {
                continue;
            }
            let imports = content
                .lines()
                .filter_map(|line| line.split_once("from \"./"));
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            for (_, name) in imports {
                let imported = format!("{folder}/{}", name.trim_end_matches("\";"));
                assert!(file(&imported).is_some(), "{path}: {imported}");
            }
        }
    }

    #[test]
    fn no_markup_is_made_of_text() {
        for (path, _, content) in FILES {
            for sink in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "Function(",
            ] {
                assert!(!content.contains(sink), "{path}: {sink}");
            }
        }
        assert!(file("/other").is_none());
    }
}
