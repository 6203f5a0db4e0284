//! Who came first: a purge, or only another fill?
//!
//! A commit that is refused finds a record of another version than its fence saw. The record does not say how it came
//! to be; but the fills of this process know which version each of them meant to put in the place of which. Where
//! such steps lead from the fence to the record that is there, nothing else lies between, and the commit may be tried again
//! on top: versions are nonces, a version is only ever written by the one swap that was noted with it, and that swap
//! takes effect only directly on its parent. It is noted *before* the swap is tried, so that whoever sees the record
//! can see the step; a swap that was refused leaves a step to a version that is never seen.
//!
//! What another process has filled, what is reserved, and what is forgotten here counts as a purge.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use terrace_core::Version;

/// How many steps are remembered. A step is of use while a fill that began before it is under way.
const MAX_STEPS: usize = 4096;

/// The steps that fills of this process have tried.
#[derive(Debug, Default)]
pub(crate) struct Descent(Mutex<Steps>);

#[derive(Debug, Default)]
struct Steps {
    /// What each version was to replace; `None` for no record.
    parents: HashMap<Version, Option<Version>>,
    /// The oldest first.
    order: VecDeque<Version>,
}

impl Descent {
    /// Notes that a fill is going to put `version` in the place of `parent`, and of nothing else.
    pub(crate) fn note(&self, parent: Option<Version>, version: Version) {
        let mut steps = self.0.lock();
        if steps.order.len() == MAX_STEPS
            && let Some(oldest) = steps.order.pop_front()
        {
            steps.parents.remove(&oldest);
        }
        if steps.parents.insert(version, parent).is_none() {
            steps.order.push_back(version);
        }
    }

    /// Whether a record of `version` that was seen came to be from what `fence` saw by fills alone.
    pub(crate) fn leads(&self, fence: Option<Version>, version: Version) -> bool {
        let steps = self.0.lock();
        let mut at = Some(version);
        // No version is its own ancestor; the bound is for what cannot be.
        for _ in 0..MAX_STEPS {
            let Some(parent) = at.and_then(|version| steps.parents.get(&version)) else {
                return false;
            };
            if *parent == fence {
                return true;
            }
            at = *parent;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64) -> Version {
        Version::from_u64(number).unwrap()
    }

    #[test]
    fn steps_lead_from_a_fence_to_what_is_there() {
        let descent = Descent::default();
        descent.note(None, version(1));
        descent.note(Some(version(1)), version(2));
        // Tried as well, and refused.
        descent.note(Some(version(1)), version(3));
        assert!(descent.leads(None, version(1)));
        assert!(descent.leads(None, version(2)));
        assert!(descent.leads(Some(version(1)), version(2)));
        assert!(!descent.leads(Some(version(2)), version(2)), "no step");
        assert!(!descent.leads(Some(version(2)), version(1)), "backwards");
        assert!(!descent.leads(Some(version(2)), version(3)), "aside");
    }

    #[test]
    fn what_somebody_else_wrote_ends_the_way() {
        let descent = Descent::default();
        descent.note(Some(version(1)), version(2));
        // A purge put 3 in the place of 2.
        descent.note(Some(version(3)), version(4));
        assert!(!descent.leads(Some(version(1)), version(3)));
        assert!(!descent.leads(Some(version(1)), version(4)));
        assert!(!descent.leads(None, version(4)));
    }

    #[test]
    fn old_steps_are_forgotten() {
        let descent = Descent::default();
        let steps = MAX_STEPS as u64;
        for number in 1..=steps + 1 {
            descent.note(Version::from_u64(number - 1), version(number));
        }
        assert!(!descent.leads(None, version(1)));
        assert!(descent.leads(Some(version(1)), version(steps + 1)));
        assert_eq!(descent.0.lock().parents.len(), MAX_STEPS);
        assert_eq!(descent.0.lock().order.len(), MAX_STEPS);
    }
}
