//! An origin that plays each case's script.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::case::{Answer, Case};
use crate::wire::{Headers, Message, Wire};

/// The field by which a request says which step of its case it belongs to.
pub(crate) const STEP: &str = "x-step";

/// Runs as long as its runtime.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    cases: Arc<Mutex<HashMap<String, Played>>>,
}

/// A case, and the requests it has brought about, each with its step.
struct Played {
    answers: Vec<Option<Answer>>,
    seen: Vec<(usize, Message)>,
}

impl Origin {
    pub(crate) async fn start(tasks: &mut JoinSet<()>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = Self {
            address: listener.local_addr().expect("an address"),
            cases: Arc::default(),
        };
        let accepting = origin.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let origin = accepting.clone();
                // It fails where the script breaks it off.
                connections.spawn(async move { drop(origin.serve(stream).await) });
                while connections.try_join_next().is_some() {}
            }
        });
        origin
    }

    /// From now on, requests below `path` are answered by `case`.
    pub(crate) fn play(&self, path: &str, case: &Case) {
        let answers = case.steps.iter().map(|step| step.answer.clone());
        let played = Played {
            answers: answers.collect(),
            seen: Vec::new(),
        };
        self.cases.lock().insert(path.to_owned(), played);
    }

    /// The requests that `step` of the case at `path` brought about, so far.
    pub(crate) fn seen(&self, path: &str, step: usize) -> Vec<Message> {
        let cases = self.cases.lock();
        let seen = cases.get(path).map_or(&[][..], |it| &it.seen);
        let of_step = seen.iter().filter(|(it, _)| *it == step);
        of_step.map(|(_, message)| message.clone()).collect()
    }

    async fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut wire = Wire::new(stream);
        while let Some(request) = wire.request().await? {
            let step = request.header(STEP).and_then(|it| it.parse().ok());
            let step: usize = step.unwrap_or(usize::MAX);
            let answer = self.answer(step, &request);
            let is_head = request.method() == "HEAD";
            let Some(bytes) = rendered(&answer, step, is_head) else {
                return Ok(());
            };
            wire.write(&bytes).await?;
            if answer.closes {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Notes the request, and answers it. What the script did not foresee is told by the test's expectations.
    fn answer(&self, step: usize, request: &Message) -> Answer {
        let mut cases = self.cases.lock();
        let path = request.target().split(['?', '/']).take(3);
        let path = path.collect::<Vec<_>>().join("/");
        let Some(played) = cases.get_mut(&path) else {
            return Answer::status(500).with("x-origin", "no such case");
        };
        played.seen.push((step, request.clone()));
        let answer = played.answers.get(step).cloned().flatten();
        answer.unwrap_or_else(|| Answer::status(500).with("x-origin", "no answer in this step"))
    }
}

/// The bytes of an answer; none if the connection is to break off.
fn rendered(answer: &Answer, step: usize, is_head: bool) -> Option<Vec<u8>> {
    if answer.dies {
        return None;
    }
    let body = answer.body.clone().unwrap_or_else(|| body_of(step));
    let mut headers = answer.headers.clone();
    let is_bodiless = matches!(answer.status, 204 | 304);
    if answer.chunked.is_some() {
        headers.push(("transfer-encoding".into(), "chunked".into()));
    } else if !is_bodiless && !answer.closes {
        headers.push(("content-length".into(), body.len().to_string()));
    }
    let interim = answer.interim.iter();
    let mut parts: Vec<String> = interim.map(|(status, it)| head(*status, it)).collect();
    parts.push(head(answer.status, &headers));
    if !is_bodiless && !is_head {
        parts.push(match &answer.chunked {
            None => body,
            Some(trailers) => {
                let trailers = fields(trailers);
                format!("{:x}\r\n{body}\r\n0\r\n{trailers}\r\n", body.len())
            }
        });
    }
    Some(parts.concat().into_bytes())
}

/// What an answer carries that names no body of its own: it tells in which step it was made.
pub(crate) fn body_of(step: usize) -> String {
    format!("body of step {step}\n")
}

fn head(status: u16, headers: &Headers) -> String {
    format!("HTTP/1.1 {status} Scripted\r\n{}\r\n", fields(headers))
}

/// Lines of a header, without the empty one that ends it.
pub(crate) fn fields(headers: &Headers) -> String {
    let line = |(name, value): &(String, String)| format!("{name}: {}\r\n", moment(value));
    headers.iter().map(line).collect::<Vec<_>>().concat()
}

/// `@-10` is the date ten seconds ago.
#[expect(clippy::disallowed_methods, reason = "the proxy asks the same clock")]
pub(crate) fn moment(value: &str) -> String {
    let Some(offset) = value
        .strip_prefix('@')
        .and_then(|it| it.parse::<i64>().ok())
    else {
        return value.to_owned();
    };
    let now = SystemTime::now();
    let distance = Duration::from_secs(offset.unsigned_abs());
    httpdate::fmt_http_date(if offset < 0 {
        now - distance
    } else {
        now + distance
    })
}
