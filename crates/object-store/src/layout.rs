use object_store::path::Path;
use terrace_core::BlobName;

/// How the name of a body becomes a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// `<key>/<generation>`: for object stores, where there are no directories and keys are evenly distributed.
    #[default]
    Nested,
    /// `<first two digits of the key>/<key>.<generation>`: for file systems. No directory holds more than
    /// a 256th of the bodies, and none has to be made or removed with a body.
    Sharded,
}

impl Layout {
    pub(crate) fn path(self, prefix: &Path, name: &BlobName) -> Path {
        let prefix = prefix.clone();
        match self {
            Self::Nested => {
                let (key, generation) = (name.key.to_string(), name.generation.to_string());
                prefix.join(key).join(generation)
            }
            Self::Sharded => prefix.join(shard_of(name)).join(file_name(name)),
        }
    }

    /// The name of the body at `path`; `None` if it is not one of ours.
    pub(crate) fn parse(self, prefix: &Path, path: &Path) -> Option<BlobName> {
        let mut parts = path.prefix_match(prefix)?;
        let (directory, file) = (parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let name = match self {
            Self::Nested => format!("{}/{}", directory.as_ref(), file.as_ref())
                .parse()
                .ok()?,
            Self::Sharded => parse_file_name(file.as_ref())?,
        };
        // A file in the wrong shard would not be found under its name.
        (self.path(prefix, &name) == *path).then_some(name)
    }
}

/// The names of all shards.
pub(crate) fn shards() -> impl Iterator<Item = String> {
    (0..=u8::MAX).map(shard_name)
}

/// The name of the shard `name` belongs into.
pub(crate) fn shard_of(name: &BlobName) -> String {
    shard_name(name.key.primary().as_bytes()[0])
}

fn shard_name(byte: u8) -> String {
    format!("{byte:02x}")
}

fn file_name(name: &BlobName) -> String {
    format!("{}.{}", name.key, name.generation)
}

/// Reads what [`file_name`] wrote.
pub(crate) fn parse_file_name(text: &str) -> Option<BlobName> {
    let (key, generation) = text.split_once('.')?;
    Some(BlobName {
        key: key.parse().ok()?,
        generation: generation.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use terrace_core::{Generation, Key, KeyDigest};

    use super::*;

    fn names() -> [BlobName; 2] {
        let generation = Generation::from_u64(0xff).unwrap();
        let key = Key::named("a");
        [key, key.variant(KeyDigest::of(&[b"gzip"]))].map(|key| BlobName { key, generation })
    }

    #[test]
    fn paths_parse_back() {
        for prefix in ["", "deep/er"].map(|prefix| Path::parse(prefix).unwrap()) {
            for (layout, name) in [Layout::Nested, Layout::Sharded]
                .into_iter()
                .flat_map(|layout| names().map(|name| (layout, name)))
            {
                let path = layout.path(&prefix, &name);
                assert_eq!(layout.parse(&prefix, &path), Some(name));
            }
        }
    }

    #[test]
    fn p10_foreign_paths_are_no_names() {
        let (root, [name, _]) = (Path::default(), names());
        let sharded = Layout::Sharded.path(&root, &name).to_string();
        let (shard, file) = sharded.split_once('/').unwrap();
        let other_shard = if shard == "00" { "01" } else { "00" };
        for text in [
            format!("{other_shard}/{file}"),
            format!("{shard}/{file}#1"),
            format!("{shard}/{}", file.to_uppercase()),
            format!("{shard}/{file}/more"),
            format!("x/{shard}/{file}"),
            file.to_owned(),
            ".lock".to_owned(),
        ] {
            let path = Path::parse(&text).unwrap();
            assert_eq!(Layout::Sharded.parse(&root, &path), None, "{text}");
            assert_eq!(Layout::Nested.parse(&root, &path), None, "{text}");
        }
    }
}
