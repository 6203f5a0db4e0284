//! Removes what killed processes left.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _, future};
use http::Method;
use object_store::path::Path;
use terrace_core::Result;

use crate::layout::Layout;
use crate::s3::answer::{ListedUpload, ObjectPage, moment};
use crate::s3::capabilities::UploadList;
use crate::s3::wire::{Request, Wire};

const OP: &str = "s3.sweep";
/// Uploads that are aborted at the same time.
const PARALLEL: usize = 8;

/// What a sweep looks for.
pub(crate) struct Sweep<'a> {
    pub(crate) wire: &'a Wire,
    pub(crate) prefix: &'a Path,
    pub(crate) layout: Layout,
    pub(crate) stale_after: Duration,
}

impl Sweep<'_> {
    /// Aborts the uploads of bodies, and of probes, that are old enough, and says how many they were.
    pub(crate) async fn run(&self, list: UploadList) -> Result<u64> {
        let aborted = AtomicU64::new(0);
        self.unfinished(list)
            .try_for_each_concurrent(PARALLEL, |upload| {
                let aborted = &aborted;
                async move {
                    if upload.age.is_some_and(|age| age >= self.stale_after) {
                        self.wire.abort_upload(OP, &upload.path, &upload.id).await?;
                        aborted.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                }
            })
            .await?;
        self.old_probes().await?;
        Ok(aborted.into_inner())
    }

    /// How many unfinished uploads there are, of whatever age.
    pub(crate) async fn count(&self, list: UploadList) -> Result<u64> {
        self.unfinished(list)
            .try_fold(0, |count, _| future::ready(Ok(count + 1)))
            .await
    }

    /// The uploads of bodies and of probes.
    fn unfinished(&self, list: UploadList) -> BoxStream<'_, Result<Unfinished>> {
        let prefix = match list {
            UploadList::ByPrefix => directory(self.prefix),
            UploadList::WholeBucket => String::new(),
            UploadList::Missing => return stream::empty().boxed(),
        };
        self.wire
            .uploads(OP, prefix)
            .map_ok(move |(page, now)| {
                let ours = page
                    .into_iter()
                    .filter_map(move |upload| self.ours(upload, now));
                stream::iter(ours.map(Ok))
            })
            .try_flatten()
            .boxed()
    }

    fn ours(&self, upload: ListedUpload, now: Option<SystemTime>) -> Option<Unfinished> {
        let path = Path::parse(&upload.key).ok()?;
        let is_ours = self.layout.parse(self.prefix, &path).is_some()
            || path.prefix_matches(&probes(self.prefix));
        is_ours.then_some(Unfinished {
            path,
            id: upload.upload_id,
            age: age(upload.initiated.as_deref(), now),
        })
    }

    /// Deletes what probes of killed processes left, a page at a time, which is more than any start leaves.
    async fn old_probes(&self) -> Result<()> {
        let prefix = directory(&probes(self.prefix));
        let list = Request::new("list what probes left", Method::GET, None)
            .query("list-type", "2")
            .query("prefix", &prefix);
        let answer = self.wire.expect(OP, &list).await?;
        let page = answer.parse::<ObjectPage>();
        for object in page.into_iter().flat_map(|page| page.contents) {
            let age = age(Some(&object.last_modified), answer.date());
            if let Ok(path) = Path::parse(&object.key)
                && age.is_some_and(|age| age >= self.stale_after)
            {
                let delete = Request::new("delete what a probe left", Method::DELETE, Some(&path));
                self.wire.expect(OP, &delete).await?;
            }
        }
        Ok(())
    }
}

/// By one clock, the server's. One that was set back in between makes things young.
fn age(since: Option<&str>, now: Option<SystemTime>) -> Option<Duration> {
    let (since, now) = since.and_then(moment).zip(now)?;
    Some(now.duration_since(since).unwrap_or_default())
}

struct Unfinished {
    path: Path,
    id: String,
    /// Nothing, if the server does not say.
    age: Option<Duration>,
}

/// Where probes write.
pub(crate) fn probes(prefix: &Path) -> Path {
    prefix.clone().join(".probe")
}

/// `path` as the beginning of names below it.
pub(crate) fn directory(path: &Path) -> String {
    if path.as_ref().is_empty() {
        return String::new();
    }
    format!("{path}/")
}
