//! Unfinished uploads, as the server knows them.

use std::time::SystemTime;

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use http::Method;
use object_store::path::Path;
use terrace_core::{ErrorKind, Result};

use crate::s3::answer::{Answer, ListedUpload, UploadPage};
use crate::s3::wire::{Request, Wire};

/// A page, and the server's time when it was sent.
type Dated = (Vec<ListedUpload>, Option<SystemTime>);

/// Where a list goes on.
#[derive(Clone, Default)]
struct Marker {
    key: Option<String>,
    upload: Option<String>,
}

impl Wire {
    /// The pages of the list of unfinished uploads whose names begin with `prefix`.
    pub(crate) fn uploads(&self, op: &'static str, prefix: String) -> BoxStream<'_, Result<Dated>> {
        let first = Some((prefix, Marker::default()));
        stream::try_unfold(first, move |state| async move {
            let Some((prefix, marker)) = state else {
                return Ok(None);
            };
            let (page, answer) = self.upload_page(op, &prefix, &marker).await?;
            let next = Marker {
                key: page.next_key_marker,
                upload: page.next_upload_id_marker,
            };
            // A page that says that there are more, but not where, would be asked for again and again.
            let moves =
                next.key.is_some() && (next.key != marker.key || next.upload != marker.upload);
            let next = (page.is_truncated && moves).then_some((prefix, next));
            Ok(Some(((page.upload, answer.date()), next)))
        })
        .boxed()
    }

    async fn upload_page(
        &self,
        op: &'static str,
        prefix: &str,
        marker: &Marker,
    ) -> Result<(UploadPage, Answer)> {
        let mut request =
            Request::new("list unfinished uploads", Method::GET, None).query("uploads", "");
        if !prefix.is_empty() {
            request = request.query("prefix", prefix);
        }
        if let Some(key) = &marker.key {
            request = request.query("key-marker", key);
        }
        if let Some(upload) = &marker.upload {
            request = request.query("upload-id-marker", upload);
        }
        let answer = self.expect(op, &request).await?;
        if let Some(page) = answer.parse() {
            return Ok((page, answer));
        }
        let what = "it answered something else";
        Err(self.error(ErrorKind::Unsupported, op, request.purpose, what))
    }

    /// Aborts an upload; that there is none is fine.
    pub(crate) async fn abort_upload(
        &self,
        op: &'static str,
        path: &Path,
        upload: &str,
    ) -> Result<()> {
        let request = Request::new("abort an upload", Method::DELETE, Some(path));
        let request = request.query("uploadId", upload);
        let answer = self.send(op, &request).await?;
        if answer.is_success() || answer.refusal().code == "NoSuchUpload" {
            return Ok(());
        }
        Err(self.refused(op, request.purpose, &answer))
    }

    /// Whether `upload` is in the list of those that begin with `prefix`.
    pub(crate) async fn lists_upload(
        &self,
        op: &'static str,
        prefix: String,
        upload: &str,
    ) -> Result<bool> {
        self.uploads(op, prefix)
            .try_any(|(page, _)| async move { page.iter().any(|it| it.upload_id == upload) })
            .await
    }
}
