//! A client for the first requests, which fill the caches.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::Outcome;
use crate::services::wait::until;

/// Asks for `/SIZE` until it is there, and, where the server says where a response comes from, comes from where it
/// should.
pub(super) fn up(port: u16, size: usize, hit: Option<&str>) -> Outcome {
    ask(port, size)?;
    let mut last = Ok(String::new());
    let warmed = until("a response in the cache", || {
        last = ask(port, size);
        last.as_ref()
            .map_or(true, |head| hit.is_none_or(|hit| head.contains(hit)))
    });
    let head = last?;
    warmed.map_err(|error| format!("{error}; the last response was\n{head}"))
}

/// The header of a whole 200 of `size` bytes.
fn ask(port: u16, size: usize) -> Outcome<String> {
    let failed = |error: std::io::Error| format!("GET /{size}: {error}");
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).map_err(failed)?;
    // The same Host as the clients send: it is part of the key.
    let request =
        format!("GET /{size} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).map_err(failed)?;
    let end = response.windows(4).position(|it| it == b"\r\n\r\n");
    let (head, body) = response.split_at(end.map_or(response.len(), |end| end + 4));
    let head = String::from_utf8_lossy(head).into_owned();
    if head.starts_with("HTTP/1.1 200") && body.len() == size {
        return Ok(head);
    }
    Err(format!(
        "GET /{size}: {} bytes of body after\n{head}",
        body.len()
    ))
}
