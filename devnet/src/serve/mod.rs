//! The devnet as four nodes on loopback: L1, its beacon node, L2, and the rollup node.

mod beacon;
mod faults;
mod l1;
mod l1_state;
mod l2;
mod rollup;
mod rpc;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use faults::{Faults, Node};
pub use rollup::L1Ref;

use crate::devnet::Devnet;

/// A devnet that is being served; it stops when this is dropped.
#[derive(Debug)]
pub struct Served {
    l1: SocketAddr,
    beacon: SocketAddr,
    l2: SocketAddr,
    rollup: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What all handlers see.
#[derive(Debug)]
struct Shared {
    devnet: Arc<Devnet>,
    faults: Faults,
    offline: AtomicBool,
    /// The number of the last L1 block that is still there.
    reorg: AtomicU64,
    /// The newest block of an L1 that goes on elsewhere.
    l1_head: Mutex<Option<L1Ref>>,
    /// Requests by method.
    counts: Mutex<BTreeMap<String, u64>>,
    /// How often the very same request came, by which a repeated one has another fate.
    attempts: Mutex<BTreeMap<String, u64>>,
}

impl Devnet {
    /// Serves this devnet on four free ports of loopback until the result is dropped.
    ///
    /// # Errors
    /// When there is no port or no thread to be had.
    pub fn serve(self: &Arc<Self>, faults: Faults) -> std::io::Result<Served> {
        let shared = Arc::new(Shared {
            devnet: self.clone(),
            faults,
            offline: AtomicBool::new(false),
            reorg: AtomicU64::new(u64::MAX),
            l1_head: Mutex::default(),
            counts: Mutex::default(),
            attempts: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let listen = || runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listeners = [listen()?, listen()?, listen()?, listen()?];
        let mut addresses = Vec::new();
        for listener in &listeners {
            addresses.push(listener.local_addr()?);
        }
        let (stop, stopped) = oneshot::channel();
        let routers = [
            l1::router(shared.clone()),
            beacon::router(shared.clone()),
            l2::router(shared.clone()),
            rollup::router(shared.clone()),
        ];
        let thread = std::thread::Builder::new()
            .name("devnet".to_owned())
            .spawn(move || {
                for (listener, router) in listeners.into_iter().zip(routers) {
                    runtime.spawn(listen_on(listener, router));
                }
                // Ends with a message or with the sender's end, both being the end.
                let _ = runtime.block_on(stopped);
                runtime.shutdown_background();
            })?;
        Ok(Served {
            l1: addresses[0],
            beacon: addresses[1],
            l2: addresses[2],
            rollup: addresses[3],
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

async fn listen_on(listener: TcpListener, router: Router) {
    // Does not end before the runtime does.
    let _ = axum::serve(listener, router).await;
}

impl Served {
    /// The URL of the L1 node.
    #[must_use]
    pub fn l1(&self) -> String {
        format!("http://{}", self.l1)
    }

    /// The URL of the L1 beacon node.
    #[must_use]
    pub fn beacon(&self) -> String {
        format!("http://{}", self.beacon)
    }

    /// The URL of the L2 node.
    #[must_use]
    pub fn l2(&self) -> String {
        format!("http://{}", self.l2)
    }

    /// The URL of the rollup node.
    #[must_use]
    pub fn rollup(&self) -> String {
        format!("http://{}", self.rollup)
    }

    /// While offline, connections end without an answer.
    pub fn set_offline(&self, offline: bool) {
        self.shared.offline.store(offline, Ordering::Relaxed);
    }

    /// L1 blocks after `number` are gone, as after a reorganisation; `u64::MAX` brings them back.
    pub fn set_reorg(&self, number: u64) {
        self.shared.reorg.store(number, Ordering::Relaxed);
    }

    /// L1 goes on elsewhere, in a chain that began as a fork of the L1 node: this is its newest
    /// block, up to which the rollup node says that it has derived everything. There are no
    /// batches in such blocks.
    pub fn set_l1_head(&self, head: L1Ref) {
        *lock(&self.shared.l1_head) = Some(head);
    }

    /// How many requests there were by method; paths of the beacon node count by their last
    /// constant part, for instance `blobs`.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        lock(&self.shared.counts).clone()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A map is whole even if a thread panicked with the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|error| error.into_inner())
}
