/// What an endpoint can do, as was seen at start.
///
/// What bodies need is not here, for an endpoint that cannot do it is refused: to read what was just written, whole or a
/// range; to list all there is, in pages; to delete, also what is not there; to upload in parts, unseen until the end; to
/// abort that.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// What the server calls itself, if it says so.
    pub server: Option<String>,
    /// The bucket was missing, and was made.
    pub made_bucket: bool,
    /// What becomes of a write that demands that nothing be there yet. Nothing here needs it.
    pub create_only: Condition,
    /// Lists are in the order of names. Nothing here needs it.
    pub list_in_order: bool,
    /// A write with a wrong checksum in its header is refused. (Each request is signed over its content besides.)
    pub verifies_checksums: bool,
    /// How unfinished uploads can be found.
    pub uploads: UploadList,
}

/// What becomes of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It holds.
    Kept,
    /// The write is made although the condition does not hold.
    Ignored,
    /// The write is refused although the condition holds.
    Refused,
}

/// How unfinished uploads can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadList {
    /// By the prefix of their names.
    ByPrefix,
    /// Only all of the bucket's at once.
    WholeBucket,
    /// Not at all, or not with these credentials: the store's own rule for them has to remove what a killed process left.
    Missing,
}
