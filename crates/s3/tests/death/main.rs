//! A server that dies, or answers no more, under load, and comes back.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod ceph;
mod load;
mod minio;
