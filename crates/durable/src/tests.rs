//! The promises of the tier as a whole, on stores that fail, hang and are shared.

mod damage;
mod faults;
mod groups;
mod interleavings;
mod purges;
mod races;
mod slow;
