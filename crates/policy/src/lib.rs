//! The decisions of the [Terrace](https://docs.rs/terrace) cache, and nothing else: no I/O, no clock, no
//! runtime.
//!
//! A [`Policy`] says which bodies fit which tier, when a hit in a lower tier is copied to an upper one, and
//! what is worth writing to the shared and durable tiers at all. It is built once, checked as it
//! is built, and only read afterwards.
//!
//! ```
//! use std::time::Duration;
//! use terrace_core::Level;
//! use terrace_policy::{AdmissionRule, Policy, Promotion};
//!
//! let policy = Policy::builder()
//!     .l0_max(512 * 1024)
//!     .promotion(Level::L3, Level::L0, Promotion::Never)
//!     .admission(AdmissionRule::SecondRequest)
//!     .admission(AdmissionRule::MinFreshness(Duration::from_secs(10)))
//!     .build()?;
//!
//! assert!(policy.fits(Level::L0, 512 * 1024));
//! assert!(!policy.promotes(Level::L3, Level::L0, 1));
//! # Ok::<(), terrace_policy::PolicyError>(())
//! ```
//!
//! | you want to | read |
//! |---|---|
//! | bound bodies per tier, choose promotions | [`PolicyBuilder`], [`Promotion`] |
//! | say something else for one object | [`Placement`] |
//! | write less to the durable tier | [`AdmissionRule`], [`Candidate`], [`Frequency`] |
//! | know what a policy would have done to your traffic | [`replay`], and the example of that name |

mod admission;
mod builder;
mod error;
mod frequency;
mod placement;
mod policy;
mod promotion;
pub mod replay;

pub use admission::{Admission, AdmissionRule, Candidate, Refusal};
pub use builder::PolicyBuilder;
pub use error::PolicyError;
pub use frequency::Frequency;
pub use placement::Placement;
pub use policy::Policy;
pub use promotion::Promotion;
