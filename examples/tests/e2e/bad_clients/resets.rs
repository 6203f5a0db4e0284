//! Requests of HTTP/2 that are taken back as soon as they are made (CVE-2023-44487): they cost the client nothing.

use hyper::Request;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Target;
use crate::support::{AUTHORITY, Raw, eventually};

const PAIRS: u32 = 10_000;
const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).expect("a small one");
    let mut frame = len.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET path`, and its end (RFC 7541, appendix A: names and values by their number).
fn request_and_reset(stream: u32, path: &str) -> Vec<u8> {
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const END_STREAM_AND_HEADERS: u8 = 5;
    const CANCEL: u32 = 8;
    let text = |text: &str| {
        let len = u8::try_from(text.len()).expect("a short one");
        [&[len], text.as_bytes()].concat()
    };
    let mut block = vec![0x82, 0x86, 0x04];
    block.extend(text(path));
    block.push(0x01);
    block.extend(text(AUTHORITY));
    let mut pair = frame(HEADERS, END_STREAM_AND_HEADERS, stream, &block);
    pair.extend(frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()));
    pair
}

/// The error that the proxy ended the connection with.
fn goaway(mut answer: &[u8]) -> Option<u32> {
    const GOAWAY: u8 = 7;
    while let Some((head, rest)) = answer.split_at_checked(9) {
        let len = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let (payload, next) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        if head[3] == GOAWAY && payload.len() >= 8 {
            return Some(u32::from_be_bytes(payload[4..8].try_into().ok()?));
        }
        answer = next;
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_taken_back_at_once_end_the_connection() {
    let target = Target::new(&["--listen-h2c"]).await;
    let asked = target.origin.requests();
    for round in 0..4 {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(4, 0, 0, &[]));
        for nth in 0..PAIRS {
            let path = format!("/reset/{round}/{nth}");
            bytes.extend(request_and_reset(2 * nth + 1, &path));
        }
        let mut raw = Raw::open(target.proxy.listen).await;
        // It may be over before all is sent.
        raw.send(&bytes).await;
        let answer = raw.rest().await;
        if let Some(error) = goaway(&answer.0) {
            assert_eq!(error, ENHANCE_YOUR_CALM, "{answer:?}");
        }
        target.serves().await;
    }
    let reached = target.origin.requests() - asked;
    assert!(
        reached < 1000,
        "{reached} of {} reached the origin",
        4 * PAIRS
    );
    target.ends_well().await;
}

/// Each of them when it has reached the origin.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_taken_back_one_by_one_leave_nothing() {
    let target = Target::new(&["--listen-h2c"]).await;
    let stream = TcpStream::connect(target.proxy.listen).await;
    let shaken = h2::client::handshake(stream.expect("it listens")).await;
    let (mut requests, connection) = shaken.expect("it speaks HTTP/2");
    let mut task = JoinSet::new();
    task.spawn(async move { drop(connection.await) });
    for nth in 0..100 {
        let path = format!("/reset/{nth}");
        let request = Request::get(format!("http://{AUTHORITY}{path}")).body(());
        let request = request.expect("a request");
        requests = requests.ready().await.expect("the connection stays");
        let (_, mut stream) = requests.send_request(request, true).expect("it is sent");
        eventually("it is on its way", async || target.origin.count(&path) == 1).await;
        stream.send_reset(h2::Reason::CANCEL);
    }
    drop((requests, task));
    target.ends_well().await;
}
