use std::fmt::Write as _;
use std::time::Duration;

use bytesize::ByteSize;
use http::header::{self, HeaderName};
use http::{Method, StatusCode};
use pingora::http::RequestHeader;
use terrace::Timestamp;

/// The longest `/slow` waits, in milliseconds.
const MAX_WAIT: u64 = 60_000;
/// The largest `/large`, in bytes.
const MAX_LARGE: u64 = 100 << 30;

/// What is answered.
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(HeaderName, &'static str)>,
    pub(super) body: Body,
    pub(super) wait: Option<Duration>,
}

pub(super) enum Body {
    Text(String),
    Large { len: u64, chunked: bool },
}

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

impl Page {
    fn new(status: StatusCode, content_type: &'static str, text: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![(header::CONTENT_TYPE, content_type)],
            body: Body::Text(text.into()),
            wait: None,
        }
    }

    fn text(cache_control: &'static str, text: impl Into<String>) -> Self {
        Self::new(StatusCode::OK, TEXT, text).with(header::CACHE_CONTROL, cache_control)
    }

    fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// The page `req` asks for.
pub(super) fn page(req: &RequestHeader, now: Timestamp) -> Page {
    if !matches!(req.method, Method::GET | Method::HEAD) {
        return Page::text("no-store", format!("{} received\n", req.method));
    }
    let path = req.uri.path().trim_start_matches('/');
    match path.split_once('/').unwrap_or((path, "")) {
        ("", _) => index(),
        ("page", number) => Page::text("public, max-age=60", format!("page {number}\n")),
        ("large", size) => large(size, req.uri.query() == Some("chunked")),
        ("slow", millis) => slow(millis),
        ("time", _) => time(now),
        ("vary", _) => greeting(req),
        ("private", _) => Page::text("private", "for your eyes only\n"),
        ("etag", _) => tagged(req),
        ("error", _) => Page::new(StatusCode::SERVICE_UNAVAILABLE, TEXT, "out of order\n")
            .with(header::CACHE_CONTROL, "no-store"),
        _ => not_found("there is no such page; / lists all\n"),
    }
}

fn index() -> Page {
    const PAGES: [(&str, &str); 10] = [
        ("/page/1", "fresh for a minute; any number will do"),
        (
            "/large/3MiB",
            "a large body with a Content-Length, fresh for an hour; any size will do",
        ),
        ("/large/3MiB?chunked", "the same without a Content-Length"),
        (
            "/slow/1000",
            "answers after so many milliseconds, fresh for a minute",
        ),
        (
            "/time",
            "fresh for 5 seconds, then served stale for a minute while it is fetched anew",
        ),
        ("/vary", "by Accept-Language: en, de or fr"),
        ("/private", "not stored"),
        ("/etag", "fresh for 2 seconds, then confirmed by a 304"),
        ("/error", "503"),
        ("/nothing", "404, fresh for 10 seconds"),
    ];
    let mut html =
        "<!doctype html><title>Terrace</title><h1>Terrace: demonstration origin</h1><ul>\n"
            .to_owned();
    for (path, what) in PAGES {
        // Writing to a string cannot fail.
        let _ = writeln!(html, "<li><a href=\"{path}\">{path}</a>: {what}");
    }
    html.push_str("</ul><p>Cache-Status, in each response, says where it came from.\n");
    Page::new(StatusCode::OK, HTML, html).with(header::CACHE_CONTROL, "public, max-age=60")
}

fn large(size: &str, chunked: bool) -> Page {
    let len = match size.parse::<ByteSize>() {
        Ok(size) if size.as_u64() <= MAX_LARGE => size.as_u64(),
        _ => return not_found("write a size up to 100GiB: /large/3MiB\n"),
    };
    Page {
        status: StatusCode::OK,
        headers: vec![
            (header::CONTENT_TYPE, "application/octet-stream"),
            (header::CACHE_CONTROL, "public, max-age=3600"),
        ],
        body: Body::Large { len, chunked },
        wait: None,
    }
}

