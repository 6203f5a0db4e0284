//! Ports that are free.

use std::net::{Ipv4Addr, TcpListener};

use crate::Outcome;

/// Where the search begins, at random: below what systems hand out themselves. From those above, a port may be taken while its server
/// is down: by any connection, and by that of a client who waits for the server.
const LOWEST: u16 = 15_000;
const STARTS: u16 = 10_000;
/// How many ports are looked at.
const SPAN: u16 = 5_000;

/// `N` ports that are free now. Somebody else may take one before its server does: then that server says so.
pub(crate) fn free<const N: usize>() -> Outcome<[u16; N]> {
    find(N, is_free)?
        .try_into()
        .map_err(|_| "fewer ports were found than asked for".to_owned())
}

/// `count` ports that are free now, of which those `offset` above are free, too: for servers that derive one from another.
pub(super) fn free_with(offset: u16, count: usize) -> Outcome<Vec<u16>> {
    find(count, |port| is_free(port) && is_free(port + offset))
}

fn find(count: usize, is_fit: impl Fn(u16) -> bool) -> Outcome<Vec<u16>> {
    let start = LOWEST + random()? % STARTS;
    let found: Vec<_> = (start..start + SPAN)
        .filter(|&port| is_fit(port))
        .take(count)
        .collect();
    if found.len() == count {
        Ok(found)
    } else {
        Err(format!("{count} free ports were not found from {start} on"))
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// What the system hands out is as good as random.
fn random() -> Outcome<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    let address = address.map_err(|error| format!("there is no free port: {error}"))?;
    Ok(address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_distinct_and_not_of_those_the_system_hands_out() {
        let mut ports = free::<8>().unwrap();
        ports.sort_unstable();
        assert!(ports.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(ports.iter().all(|port| (15_000..30_000).contains(port)));
    }
}
