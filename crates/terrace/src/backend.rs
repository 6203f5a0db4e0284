//! What a tier, a blob store or an index store is written against, beside what is at the root.
//!
//! The documentation of the three traits is their specification.

#[doc(inline)]
pub use terrace_core::{
    Applied, BlobInfo, BlobName, BlobRead, BlobStore, BlobWrite, BlockChecksums, BodySource, Cas,
    ChecksumBuilder, Commit, Committed, Cursor, Decoded, Entry, EpochSlot, EpochTable, Fence, Fill,
    Group, GroupStamp, Hit, IndexCapabilities, IndexPage, IndexStore, InvalidBlobName, Liveness,
    Location, Lookup, MAX_BLOCKS, MAX_MANIFEST_BYTES, MAX_TAGS, MIN_BLOCK_SIZE, Manifest,
    ManifestError, Peeked, ReadBody, Record, Reservation, State, StoredObject, Tier, TierKind,
    Usage, VerifiedBody, Verifier, Version, crc32c,
};
