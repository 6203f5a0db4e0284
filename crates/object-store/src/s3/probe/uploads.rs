use http::{Method, header};
use object_store::path::Path;
use terrace_core::{ErrorKind, Result};

use super::{OP, Probe};
use crate::s3::answer::UploadStarted;
use crate::s3::capabilities::UploadList;
use crate::s3::sweep::directory;
use crate::s3::wire::Request;

impl Probe<'_> {
    /// Uploads in parts, and says how unfinished uploads can be found.
    pub(super) async fn uploads(&self) -> Result<UploadList> {
        let path = self.path("upload");
        let upload = self.begin(&path).await?;
        let list = self.find(&upload).await;
        let completed = match &list {
            Ok(_) => self.complete(&path, &upload).await,
            Err(_) => Ok(()),
        };
        if completed.is_err() || list.is_err() {
            drop(self.wire.abort_upload(OP, &path, &upload).await);
        }
        completed?;
        let list = list?;
        let given_up = self.begin(&path).await?;
        self.wire.abort_upload(OP, &path, &given_up).await?;
        if self.is_listed(list, &given_up).await? {
            return Err(self.lacking("abort an upload", "it is still there afterwards"));
        }
        Ok(list)
    }

    async fn begin(&self, path: &Path) -> Result<String> {
        let request = Request::new("begin an upload", Method::POST, Some(path));
        let request = request.query("uploads", "");
        let answer = self.wire.expect(OP, &request).await?;
        match answer.parse::<UploadStarted>() {
            Some(started) => Ok(started.upload_id),
            None => Err(self.lacking(request.purpose, "it answered something else")),
        }
    }

    async fn complete(&self, path: &Path, upload: &str) -> Result<()> {
        let part = Request::new("upload a part", Method::PUT, Some(path))
            .query("partNumber", "1")
            .query("uploadId", upload)
            .body(self.content.clone());
        let answer = self.wire.expect(OP, &part).await?;
        let Some(tag) = answer.header(header::ETAG.as_str()) else {
            return Err(self.lacking(part.purpose, "it gave the part no tag"));
        };
        if !self.is_absent(path).await? {
            let advice = "an unfinished upload can be seen";
            return Err(self.lacking("upload in parts", advice));
        }
        let tag = quick_xml::escape::escape(tag);
        let body = format!(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><PartNumber>1</PartNumber>\
             <ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
        );
        let request = Request::new("complete an upload", Method::POST, Some(path))
            .query("uploadId", upload)
            .body(body);
        let answer = self.wire.expect(OP, &request).await?;
        // The status comes before the work is done: whether it worked is in the body.
        if !answer.refusal().code.is_empty() {
            return Err(self.wire.refused(OP, request.purpose, &answer));
        }
        self.reads_back(path).await
    }

    async fn find(&self, upload: &str) -> Result<UploadList> {
        for list in [UploadList::ByPrefix, UploadList::WholeBucket] {
            match self.is_listed(list, upload).await {
                Ok(true) => return Ok(list),
                Ok(false) => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unsupported) =>
                {
                    tracing::warn!(
                        %error,
                        "unfinished uploads of killed processes cannot be found: allow their list \
                         (s3:ListBucketMultipartUploads), or set a lifecycle rule that aborts them"
                    );
                    return Ok(UploadList::Missing);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(UploadList::Missing)
    }

    async fn is_listed(&self, list: UploadList, upload: &str) -> Result<bool> {
        let prefix = match list {
            UploadList::ByPrefix => directory(&self.place),
            UploadList::WholeBucket => String::new(),
            UploadList::Missing => return Ok(false),
        };
        self.wire.lists_upload(OP, prefix, upload).await
    }
}