fn slow(millis: &str) -> Page {
    let Ok(millis) = millis.parse::<u64>() else {
        return not_found("write a number of milliseconds: /slow/1000\n");
    };
    let millis = millis.min(MAX_WAIT);
    let mut page = Page::text("public, max-age=60", format!("after {millis} ms\n"));
    page.wait = Some(Duration::from_millis(millis));
    page
}

fn time(now: Timestamp) -> Page {
    let seconds = now.as_millis() / 1000;
    let control = "public, max-age=5, stale-while-revalidate=60, stale-if-error=600";
    Page::text(control, format!("{seconds} seconds since 1970\n"))
}

fn greeting(req: &RequestHeader) -> Page {
    let language = req.headers.get(header::ACCEPT_LANGUAGE);
    let language = language.map_or(&b""[..], |language| language.as_bytes());
    let text = match language.get(..2) {
        Some(b"de") => "Guten Tag\n",
        Some(b"fr") => "Bonjour\n",
        _ => "Good day\n",
    };
    Page::text("public, max-age=60", text).with(header::VARY, "Accept-Language")
}

fn tagged(req: &RequestHeader) -> Page {
    const TAG: &str = "\"terrace-1\"";
    let known = req.headers.get(header::IF_NONE_MATCH);
    let mut page = Page::text("public, max-age=2", "always the same\n").with(header::ETAG, TAG);
    if known.is_some_and(|known| known.as_bytes() == TAG.as_bytes()) {
        page.status = StatusCode::NOT_MODIFIED;
    }
    page
}

fn not_found(text: &str) -> Page {
    Page::new(StatusCode::NOT_FOUND, TEXT, text).with(header::CACHE_CONTROL, "public, max-age=10")
}

/// `len` bytes of numbered lines of 16 bytes: a mixed-up range shows.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    let lines = (0..len.div_ceil(16)).flat_map(|line| format!("{line:015}\n").into_bytes());
    lines.take(len).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(target: &str, headers: &[(&'static str, &'static str)]) -> Page {
        let mut req = RequestHeader::build("GET", target.as_bytes(), None).unwrap();
        for (name, value) in headers {
            req.append_header(*name, *value).unwrap();
        }
        page(&req, Timestamp::EPOCH)
    }

    fn text(page: Page) -> String {
        match page.body {
            Body::Text(text) => text,
            Body::Large { len, .. } => format!("{len} bytes"),
        }
    }

    #[test]
    fn every_page_on_the_index_exists() {
        let index = text(ask("/", &[]));
        let links: Vec<_> = index.split("href=\"").skip(1).collect();
        assert_eq!(links.len(), 10);
        for link in links {
            let target = link.split('"').next().unwrap();
            let status = ask(target, &[]).status.as_u16();
            let expected = match target {
                "/error" => 503,
                "/nothing" => 404,
                _ => 200,
            };
            assert_eq!(status, expected, "{target}");
        }
    }

    #[test]
    fn pages_do_what_they_say() {
        assert_eq!(text(ask("/page/7", &[])), "page 7\n");
        assert_eq!(text(ask("/large/3MiB", &[])), format!("{} bytes", 3 << 20));
        assert_eq!(
            text(ask("/vary", &[("accept-language", "de-AT")])),
            "Guten Tag\n"
        );
        let known = [("if-none-match", "\"terrace-1\"")];
        assert_eq!(ask("/etag", &known).status, StatusCode::NOT_MODIFIED);
        assert_eq!(
            ask("/slow/999999999", &[]).wait,
            Some(Duration::from_mins(1))
        );
        assert_eq!(ask("/large/9999GiB", &[]).status, StatusCode::NOT_FOUND);
    }

    #[test]
    fn the_pattern_numbers_its_lines() {
        assert_eq!(pattern(20), b"000000000000000\n0000");
    }
}
