//! Tests of what no conformance suite can know.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod faulty;
mod local;
mod uploads;
