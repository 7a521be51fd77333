//! `s3s-fs`, made to answer as S3 does where it does not.

use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, GetObjectInput,
    GetObjectOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output,
    PutObjectInput, PutObjectOutput, Range,
};
use s3s::{S3, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use std::path::PathBuf;
use tokio::sync::RwLock;

/// A folder of buckets.
pub(crate) struct Buckets {
    pub folder: PathBuf,
    pub files: FileSystem,
    /// It looks at the condition of a conditional write first and writes later; S3 does
    /// both at once. So writes are let in one at a time.
    pub lock: RwLock<()>,
}

#[async_trait::async_trait]
impl S3 for Buckets {
    async fn get_object(
        &self,
        mut request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let _shared = self.lock.read().await;
        let input = &mut request.input;
        let file = self.folder.join(&input.bucket).join(&input.key);
        let size = std::fs::metadata(file).map_or(0, |data| data.len());
        // The last bytes of an object that has fewer are all it has.
        if let Some(Range::Suffix { length }) = input.range
            && length > size
            && size > 0
        {
            input.range = Some(Range::Suffix { length: size });
        }
        self.files.get_object(request).await
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let _shared = self.lock.read().await;
        self.files.head_object(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let _shared = self.lock.read().await;
        self.files.list_objects_v2(request).await
    }

    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let _alone = self.lock.write().await;
        self.files.put_object(request).await
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let _alone = self.lock.write().await;
        self.files.delete_object(request).await
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let _alone = self.lock.write().await;
        self.files.delete_objects(request).await
    }
}
