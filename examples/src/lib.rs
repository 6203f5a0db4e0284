//! What the example binaries share: the command line ([`cli`]), the configuration file ([`config`]), the backends and their
//! options ([`backends`]), the tiers made of them ([`tiers`]), a demonstration origin ([`origin`]), and the server around it all
//! ([`run`]). Each binary is a [`Wiring`]: it only says which tiers there are.

pub mod backends;
pub mod cli;
pub mod config;
pub mod origin;
pub mod run;
pub mod tiers;
mod wiring;

pub use wiring::{Unusable, Wiring};
