use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::upstream::Groups;
use crate::{ProxyConfig, Upstream};

/// The text of the one request the origin got, and what was made of its `answer`.
async fn resume(
    asked: RequestHeader,
    etag: Option<&str>,
    range: Range<u64>,
    answer: &str,
) -> (String, Result<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = ProxyConfig::new(Upstream::new("127.0.0.1", port));
    let connector = Arc::new(Connector::new(None));
    let groups = Groups::new(&config, &connector);
    let mut stored = ResponseHeader::build(200, None).unwrap();
    if let Some(etag) = etag {
        stored.append_header("etag", etag).unwrap();
    }
    let from = Asker {
        peer: "192.0.2.7".parse().ok(),
        scheme: None,
    };
    let pool = groups.default();
    let rescue = OriginRescue::new(pool, &connector, (&asked, from), &stored, &config);

    let origin = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(socket.read_u8().await.unwrap());
        }
        socket.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap().to_ascii_lowercase()
    };
    let client = async {
        let mut body = rescue.resume(range, 10).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = body.read().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    };
    tokio::join!(origin, client)
}

fn asked(headers: &[(&'static str, &'static str)]) -> RequestHeader {
    let mut req = RequestHeader::build("GET", b"/a?b", None).unwrap();
    req.append_header("host", "example.com").unwrap();
    for (name, value) in headers {
        req.append_header(*name, *value).unwrap();
    }
    req
}

const PARTIAL: &str = "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 4-9/10\r\ncontent-length: 6\r\n\r\n456789";

#[tokio::test]
async fn the_rest_is_asked_for_as_the_client_asked_for_the_whole() {
    let client = asked(&[
        ("accept-language", "de"),
        ("range", "bytes=2-9"),
        ("if-none-match", "\"old\""),
        ("connection", "x-hop"),
        ("x-hop", "1"),
    ]);
    let (request, body) = resume(client, Some("\"a\""), 4..10, PARTIAL).await;
    assert_eq!(body.unwrap(), b"456789");
    for line in [
        "get /a?b http/1.1\r\n",
        "host: example.com\r\n",
        "accept-language: de\r\n",
        "range: bytes=4-9\r\n",
        "if-range: \"a\"\r\n",
        "via: 1.1 terrace\r\n",
    ] {
        assert!(request.contains(line), "{line:?} is not in {request:?}");
    }
    for gone in ["bytes=2-9", "if-none-match", "x-hop"] {
        assert!(!request.contains(gone), "{gone:?} is in {request:?}");
    }
}

#[tokio::test]
async fn a_weak_tag_is_no_condition() {
    let (request, _) = resume(asked(&[]), Some("W/\"a\""), 4..10, PARTIAL).await;
    assert!(!request.contains("if-range"), "{request}");
}

#[tokio::test]
async fn a_whole_body_of_the_right_length_is_skipped_into() {
    let whole = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789";
    let (_, body) = resume(asked(&[]), None, 4..8, whole).await;
    assert_eq!(body.unwrap(), b"4567");
}

#[tokio::test]
async fn another_answer_is_refused() {
    for answer in [
        "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 4-9/11\r\ncontent-length: 6\r\n\r\n456789",
        "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 5-9/10\r\ncontent-length: 5\r\n\r\n56789",
        "HTTP/1.1 206 Partial Content\r\ncontent-length: 6\r\n\r\n456789",
        "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n0123456789a",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    ] {
        let (_, body) = resume(asked(&[]), None, 4..10, answer).await;
        assert_eq!(body.unwrap_err().kind(), ErrorKind::Unavailable, "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_ends_early_is_an_error() {
    let cut = "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 4-9/10\r\ncontent-length: 6\r\n\r\n45";
    let (_, body) = resume(asked(&[]), None, 4..10, cut).await;
    assert_eq!(body.unwrap_err().kind(), ErrorKind::Unavailable);
}
