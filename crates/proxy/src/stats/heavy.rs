use std::hash::BuildHasher as _;
use std::hash::RandomState;

/// The heaviest of many names, found in fixed memory: the Space-Saving sketch (Metwally, Agrawal and El Abbadi, 2005).
///
/// A name that is new takes the place of the lightest, and inherits its weight as a possible error. So a weight is
/// never told too low by more than that error, and whatever has more than one part in [`SLOTS`] of all is found.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    hasher: RandomState,
    slots: Vec<Slot>,
    total: u64,
}

/// Names kept.
pub(super) const SLOTS: usize = 128;
/// Bytes kept of a name.
pub(super) const MAX_NAME: usize = 512;

#[derive(Debug)]
struct Slot {
    hash: u64,
    name: Box<str>,
    is_cut: bool,
    weight: u64,
    /// What it may have inherited too much.
    error: u64,
}

/// A name that is among the heaviest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heavy {
    pub(crate) name: String,
    /// Its end was cut off.
    pub(crate) is_cut: bool,
    /// What it weighs at least.
    pub(crate) weight: u64,
}

impl Sketch {
    /// Adds `weight` to `name`.
    pub(super) fn add(&mut self, name: &str, weight: u64) {
        if weight == 0 {
            return;
        }
        self.total = self.total.saturating_add(weight);
        let hash = self.hasher.hash_one(name);
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.hash == hash) {
            slot.weight = slot.weight.saturating_add(weight);
            return;
        }
        let (kept, is_cut) = cut(name);
        let mut slot = Slot {
            hash,
            name: kept.into(),
            is_cut,
            weight,
            error: 0,
        };
        if self.slots.len() < SLOTS {
            self.slots.push(slot);
            return;
        }
        let lightest = self.slots.iter_mut().min_by_key(|slot| slot.weight);
        if let Some(lightest) = lightest {
            slot.error = lightest.weight;
            slot.weight = slot.weight.saturating_add(lightest.weight);
            *lightest = slot;
        }
    }

    /// Lets the past weigh a sixteenth less.
    pub(super) fn fade(&mut self) {
        let faded = |weight: u64| weight - weight.div_ceil(16).min(weight);
        for slot in &mut self.slots {
            slot.weight = faded(slot.weight);
            slot.error = faded(slot.error);
        }
        self.slots.retain(|slot| slot.weight > slot.error);
        self.total = faded(self.total);
    }

    /// The `most` heaviest, heaviest first, by what they weigh for certain.
    pub(super) fn heaviest(&self, most: usize) -> Vec<Heavy> {
        let certain = |slot: &Slot| slot.weight.saturating_sub(slot.error);
        let mut slots: Vec<_> = self.slots.iter().filter(|it| certain(it) > 0).collect();
        slots.sort_by(|a, b| {
            let by_weight = certain(b).cmp(&certain(a));
            by_weight.then_with(|| a.name.cmp(&b.name))
        });
        slots.truncate(most);
        let heavy = slots.into_iter().map(|slot| Heavy {
            name: slot.name.to_string(),
            is_cut: slot.is_cut,
            weight: certain(slot),
        });
        heavy.collect()
    }

    /// What all names weigh together.
    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

/// The beginning of `name` that is kept, and whether that is not all.
fn cut(name: &str) -> (&str, bool) {
    let end = name.floor_char_boundary(MAX_NAME);
    (&name[..end], end < name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_names_are_counted_exactly() {
        let mut sketch = Sketch::default();
        for round in 0..10_u64 {
            for name in 0..SLOTS as u64 {
                sketch.add(&format!("/{name}"), u64::from(name >= round));
            }
        }
        sketch.add("/7", 1000);
        let heaviest = sketch.heaviest(3);
        assert_eq!((&*heaviest[0].name, heaviest[0].weight), ("/7", 1008));
        assert_eq!(heaviest[1].weight, 10);
        assert_eq!(sketch.total(), 10 * SLOTS as u64 - 45 + 1000);
    }

    #[test]
    fn the_heavy_are_found_among_very_many() {
        let mut sketch = Sketch::default();
        for round in 0..20_000 {
            sketch.add(&format!("/once/{round}"), 1);
            if round % 10 == 0 {
                sketch.add("/often", 1);
            }
            if round % 20 == 0 {
                sketch.add("/sometimes", 1);
            }
        }
        let heaviest = sketch.heaviest(2);
        let names: Vec<_> = heaviest.iter().map(|it| &*it.name).collect();
        assert_eq!(names, ["/often", "/sometimes"]);
        // Never more than there were, and less by at most a slot's share.
        let share = sketch.total() / SLOTS as u64;
        assert!(
            (2000 - share..=2000).contains(&heaviest[0].weight),
            "{heaviest:?}"
        );
        assert_eq!(sketch.slots.len(), SLOTS);
    }

    #[test]
    fn the_past_fades_until_it_is_forgotten() {
        let mut sketch = Sketch::default();
        sketch.add("/then", 1_000_000);
        for _ in 0..16 {
            sketch.fade();
        }
        let left = sketch.heaviest(1)[0].weight;
        assert!((300_000..400_000).contains(&left), "{left}");
        for _ in 0..1000 {
            sketch.fade();
        }
        assert_eq!((sketch.heaviest(1), sketch.total()), (Vec::new(), 0));
        assert!(sketch.slots.is_empty());
    }

    #[test]
    fn long_names_are_cut_where_a_character_ends() {
        let mut sketch = Sketch::default();
        let long = format!("{}ü", "x".repeat(MAX_NAME - 1));
        sketch.add(&long, 1);
        sketch.add(&format!("{long}/other"), 2);
        let heaviest = sketch.heaviest(9);
        assert_eq!(heaviest.len(), 2, "the whole name counts");
        for heavy in heaviest {
            assert!(heavy.is_cut);
            assert_eq!(heavy.name, "x".repeat(MAX_NAME - 1));
        }
    }
}
