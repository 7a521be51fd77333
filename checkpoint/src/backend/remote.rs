//! Objects in an object store that speaks S3.
//!
//! Small objects need conditional writes (`If-None-Match`, `If-Match`), which AWS and most
//! others have. A server that ignores the conditions would let two owners have a claim.
//! What they do is done twice then, but not wrong; edges do not depend on it.
//!
//! Requests run on one thread of this process's own, so that callers need no runtime and
//! may have one.

mod request;

use super::{Backend, Extent, Small, Source, Version, if_there};
use crate::error::{Error, Result};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{
    ClientOptions, Error as StoreError, ListResult, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutOptions, RetryConfig, UpdateVersion,
};
use request::{explain, is_loopback, open, read, runtime};
use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Requests at once.
const PARALLEL: usize = 32;
/// A root edge may be hundreds of megabytes.
const TIMEOUT: Duration = Duration::from_secs(300);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request is tried again.
const PATIENCE: Duration = Duration::from_secs(30);

/// A prefix in a bucket as a place for objects.
pub(crate) struct Remote {
    bucket: Arc<AmazonS3>,
    prefix: String,
    /// How the location was written, for errors.
    location: String,
    permits: Arc<Semaphore>,
}

impl Remote {
    /// The place `s3://bucket/prefix`, as the environment says how to reach it.
    pub fn open(location: &str) -> Result<Self> {
        let refuse = |why: String| Error::Location {
            location: location.into(),
            why,
        };
        let path = location.strip_prefix("s3://").unwrap_or_default();
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return Err(refuse("it names no bucket".into()));
        }
        // Fails if the program has chosen one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let environment = AmazonS3Builder::from_env().with_bucket_name(bucket);
        let endpoint = environment.get_config_value(&AmazonS3ConfigKey::Endpoint);
        let options = ClientOptions::new()
            .with_timeout(TIMEOUT)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_allow_http(endpoint.is_some_and(|endpoint| is_loopback(&endpoint)));
        let retry = RetryConfig {
            max_retries: 5,
            retry_timeout: PATIENCE,
            ..RetryConfig::default()
        };
        let bucket = environment
            .with_client_options(options)
            .with_retry(retry)
            .build();
        Ok(Self {
            bucket: Arc::new(bucket.map_err(|error| refuse(error.to_string()))?),
            prefix: prefix.trim_matches('/').into(),
            location: location.trim_end_matches('/').into(),
            permits: Arc::new(Semaphore::new(PARALLEL)),
        })
    }

    fn key(&self, path: &str) -> Path {
        Path::from(format!("{}/{path}", self.prefix))
    }

    fn name(&self, path: &str) -> String {
        format!("{}/{path}", self.location)
    }

    /// Waits for a request.
    fn wait<T, F>(&self, path: &str, request: impl FnOnce(Arc<AmazonS3>, Path) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let request = request(self.bucket.clone(), self.key(path));
        let mut answers = self.wait_for_all(vec![request]);
        let answer = answers.pop().expect("one answer");
        answer.map_err(|error| explain(self.name(path), error))
    }

    /// Waits for many requests at once.
    fn wait_for_all<T, F>(&self, requests: Vec<F>) -> Vec<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel();
        for (number, request) in requests.into_iter().enumerate() {
            let (sender, permits) = (sender.clone(), self.permits.clone());
            runtime().spawn(async move {
                let _permit = permits.acquire().await;
                // Nobody waits any more if the caller has panicked.
                let _ = sender.send((number, request.await));
            });
        }
        drop(sender);
        let mut answers: Vec<_> = receiver.into_iter().collect();
        answers.sort_by_key(|(number, _)| *number);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    fn listing(&self, folder: &str) -> Result<ListResult> {
        self.wait(folder, |bucket, key| async move {
            bucket.list_with_delimiter(Some(&key)).await
        })
    }

    fn objects(&self, folder: &str) -> Result<Vec<ObjectMeta>> {
        Ok(self.listing(folder)?.objects)
    }

    fn remove_all(&self, paths: &[String]) -> Result<()> {
        let remove = |path: &String| {
            let (bucket, key, name) = (self.bucket.clone(), self.key(path), self.name(path));
            async move {
                let removed = bucket.delete(&key).await;
                removed.map_err(|error| explain(name, error))
            }
        };
        let removed = self.wait_for_all(paths.iter().map(remove).collect());
        removed
            .into_iter()
            .try_for_each(|removed| if_there(removed).map(drop))
    }

    fn put(&self, path: &str, bytes: &[u8], mode: PutMode) -> Result<()> {
        let bytes = bytes.to_vec();
        let put = |bucket: Arc<AmazonS3>, key| async move {
            let options = PutOptions {
                mode,
                ..PutOptions::default()
            };
            bucket.put_opts(&key, bytes.into(), options).await
        };
        self.wait(path, put).map(drop)
    }
}

