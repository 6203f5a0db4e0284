use super::*;

fn scan(head: &str) -> Result<Progress, Refusal> {
    Scanner::new(1000).look(head.as_bytes())
}

fn with(fields: &str) -> Result<Progress, Refusal> {
    scan(&format!("GET / HTTP/1.1\r\n{fields}\r\n\r\n"))
}

#[test]
fn a_head_ends_with_its_empty_line_however_it_comes() {
    let head = "\r\nGET /a?b HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
    let end = head.len();
    let whole = format!("{head}GET /next");
    let complete = Progress::Complete {
        end,
        what: Follows::Request,
    };
    assert_eq!(scan(&whole), Ok(complete));
    let mut scanner = Scanner::new(1000);
    for so_far in 0..end {
        let seen = scanner.look(&head.as_bytes()[..so_far]);
        assert_eq!(seen, Ok(Progress::Partial), "{so_far}");
    }
    let seen = scanner.look(head.as_bytes());
    assert!(matches!(seen, Ok(Progress::Complete { .. })));
}

#[test]
fn what_follows_a_head_with_a_body_is_not_the_next_request() {
    for (fields, follows) in [
        ("Host: a", Follows::Request),
        ("X-Content-Length: 3", Follows::Request),
        ("Content-Lengths: 3", Follows::Request),
        ("content-length: 3", Follows::Body),
        ("Content-Length:3", Follows::Body),
        ("Transfer-Encoding: chunked", Follows::Chunks),
        ("transfer-encoding:\tCHUNKED ", Follows::Chunks),
        ("Upgrade: websocket", Follows::Body),
        (
            "Transfer-Encoding: chunked\r\nUpgrade: websocket",
            Follows::Chunks,
        ),
    ] {
        let Ok(Progress::Complete { what, .. }) = with(fields) else {
            panic!("{fields}: {:?}", with(fields));
        };
        assert_eq!(what, follows, "{fields}");
    }
}

/// RFC 9112, 2.2, 3, 5.1, 5.2, 6.1 and 6.3.
#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for fields in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Content-Length: 3\r\nContent-Length: 3",
        "Content-Length: 3, 3",
        "Content-Length: +3",
        "Content-Length: -3",
        "Content-Length: 0x3",
        "Content-Length: 3 3",
        "Content-Length:",
        "Content-Length : 3\r\nContent-Length: 4",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Host: a\n",
        "Host: a\nX: b",
        "X: a\r\n b",
        "X: a\r\n\tb",
    ] {
        let refused = with(fields);
        assert!(
            matches!(refused, Err(Refusal::Malformed(_))),
            "{fields:?}: {refused:?}"
        );
    }
    for coding in [
        "gzip, chunked",
        "chunked, chunked",
        "identity",
        "xchunked",
        "chunked;a=b",
        "",
    ] {
        let refused = with(&format!("Transfer-Encoding: {coding}"));
        assert_eq!(refused, Err(Refusal::Coding), "{coding}");
    }
}

/// RFC 9112, 2.3, 3 and 3.2.
#[test]
fn the_first_line_is_a_method_a_target_and_a_version() {
    let first = |line: &str| scan(&format!("{line}\r\nHost: a\r\n\r\n"));
    for line in [
        "GET / HTTP/1.1",
        "GET / HTTP/1.0",
        "PURGE /a;b=c?d=../..&e=%00 HTTP/1.1",
        "GET /caf\u{e9} HTTP/1.1",
        "GET http://a.example/ HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "CONNECT a.example:443 HTTP/1.1",
    ] {
        assert!(first(line).is_ok(), "{line:?}: {:?}", first(line));
    }
    for version in ["0.9", "1.2", "2.0", "3.0"] {
        let line = format!("GET / HTTP/{version}");
        assert_eq!(first(&line), Err(Refusal::Version), "{line}");
    }
    for line in [
        "GET /",
        "GET  / HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET\t/ HTTP/1.1",
        " GET / HTTP/1.1",
        "GET a.example:80 HTTP/1.1",
        "GET * HTTP/1.1",
        "GET a HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET /\r HTTP/1.1",
        "GET /\u{7f} HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1.1 ",
        "GET / HTTP/1.10",
        "G(T / HTTP/1.1",
    ] {
        let seen = first(line);
        assert!(
            matches!(seen, Err(Refusal::Malformed(_))),
            "{line:?}: {seen:?}"
        );
    }
}

#[test]
fn what_is_not_http_is_refused_before_a_line_has_ended() {
    for garbage in [
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
        "\0",
        "{}",
        "SSH-2.0\u{7f}",
    ] {
        let seen = scan(garbage);
        assert!(matches!(seen, Err(Refusal::Malformed(_))), "{garbage:?}");
    }
    assert_eq!(scan(&"A".repeat(33)), Err(Refusal::Method));
    assert_eq!(scan(&"A".repeat(32)), Ok(Progress::Partial));
}

#[test]
fn no_head_is_larger_than_it_may_be() {
    let long = "a".repeat(1000);
    assert_eq!(scan(&format!("GET /{long}")), Err(Refusal::LongTarget));
    let target = format!("GET /{long} HTTP/1.1\r\n");
    assert_eq!(scan(&target), Err(Refusal::LongTarget));
    assert_eq!(with(&format!("X: {long}")), Err(Refusal::Large));
    let started = "GET / HTTP/1.1\r\nX: ".to_owned();
    assert_eq!(scan(&(started + &long)), Err(Refusal::Large));
    let many = "X:y\r\n".repeat(MAX_FIELDS);
    let mut scanner = Scanner::new(1 << 20);
    let enough = format!("GET / HTTP/1.1\r\n{many}");
    assert_eq!(scanner.look(enough.as_bytes()), Ok(Progress::Partial));
    let more = format!("{enough}X:y\r\n");
    assert_eq!(scanner.look(more.as_bytes()), Err(Refusal::ManyFields));
    assert!(matches!(
        scan(&"\r\n".repeat(5)),
        Err(Refusal::Malformed(_))
    ));
}
