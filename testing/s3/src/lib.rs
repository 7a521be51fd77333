//! A server that speaks S3, on loopback and in this process: `s3s-fs`, whose buckets are
//! folders.

mod bucket;

use bucket::Buckets;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use std::net::SocketAddr;
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::RwLock;

/// The name of the only bucket.
pub const BUCKET: &str = "bucket";
const KEY: &str = "key";
const SECRET: &str = "secret";

/// A running server; it ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    folder: TempDir,
    _runtime: Runtime,
}

impl Server {
    /// Starts a server with an empty bucket.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a folder in it");
        let files = FileSystem::new(folder.path()).expect("a folder is a place for buckets");
        let mut builder = S3ServiceBuilder::new(Buckets {
            folder: folder.path().into(),
            files,
            lock: RwLock::new(()),
        });
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let runtime = Runtime::new().expect("threads can be started");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a port on loopback");
        let address = listener.local_addr().expect("it has an address");
        runtime.spawn(serve(listener, service));
        Self {
            address,
            folder,
            _runtime: runtime,
        }
    }

    /// Where the bucket's objects are as files.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// What a program's environment needs to reach the server.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", KEY.into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.into()),
        ]
    }
}

async fn serve(listener: TcpListener, service: S3Service) {
    while let Ok((socket, _)) = listener.accept().await {
        // Else each answer waits for an acknowledgement.
        let _ = socket.set_nodelay(true);
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(socket), service.clone());
        tokio::spawn(connection);
    }
}
