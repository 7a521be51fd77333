//! Serves metrics over HTTP.

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use carronade_challenger::Metrics;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// Serves metrics at an address, under `/metrics`, until the result is dropped; gives the address
/// with the port that is used where 0 was asked for.
///
/// # Errors
/// When nobody can listen there.
pub fn serve(address: SocketAddr, metrics: Arc<Metrics>) -> Result<(Runtime, SocketAddr)> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("metrics")
        .enable_all()
        .build()
        .context("no thread for metrics")?;
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(address))
        .with_context(|| format!("cannot serve metrics at {address}"))?;
    let bound = listener.local_addr()?;
    let render = move || std::future::ready(metrics.render());
    let router = Router::new().route("/metrics", get(render));
    runtime.spawn(async move { axum::serve(listener, router).await });
    Ok((runtime, bound))
}
