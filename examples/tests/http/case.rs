//! The language of the tables: what the origin answers, what a client asks, and what both of them see.
//!
//! ```text
//! case("a fresh response is reused", "9111 4.2", [
//!     get().answered(ok("max-age=60")),
//!     get().cached(0).header("age", "0"),
//! ])
//! ```
//!
//! A step's number counts from 0 and stands in the body that the origin sends in it, so that every response tells when
//! it was made. Values such as `@-10` are dates, relative to now.
//!
//! A second fill may overtake the first on its way to the disk, and is then not kept: a case ends with it.

use std::fmt;

use crate::origin::moment;
use crate::wire::{Headers, Message, find};

/// Requests for one URL, one after the other.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The RFC and its section that ask for it.
    pub(crate) section: &'static str,
    pub(crate) steps: Vec<Step>,
}

pub(crate) fn case<const N: usize>(
    name: &'static str,
    section: &'static str,
    steps: [Step; N],
) -> Case {
    Case {
        name,
        section,
        steps: steps.into(),
    }
}

/// What the origin answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    /// `None`: the number of the step.
    pub(crate) body: Option<String>,
    pub(crate) interim: Vec<(u16, Headers)>,
    /// Sent in chunks, with these trailers.
    pub(crate) chunked: Option<Headers>,
    /// The connection ends the body.
    pub(crate) closes: bool,
    /// The connection ends instead of an answer.
    pub(crate) dies: bool,
}

/// 200, with this `Cache-Control`.
pub(crate) fn ok(cache_control: &str) -> Answer {
    Answer::status(200).with("cache-control", cache_control)
}

