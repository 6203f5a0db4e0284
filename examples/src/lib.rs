//! What the example binaries share: the command line ([`cli`]), the configuration file ([`config`]), a demonstration origin
//! ([`origin`]), and the server around the tiers ([`run`]). Each binary only says which tiers there are.

pub mod cli;
pub mod config;
pub mod origin;
pub mod run;
