//! The wirings beside `embedded`: the real binaries over real servers, which die.
//!
//! `cargo xtask test` builds them, by the feature `wirings`, and names the program that starts servers by `TERRACE_TEST_SERVICES`.

#[path = "../e2e/support/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the end-to-end tests use the rest of it"
)]
mod support;

mod deployment;
mod fsck;
mod load;
mod purges_are_shared;
mod servers_die;
mod starts;

mod objects;

use deployment::Deployment;
