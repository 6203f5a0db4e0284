//! Ports that are free.

use std::net::{Ipv4Addr, TcpListener};

use crate::Outcome;

/// `N` ports that are free now. Somebody else may take one before its server does: then that server says so.
pub(crate) fn free<const N: usize>() -> Outcome<[u16; N]> {
    try_free(N)?
        .try_into()
        .map_err(|_| "the system gave fewer ports than asked for".to_owned())
}

fn try_free(count: usize) -> Outcome<Vec<u16>> {
    let listen = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    // Held until all are found, or the same would be found twice.
    let held: Result<Vec<_>, _> = (0..count).map(listen).collect();
    let ports = held.and_then(|held| {
        held.iter()
            .map(|listener| Ok(listener.local_addr()?.port()))
            .collect()
    });
    ports.map_err(|error: std::io::Error| format!("there is no free port: {error}"))
}

/// `count` ports that are free now, of which those `offset` above are free, too: for servers that derive one from another.
pub(super) fn free_with(offset: u16, count: usize) -> Outcome<Vec<u16>> {
    // The system hands out the upper ports; what is below them is free as a rule.
    let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let start = try_free(1)?[0] % 10_000 + 15_000;
    let found: Vec<_> = (start..start + 5_000)
        .filter(|&port| is_free(port) && is_free(port + offset))
        .take(count)
        .collect();
    if found.len() == count {
        Ok(found)
    } else {
        Err(format!(
            "there are no {count} ports free with those {offset} above"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_distinct() {
        let mut ports = free::<8>().unwrap();
        ports.sort_unstable();
        assert!(ports.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
