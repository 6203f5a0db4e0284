//! Bytes from a damaged or hostile index: reading them never panics, and what can be read can be written.
//!
//! `cargo +nightly fuzz run manifest_decode fuzz/corpus/manifest_decode tests/golden`, from `crates/core`.

#![no_main]

use std::collections::VecDeque;

use libfuzzer_sys::fuzz_target;
use terrace_core::{Manifest, crc32c};

fuzz_target!(|bytes: &[u8]| {
    survives(bytes);
    // A fuzzer does not guess checksums: give it what lies behind them, too.
    survives(&framed(bytes));
    if let Some(payload) = bytes.get(10..bytes.len().saturating_sub(4)) {
        survives(&framed(payload));
    }
});

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"TRMF\x01\x00".to_vec();
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(payload);
    bytes.extend(crc32c(&bytes).to_le_bytes());
    bytes
}

fn survives(bytes: &[u8]) {
    let Ok(manifest) = Manifest::decode_any(bytes) else {
        return;
    };
    if let Some(object) = &manifest.object {
        let sums = &object.checksums;
        let _ = sums.digest();
        assert_eq!(sums.covering(&(0..sums.len())), 0..sums.len());
        let _ = sums
            .verifier(0)
            .push(vec![7; 40_000].into(), &mut VecDeque::new());
    }
    let encoded = manifest.encode().expect("what was decoded is consistent");
    assert_eq!(Manifest::decode(&manifest.key, &encoded), Ok(manifest));
}
