//! Single requests, and the thread that they run on.

use crate::backend::{Source, TAIL, Version};
use crate::error::Error;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{Error as StoreError, GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use std::ops::Range;
use std::sync::OnceLock;
use tokio::runtime::{Builder, Runtime};

/// Reads the end of an object.
pub(super) async fn open(
    bucket: &AmazonS3,
    key: &Path,
    path: String,
) -> Result<(Source, Vec<u8>), StoreError> {
    let options = GetOptions {
        range: Some(GetRange::Suffix(TAIL)),
        ..GetOptions::default()
    };
    let (meta, tail) = match bucket.get_opts(key, options).await {
        Ok(answer) => (answer.meta.clone(), answer.bytes().await?.into()),
        // An empty object has no range at all.
        Err(error @ StoreError::Generic { .. }) => match bucket.head(key).await {
            Ok(meta) if meta.size == 0 => (meta, Vec::new()),
            _ => return Err(error),
        },
        Err(error) => return Err(error),
    };
    let (size, modified, version) = (meta.size, meta.last_modified.into(), meta.e_tag);
    Ok((
        Source {
            path,
            size,
            modified,
            version,
            file: None,
        },
        tail,
    ))
}

/// Reads a range of just the version that was opened.
pub(super) async fn read(
    bucket: &AmazonS3,
    key: &Path,
    range: Range<u64>,
    version: Option<Version>,
) -> Result<Vec<u8>, StoreError> {
    // Such a range cannot be asked for.
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let range = Some(GetRange::Bounded(range));
    let options = GetOptions {
        range,
        if_match: version,
        ..GetOptions::default()
    };
    Ok(bucket.get_opts(key, options).await?.bytes().await?.into())
}

/// The store's own error for an object store's.
pub(super) fn explain(object: String, error: StoreError) -> Error {
    match error {
        StoreError::NotFound { .. } => Error::Missing { object },
        StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } => {
            Error::Conflict { object }
        }
        error => Error::Remote {
            object,
            source: Box::new(error),
        },
    }
}

/// The thread that requests run on, and what it needs. It is never stopped.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder
            .worker_threads(1)
            .thread_name("object-store")
            .enable_all()
            .build();
        runtime.expect("a thread can be started")
    })
}

/// Whether an endpoint is this very machine, to which nothing needs to be encrypted.
pub(super) fn is_loopback(endpoint: &str) -> bool {
    let Some(rest) = endpoint.strip_prefix("http://") else {
        return false;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        for here in [
            "http://127.0.0.1:9000",
            "http://localhost",
            "http://[::1]:80/",
            "http://127.9.9.9",
        ] {
            assert!(is_loopback(here), "{here}");
        }
        for there in [
            "https://127.0.0.1",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://127.0.0.1.example:80",
        ] {
            assert!(!is_loopback(there), "{there}");
        }
    }
}
