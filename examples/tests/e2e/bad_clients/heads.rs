//! Heads of requests that are too large, that are not HTTP, and that could be read in two ways.

use std::fs;

use super::Target;
use crate::support::{Answers, Raw};

const HOST: &str = "Host: e2e.example\r\n";

/// Each is refused with its status, and nothing of it gets to the origin.
async fn refuses(target: &Target, cases: &[(&str, Vec<u8>, u16)]) {
    let asked = target.origin.requests();
    for (what, bytes, status) in cases {
        let answers = Raw::exchange(target.proxy.listen, bytes).await;
        assert_eq!(answers.statuses(), [*status], "{what}: {answers:?}");
        target.serves().await;
    }
    assert_eq!(target.origin.requests(), asked, "one got through");
}

fn get(target: &str, fields: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\n{HOST}{fields}\r\n").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_ones() {
    let target = Target::new(&[]).await;
    let many = "X-Field: value\r\n".repeat(100_000);
    let huge = format!("X-Field: {}\r\n", "v".repeat(1 << 20));
    let long = format!("/{}", "a".repeat(100_000));
    refuses(
        &target,
        &[
            ("100,000 fields", get("/", &many), 431),
            ("257 small fields", get("/", &"A:b\r\n".repeat(257)), 431),
            ("a field of a MiB", get("/", &huge), 431),
            ("a long target", get(&long, ""), 414),
            ("a long method", vec![b'A'; 100_000], 501),
        ],
    )
    .await;
    let reasons = ["large", "many_fields", "long_target", "method"];
    for reason in reasons {
        assert!(target.refused(reason).await >= 1.0, "{reason}");
    }
    target.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_http_or_another_one() {
    let target = Target::new(&[]).await;
    let bytes = |text: &str| text.as_bytes().to_vec();
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    let version = |it: &str| bytes(&format!("GET / {it}\r\n{HOST}\r\n"));
    refuses(
        &target,
        &[
            ("a TLS handshake", hello, 400),
            ("zeros", vec![0; 1000], 400),
            ("HTTP/0.9", bytes("GET /\r\n"), 400),
            ("HTTP/0.9 with its number", version("HTTP/0.9"), 505),
            ("HTTP/1.9", version("HTTP/1.9"), 505),
            ("HTTP/2.0", version("HTTP/2.0"), 505),
            ("HTTP/3.0", version("HTTP/3.0"), 505),
            ("another protocol", version("ICY/1.0"), 400),
            ("a preface", bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400),
            ("empty lines", bytes(&"\r\n".repeat(100)), 400),
        ],
    )
    .await;
    target.ends_well().await;
}

/// RFC 9112, 2.2, 5 and 6.
#[tokio::test(flavor = "multi_thread")]
async fn what_could_be_read_in_two_ways() {
    let target = Target::new(&[]).await;
    let bytes = |text: &str| text.as_bytes().to_vec();
    let post = |fields: &str| {
        // What follows would be a request of its own for who reads it the other way.
        let smuggled = format!("0\r\n\r\nGET /smuggled HTTP/1.1\r\n{HOST}\r\n");
        bytes(&format!("POST / HTTP/1.1\r\n{HOST}{fields}\r\n{smuggled}"))
    };
    let chunked = "Transfer-Encoding: chunked\r\n";
    let five = "Content-Length: 5\r\n";
    refuses(
        &target,
        &[
            ("a length and chunks", post(&[five, chunked].concat()), 400),
            ("chunks and a length", post(&[chunked, five].concat()), 400),
            (
                "two lengths",
                post(&[five, "Content-Length: 6\r\n"].concat()),
                400,
            ),
            ("a length twice", post(&[five, five].concat()), 400),
            ("a list of lengths", post("Content-Length: 5, 6\r\n"), 400),
            ("a length with a sign", post("Content-Length: +5\r\n"), 400),
            (
                "a length with a space",
                post("Content-Length: 5 6\r\n"),
                400,
            ),
            ("a hexadecimal length", post("Content-Length: 0x5\r\n"), 400),
            ("no length", post("Content-Length: \r\n"), 400),
            ("a negative length", post("Content-Length: -5\r\n"), 400),
            (
                "a length no number holds",
                post("Content-Length: 99999999999999999999999\r\n"),
                400,
            ),
            ("a name with a space", post("Content-Length : 5\r\n"), 400),
            ("chunked twice", post(&[chunked, chunked].concat()), 400),
            (
                "something else chunked",
                post("Transfer-Encoding: xchunked\r\n"),
                501,
            ),
            (
                "chunked, then identity",
                post("Transfer-Encoding: chunked, identity\r\n"),
                501,
            ),
            (
                "chunked, folded",
                post("Transfer-Encoding:\r\n chunked\r\n"),
                501,
            ),
            (
                "a folded field",
                post("X-Field: a\r\n b\r\nContent-Length: 5\r\n"),
                400,
            ),
            (
                "a line with LF only",
                post("X-Field: a\nContent-Length: 5\r\n"),
                400,
            ),
            (
                "a line with CR only",
                post("X-Field: a\rContent-Length: 5\r\n"),
                400,
            ),
            (
                "a NUL in a value",
                post("X-Field: a\0b\r\nContent-Length: 5\r\n"),
                400,
            ),
            ("no name", post(": a\r\nContent-Length: 5\r\n"), 400),
            ("no colon", post("X-Field\r\nContent-Length: 5\r\n"), 400),
        ],
    )
    .await;
    assert_eq!(target.origin.count("/smuggled"), 0);
    target.ends_well().await;
}

/// RFC 9112, 3.2; RFC 9110, 4.2.4 and 7.2.
#[tokio::test(flavor = "multi_thread")]
async fn what_names_no_host_or_two() {
    let target = Target::new(&[]).await;
    let first = |line: &str| format!("{line}\r\n{HOST}\r\n").into_bytes();
    let hosts = |hosts: &str| format!("GET / HTTP/1.1\r\n{hosts}\r\n").into_bytes();
    refuses(
        &target,
        &[
            ("no host", hosts(""), 400),
            ("two hosts", hosts("Host: a\r\nHost: b\r\n"), 400),
            ("one host twice", hosts("Host: a\r\nHost: a\r\n"), 400),
            ("a host with a path", hosts("Host: a/b\r\n"), 400),
            ("a host with credentials", hosts("Host: u:p@a\r\n"), 400),
            ("a host with a space", hosts("Host: a b\r\n"), 400),
            (
                "two first lines in one",
                first("GET / HTTP/1.1 GET / HTTP/1.1"),
                400,
            ),
            ("a NUL in a path", first("GET /\0 HTTP/1.1"), 400),
            ("a tab in a path", first("GET /a\tb HTTP/1.1"), 400),
            ("a space in a path", first("GET /a b HTTP/1.1"), 400),
            ("DEL in a path", first("GET /a\u{7f} HTTP/1.1"), 400),
            ("no path", first("GET  HTTP/1.1"), 400),
            (
                "the authority form",
                first("GET e2e.example:80 HTTP/1.1"),
                400,
            ),
            (
                "another scheme",
                first("GET ftp://e2e.example/ HTTP/1.1"),
                400,
            ),
            (
                "another host in the target",
                first("GET http://a.example/ HTTP/1.1"),
                400,
            ),
            (
                "credentials in the target",
                first("GET http://u@e2e.example/ HTTP/1.1"),
                400,
            ),
            ("a tunnel", first("CONNECT e2e.example:80 HTTP/1.1"), 405),
        ],
    )
    .await;
    target.ends_well().await;
}

/// They are not the proxy's to judge, and lead nowhere but to the origin.
#[tokio::test(flavor = "multi_thread")]
async fn odd_paths_reach_the_origin_and_no_file() {
    let target = Target::new(&[]).await;
    let paths: [&[u8]; 7] = [
        b"/../../../../etc/passwd",
        b"/..%2f..%2f..%2fetc%2fpasswd",
        b"/%00",
        b"/%0d%0aX-Injected:%20yes",
        b"/\xff\xfe\xfd",
        b"//e2e.example//",
        b"/?a=../../index.db",
    ];
    for path in paths {
        for _ in 0..2 {
            let head = [
                b"GET ",
                path,
                b" HTTP/1.1\r\nHost: e2e.example\r\nConnection: close\r\n\r\n",
            ];
            let answers = Raw::exchange(target.proxy.listen, &head.concat()).await;
            let statuses = answers.statuses();
            assert!(
                statuses == [200] || statuses == [400],
                "{:?}: {answers:?}",
                String::from_utf8_lossy(path)
            );
        }
    }
    for entry in fs::read_dir(target.data.path()).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy();
        assert!(name == "bodies" || name.starts_with("index.db"), "{name}");
    }
    target.ends_well().await;
}