/// The connection breaks off before anything is answered.
pub(crate) fn dies() -> Answer {
    Answer {
        dies: true,
        ..Answer::default()
    }
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// One more header line.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn carrying(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self
    }

    /// One more interim response before it, with one header. All are sent in one piece.
    pub(crate) fn after(mut self, status: u16, name: &str, value: &str) -> Self {
        let headers = vec![(name.to_owned(), value.to_owned())];
        self.interim.push((status, headers));
        self
    }

    /// Its body, of which nothing is said but by its headers, ends with its connection.
    pub(crate) fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// In chunks, with one more trailer.
    pub(crate) fn trailing(mut self, name: &str, value: &str) -> Self {
        let trailers = self.chunked.get_or_insert_default();
        trailers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// One request of a client, and what is expected of it.
pub(crate) struct Step {
    pub(crate) method: &'static str,
    /// After the case's path.
    pub(crate) suffix: &'static str,
    pub(crate) headers: Headers,
    pub(crate) body: Option<&'static str>,
    pub(crate) answer: Option<Answer>,
    /// How many clients send it at a time.
    pub(crate) clients: usize,
    expected: Vec<Expected>,
}

enum Expected {
    /// How often the origin is asked, in the end.
    Asked(usize),
    Status(u16),
    Body(String),
    Header(&'static str, String),
    AtLeast(&'static str, u64),
    Without(&'static str),
    OriginSees(&'static str, String),
    OriginSeesNo(&'static str),
    CacheSays(&'static str),
    Interim(Vec<u16>),
}

pub(crate) fn ask(method: &'static str) -> Step {
    Step {
        method,
        suffix: "",
        headers: Headers::new(),
        body: None,
        answer: None,
        clients: 1,
        expected: Vec::new(),
    }
}

pub(crate) fn get() -> Step {
    ask("GET")
}

impl Step {
    /// The request has one more header line.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The request is for a path or a query below the case's.
    pub(crate) fn at(mut self, suffix: &'static str) -> Self {
        self.suffix = suffix;
        self
    }

    /// So many clients ask at a time. What is expected of the response holds for each of them.
    pub(crate) fn at_once(mut self, clients: usize) -> Self {
        self.clients = clients;
        self
    }

    /// The origin is asked once, and the client gets what it answers: its status and its body.
    pub(crate) fn answered(self, answer: Answer) -> Self {
        let status = answer.status;
        self.meanwhile(answer).asked(1).status(status)
    }

    /// What the origin answers if it is asked. Nothing is expected.
    pub(crate) fn meanwhile(mut self, answer: Answer) -> Self {
        self.answer = Some(answer);
        self
    }

    /// The client gets what the origin answered in an earlier `step`, and the origin is not asked.
    pub(crate) fn cached(self, step: usize) -> Self {
        self.asked(0).body_of(step)
    }

    /// The origin confirms by a 304 what it answered in `step`.
    pub(crate) fn validated(self, step: usize) -> Self {
        let answer = Answer::status(304);
        self.meanwhile(answer).asked(1).status(200).body_of(step)
    }

    /// How often this step asks the origin, in the foreground or behind the client's back.
    pub(crate) fn asked(self, times: usize) -> Self {
        self.expect(Expected::Asked(times))
    }

    pub(crate) fn status(self, status: u16) -> Self {
        self.expect(Expected::Status(status))
    }

    /// The client gets the body made in `step`.
    pub(crate) fn body_of(self, step: usize) -> Self {
        self.body(&crate::origin::body_of(step))
    }

    pub(crate) fn body(self, body: &str) -> Self {
        self.expect(Expected::Body(body.to_owned()))
    }

    /// The client gets this header; the values of several lines are one list.
    pub(crate) fn header(self, name: &'static str, value: &str) -> Self {
        self.expect(Expected::Header(name, value.to_owned()))
    }

    /// The client gets this header, with a number that is not smaller.
    pub(crate) fn at_least(self, name: &'static str, value: u64) -> Self {
        self.expect(Expected::AtLeast(name, value))
    }

    pub(crate) fn without(self, name: &'static str) -> Self {
        self.expect(Expected::Without(name))
    }

    /// Each request that the origin sees in this step has this header.
    pub(crate) fn origin_sees(self, name: &'static str, value: &str) -> Self {
        self.expect(Expected::OriginSees(name, value.to_owned()))
    }

    pub(crate) fn origin_sees_no(self, name: &'static str) -> Self {
        self.expect(Expected::OriginSeesNo(name))
    }

    /// Our member of `Cache-Status` has this in it.
    pub(crate) fn cache_says(self, what: &'static str) -> Self {
        self.expect(Expected::CacheSays(what))
    }

    /// The client gets these interim responses before the final one.
    pub(crate) fn interim(self, statuses: &[u16]) -> Self {
        self.expect(Expected::Interim(statuses.to_vec()))
    }

    fn expect(mut self, expected: Expected) -> Self {
        self.expected.push(expected);
        self
    }

    /// How often the origin is to be asked, if that is said.
    pub(crate) fn asks(&self) -> Option<usize> {
        self.expected.iter().rev().find_map(|it| match it {
            Expected::Asked(times) => Some(*times),
            _ => None,
        })
    }

    /// The first thing that is not as expected.
    pub(crate) fn check(&self, response: &Message, seen: &[Message]) -> Result<(), String> {
        for expected in &self.expected {
            if !expected.holds(response, seen) {
                return Err(format!("expected {expected}"));
            }
        }
        Ok(())
    }
}

impl Expected {
    fn holds(&self, response: &Message, seen: &[Message]) -> bool {
        let header = |name: &str| response.header(name);
        match self {
            Self::Asked(times) => seen.len() == *times,
            Self::Status(status) => response.status() == *status,
            Self::Body(body) => response.text() == *body,
            Self::Header(name, value) => header(name) == Some(moment(value)),
            Self::AtLeast(name, least) => {
                let number = header(name).and_then(|it| it.parse().ok());
                number.is_some_and(|it: u64| it >= *least)
            }
            Self::Without(name) => header(name).is_none(),
            Self::OriginSees(name, value) => {
                let has_it = |it: &Message| find(&it.headers, name) == Some(moment(value));
                !seen.is_empty() && seen.iter().all(has_it)
            }
            Self::OriginSeesNo(name) => seen.iter().all(|it| it.header(name).is_none()),
            Self::CacheSays(what) => header("cache-status").is_some_and(|it| it.contains(what)),
            Self::Interim(statuses) => response.interim == *statuses,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked(times) => write!(f, "that the origin is asked {times} times"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Body(body) => write!(f, "the body {body:?}"),
            Self::Header(name, value) => write!(f, "{name}: {value}"),
            Self::AtLeast(name, least) => write!(f, "{name} of at least {least}"),
            Self::Without(name) => write!(f, "no {name}"),
            Self::OriginSees(name, value) => write!(f, "that the origin sees {name}: {value}"),
            Self::OriginSeesNo(name) => write!(f, "that the origin sees no {name}"),
            Self::CacheSays(what) => write!(f, "{what:?} in Cache-Status"),
            Self::Interim(statuses) => write!(f, "interim responses {statuses:?}"),
        }
    }
}
