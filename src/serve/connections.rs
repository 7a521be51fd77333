//! Connections: how many there are at once, and how long a request may take to arrive.

use super::queue::Queue;
use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How many connections there are at most. More wait to be accepted.
const CONNECTIONS: usize = 256;

/// How long the head of a request may take to arrive, and a connection be idle: those that
/// say nothing must not keep others out.
const HEAD: Duration = Duration::from_secs(10);

/// How long answers may take to reach their clients when the server ends.
const GRACE: Duration = Duration::from_secs(2);

/// How often the end is looked for.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves connections until the queue is closed.
pub async fn serve<L: Listener>(mut listener: L, router: Router, queue: &Queue) {
    let (graceful, permits) = (GracefulShutdown::new(), Semaphore::new(CONNECTIONS));
    let permits = Arc::new(permits);
    while !queue.is_closed() {
        let permit = Arc::clone(&permits).acquire_owned();
        let Ok(permit) = timeout(PAUSE, permit).await else {
            continue;
        };
        let Ok((stream, _)) = timeout(PAUSE, listener.accept()).await else {
            continue;
        };
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD);
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // That a client goes away, or says nothing, is no error of ours.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    // Somebody may read too slowly to be waited for.
    let _ = timeout(GRACE, graceful.shutdown()).await;
}
