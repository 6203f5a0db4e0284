//! What the index is to do beside the text of its trait, on a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod answers;
mod schema;
mod sessions;
mod space;
mod support;
mod waiting;
mod wire;