impl Backend for Remote {
    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let listed = self.objects(folder)?.into_iter();
        Ok(listed
            .filter_map(|object| Some(object.location.filename()?.to_string()))
            .collect())
    }

    fn folders(&self) -> Result<Vec<String>> {
        let folders = self.listing("")?.common_prefixes.into_iter();
        Ok(folders
            .filter_map(|folder| Some(folder.filename()?.to_string()))
            .collect())
    }

    fn remove_folder(&self, folder: &str, order: &[&str]) -> Result<bool> {
        let mut was_there = false;
        for part in order {
            let part = format!("{folder}/{part}");
            let names = self.list(&part)?;
            was_there |= !names.is_empty();
            let paths: Vec<_> = names.iter().map(|name| format!("{part}/{name}")).collect();
            self.remove_all(&paths)?;
        }
        Ok(was_there)
    }

    /// The next time, what is left is as old as before.
    fn finish_removing(&self) -> Result<()> {
        Ok(())
    }

    fn measure(&self, folder: &str) -> Result<Extent> {
        let extents = self.objects(folder)?.into_iter().map(|object| Extent {
            bytes: object.size,
            modified: Some(object.last_modified.into()),
        });
        Ok(extents.fold(Extent::default(), Extent::and))
    }

    fn open(&self, paths: &[String]) -> Vec<Result<(Source, Vec<u8>)>> {
        let open = |path: &String| {
            let (bucket, key, name) = (self.bucket.clone(), self.key(path), self.name(path));
            async move {
                let opened = open(&bucket, &key, name.clone()).await;
                opened.map_err(|error| explain(name, error))
            }
        };
        self.wait_for_all(paths.iter().map(open).collect())
    }

    fn read(&self, requests: &[(&Source, Range<u64>)]) -> Vec<Result<Vec<u8>>> {
        let read = |(source, range): &(&Source, Range<u64>)| {
            let key = source.path[self.location.len() + 1..].to_string();
            let (bucket, key, name) = (self.bucket.clone(), self.key(&key), source.path.clone());
            let (range, version) = (range.clone(), source.version.clone());
            async move {
                let bytes = read(&bucket, &key, range, version).await;
                bytes.map_err(|error| match error {
                    // Another version is there: what was opened is not.
                    StoreError::Precondition { .. } => Error::Missing { object: name },
                    error => explain(name, error),
                })
            }
        };
        self.wait_for_all(requests.iter().map(read).collect())
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<bool> {
        match self.put(path, bytes, PutMode::Create) {
            Err(Error::Conflict { .. }) => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.put(path, bytes, PutMode::Overwrite)
    }

    fn get(&self, path: &str) -> Result<Option<Small<Vec<u8>>>> {
        let get = |bucket: Arc<AmazonS3>, key| async move {
            let answer = bucket.get(&key).await?;
            let (version, modified) = (answer.meta.e_tag.clone(), answer.meta.last_modified.into());
            let value = answer.bytes().await?.into();
            Ok(Small {
                value,
                version: version.unwrap_or_default(),
                modified,
            })
        };
        if_there(self.wait(path, get))
    }

    fn swap(&self, path: &str, version: &Version, bytes: &[u8]) -> Result<bool> {
        let version = UpdateVersion {
            e_tag: Some(version.clone()),
            version: None,
        };
        match self.put(path, bytes, PutMode::Update(version)) {
            Err(Error::Conflict { .. }) => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn remove(&self, path: &str) -> Result<()> {
        let remove = |bucket: Arc<AmazonS3>, key| async move { bucket.delete(&key).await };
        if_there(self.wait(path, remove)).map(drop)
    }

    /// What was written is there for good.
    fn sync(&self, _: &str) -> Result<()> {
        Ok(())
    }

    /// What was not written to its end is not there.
    fn sweep(&self, _: &str, _: Duration) -> Result<()> {
        Ok(())
    }

    fn is_near(&self) -> bool {
        false
    }
}
