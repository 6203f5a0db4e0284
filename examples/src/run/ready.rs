use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use terrace::Runtime;
use tokio::net::TcpStream;

use super::addresses::{Addresses, Origin};

/// How often, and how many times, is looked whether the server listens: half a minute in all.
const EVERY: Duration = Duration::from_millis(20);
const LOOKS: usize = 1500;

/// The line that says that the proxy is ready, and lines to try it.
pub(super) struct Announcement {
    listeners: Vec<SocketAddr>,
    text: String,
}

impl Announcement {
    pub(super) fn new(addresses: &Addresses, place: &str) -> Self {
        let Addresses {
            listen, tls, admin, ..
        } = addresses;
        let mut listeners = vec![*listen, *admin];
        let tls = tls.map_or(String::new(), |tls| format!(" and https://{tls}"));
        let mut text = format!(
            "terrace: ready on http://{listen}{tls} (admin http://{admin}, {place})\n\ntry:\n"
        );
        let mut try_this = |line: String| {
            text.push_str("  ");
            text.push_str(&line);
            text.push('\n');
        };
        match &addresses.origin {
            Origin::Demonstration(address) => {
                listeners.push(*address);
                try_this(format!(
                    "curl -i http://{listen}/page/1     # twice: the second answer is a hit, see Cache-Status"
                ));
                try_this(format!("curl -i -r 0-31 http://{listen}/large/3MiB"));
                try_this(format!("curl -i -X PURGE http://{listen}/page/1"));
                try_this(format!(
                    "curl http://{listen}/              # all there is to try"
                ));
            }
            Origin::Elsewhere(_) => {
                try_this(format!(
                    "curl -i http://{listen}/           # Cache-Status says where it came from"
                ));
                try_this(format!("curl -i -X PURGE http://{listen}/"));
            }
        }
        try_this(format!("curl http://{admin}/healthz"));
        Self { listeners, text }
    }

    /// Prints it as soon as all listen.
    pub(super) async fn when_listening(self, runtime: Arc<dyn Runtime>) {
        for address in &self.listeners {
            let mut looks = 0;
            while TcpStream::connect(reachable(*address)).await.is_err() {
                looks += 1;
                if looks == LOOKS {
                    eprintln!(
                        "terrace: nothing listens on {address}, although it was free: the log tells why"
                    );
                    std::process::exit(1);
                }
                runtime.sleep(EVERY).await;
            }
        }
        // Whoever closed our output does not want to know.
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(self.text.as_bytes());
        let _ = out.flush();
    }
}

/// An address to connect to what listens on `address`.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback = match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(loopback);
    }
    address
}
