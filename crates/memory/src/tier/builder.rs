use std::sync::Arc;

use quick_cache::OptionsBuilder;
use quick_cache::sync::Cache;
use terrace_core::EpochTable;

use super::budget::Budget;
use super::evictions::Evictions;
use super::object::Weigh;
use super::{MemoryTier, Shared};

/// Settings of a [`MemoryTier`].
///
/// | setting | default |
/// |---|---|
/// | [`max_object_bytes`](Self::max_object_bytes) | 4 MiB |
/// | [`max_filling_bytes`](Self::max_filling_bytes) | a quarter of the capacity, but at least 16 MiB |
/// | [`estimated_items`](Self::estimated_items) | one per 16 KiB of capacity |
/// | [`epoch_slots`](Self::epoch_slots) | 65,536, which take 3.5 MiB |
#[derive(Debug, Clone)]
#[must_use]
pub struct MemoryTierBuilder {
    capacity_bytes: u64,
    max_object_bytes: u64,
    max_filling_bytes: u64,
    estimated_items: usize,
    epoch_slots: usize,
}

/// A shard has room for this many of the heaviest objects. With fewer, one of them would empty it.
const OBJECTS_PER_SHARD: u64 = 4;
/// A shard keeps this part of its capacity for new objects that have yet to prove themselves…
const PROBATION: f64 = 0.03;
/// …and refuses an object that does not fit the rest. A sixteenth (6 %) is a margin beyond that.
const SHARD_MARGIN: u64 = 16;

impl MemoryTierBuilder {
    pub(super) fn new(capacity_bytes: u64) -> Self {
        let items = capacity_bytes / (16 << 10);
        Self {
            capacity_bytes,
            max_object_bytes: 4 << 20,
            max_filling_bytes: (capacity_bytes / 4).max(16 << 20),
            estimated_items: usize::try_from(items).unwrap_or(usize::MAX).min(1 << 24),
            epoch_slots: 1 << 16,
        }
    }

    /// The heaviest object the tier takes, in bytes; see [`MemoryTier`] for what an object weighs.
    ///
    /// The cache is divided into shards, and an object must fit into one. The greater this bound, the fewer
    /// shards there are, and the more they contend. If even a single shard is too small, this bound
    /// is lowered to what fits.
    pub fn max_object_bytes(mut self, bytes: u64) -> Self {
        self.max_object_bytes = bytes;
        self
    }

    /// The most memory fills under way may use together, in bytes; a fill that needs more is refused with
    /// `Exhausted`. It comes on top of the capacity.
    pub fn max_filling_bytes(mut self, bytes: u64) -> Self {
        self.max_filling_bytes = bytes;
        self
    }

    /// How many objects are expected; wrong by a factor of ten is good enough. The cache remembers half
    /// as many evicted keys.
    pub fn estimated_items(mut self, items: usize) -> Self {
        self.estimated_items = items;
        self
    }

    /// Slots of the [`EpochTable`], 56 bytes each: with *n*, one purge in *n* costs another given group its fills.
    pub fn epoch_slots(mut self, slots: usize) -> Self {
        self.epoch_slots = slots;
        self
    }

    /// The tier.
    #[expect(clippy::missing_panics_doc, reason = "it does not")]
    pub fn build(self) -> MemoryTier {
        let options = OptionsBuilder::new()
            .shards(self.shards())
            .estimated_items_capacity(self.estimated_items)
            .weight_capacity(self.capacity_bytes)
            .hot_allocation(1.0 - PROBATION)
            .build()
            .expect("both capacities are set");
        let evictions = Evictions::default();
        let cache = Cache::with_options(
            options,
            Weigh,
            quick_cache::DefaultHashBuilder::default(),
            evictions.clone(),
        );
        let fits = cache.shard_capacity() - cache.shard_capacity().div_ceil(SHARD_MARGIN);
        MemoryTier {
            shared: Arc::new(Shared {
                cache,
                evictions,
                epochs: EpochTable::new(self.epoch_slots),
                filling: Arc::new(Budget::new(self.max_filling_bytes)),
                max_object_bytes: self.max_object_bytes.min(fits),
            }),
        }
    }

    /// Four per core, as the cache would choose itself, but no more than leave each large enough.
    fn shards(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let shard_bytes = self
            .max_object_bytes
            .max(1)
            .saturating_mul(OBJECTS_PER_SHARD);
        let most = (self.capacity_bytes / shard_bytes).max(1).ilog2();
        (cores * 4).next_power_of_two().min(1 << most.min(16))
    }
}
