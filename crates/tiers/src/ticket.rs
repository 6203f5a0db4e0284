use serde::{Deserialize, Serialize};
use terrace_core::{Fence, Generation, Hit, Key, Level, Replaces};
use terrace_policy::Placement;

/// What a lookup learnt that a fill needs: the fence of every tier it asked, taken before the origin was.
///
/// Hand it to [`Stack::fill`](crate::Stack::fill). A fill without one takes its fences when the
/// response has come: then a purge that came between request and response is not noticed.
#[derive(Debug, Clone)]
pub struct Ticket {
    pub(crate) key: Key,
    /// The fence of bodies in progress, the topmost of all.
    pub(crate) top: Fence,
    pub(crate) fences: [Option<Fence>; 4],
    /// What was found in each tier, fresh or not.
    pub(crate) seen: [Option<Generation>; 4],
    /// How many answers of the origin had come when the lookup began.
    pub(crate) answers: u32,
    /// How often the group was asked for lately, this time included.
    pub(crate) requests: u32,
    /// What was said of this object besides the policy.
    pub(crate) placement: Placement,
}

impl Ticket {
    pub(crate) fn new(key: Key, top: Fence, answers: u32) -> Self {
        Self {
            key,
            top,
            fences: [const { None }; 4],
            seen: [None; 4],
            answers,
            requests: 1,
            placement: Placement::default(),
        }
    }

    /// Narrows where a fill with this ticket is stored.
    #[must_use]
    pub fn placed(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// The key it is for.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The ticket as one fence, for a stack that is itself a tier.
    pub(crate) fn to_fence(&self) -> Fence {
        let wire = Wire {
            top: self.top.clone(),
            fences: self.fences.clone(),
        };
        // Encoding into a vector fails only for types postcard cannot express, and these it can.
        Fence::from_bytes(&postcard::to_stdvec(&wire).unwrap_or_default())
    }

    pub(crate) fn from_fence(key: Key, fence: &Fence) -> Option<Self> {
        let Wire { top, fences } = postcard::from_bytes(fence.bytes()?).ok()?;
        Some(Self {
            key,
            top,
            fences,
            seen: [None; 4],
            answers: 0,
            requests: 1,
            placement: Placement::default(),
        })
    }

    /// Where nothing was found, or nobody looked.
    pub(crate) fn set(&mut self, level: Level, fence: Fence) {
        self.fences[level.index()] = Some(fence);
        self.seen[level.index()] = None;
    }

    pub(crate) fn set_found(&mut self, level: Level, hit: &Hit) {
        self.fences[level.index()] = Some(hit.fence.clone());
        self.seen[level.index()] = Some(hit.generation);
    }

    pub(crate) fn fence(&self, level: Level) -> Option<&Fence> {
        self.fences[level.index()].as_ref()
    }

    /// What a copy from below may replace in the tier: what is newer than the lookup is newer than the copy.
    pub(crate) fn replaces(&self, level: Level) -> Replaces {
        Replaces::OnlySeen(self.seen[level.index()])
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    top: Fence,
    fences: [Option<Fence>; 4],
}
