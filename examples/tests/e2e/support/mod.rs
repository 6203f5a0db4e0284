//! What the tests are made of: the proxy as a process, origins, a client, and bodies that can be told apart.

mod browser;
mod certificates;
mod client;
mod content;
mod http2;
mod log;
mod metrics;
mod nginx;
mod origin;
mod process;
mod proxy;
mod raw;
mod wait;

pub(crate) use browser::{Browser, are_pictures_wanted, keep_picture};
pub(crate) use certificates::{Certificates, text};
pub(crate) use client::{AUTHORITY, Ask, Connection, Reply};
pub(crate) use content::{Checker, Content, splitmix};
pub(crate) use http2::Http2;
pub(crate) use metrics::Metrics;
pub(crate) use nginx::Nginx;
pub(crate) use origin::{Answer, Gate, Origin, Seen, Speaks};
pub(crate) use proxy::{Proxy, Setup, folder};
pub(crate) use raw::{Answers, Raw};
pub(crate) use wait::eventually;

pub(crate) const KIB: u64 = 1024;
pub(crate) const MIB: u64 = 1024 * KIB;