/// The body of a request is parsed on its way, so the origin may have heard of it. It must not take it for whole.
#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_are_none() {
    let target = Target::new(&[]).await;
    for (nth, chunks) in [
        "ffffffffffffffff\r\na\r\n0\r\n\r\n",
        "fffffffffffffffff\r\na\r\n0\r\n\r\n",
        "-1\r\na\r\n0\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        "1\na\n0\n\n",
        "1\r\nab\r\n0\r\n\r\n",
        "zz\r\n\r\n",
        "\r\n\r\n",
    ]
    .into_iter()
    .enumerate()
    {
        let head = format!(
            "POST /chunks-{nth} HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n{chunks}"
        );
        // What follows comes at once, or when the origin has answered, which does not wait for the body.
        for waits in [false, true] {
            let mut raw = Raw::open(target.proxy.listen).await;
            raw.send(head.as_bytes()).await;
            let mut came = if waits { raw.some().await } else { vec![] };
            raw.send(format!("GET /smuggled HTTP/1.1\r\n{HOST}\r\n").as_bytes())
                .await;
            raw.half_close().await;
            came.extend(raw.rest().await.0);
            let statuses = Answers(came).statuses();
            assert!(statuses.len() <= 1, "{chunks:?}: {statuses:?}");
        }
        target.serves().await;
    }
    // An endless extension is as much a head as any.
    let mut raw = Raw::open(target.proxy.listen).await;
    let head = format!("POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n1;");
    raw.send(head.as_bytes()).await;
    while raw.send(&[b'a'; 16 * 1024]).await {}
    drop(raw);
    assert_eq!(target.origin.count("/smuggled"), 0);
    target.ends_well().await;
}
