//! `serve`: a trace whose machine stays warm, and answers to questions about it over HTTP.
//!
//! The machine belongs to the thread that the command runs on, which answers one question
//! after the other; HTTP has a thread of its own. So a machine that fails in a way nobody
//! has thought of ends the process, and leaves no client waiting.

pub mod client;
mod connections;
mod http;
mod listen;
mod metrics;
mod queue;
mod status;
mod work;

pub use listen::socket_in;

use crate::failure::{Failure, Outcome};
use crate::log::Logger;
use crate::oracle::SharedOracle;
use crate::{cli, interrupt, trace};
use anyhow::{Context, anyhow};
use carronade_trace::Trace;
use http::App;
use listen::Bound;
use metrics::Metrics;
use queue::Queue;
use rustix::process::{Resource, getrlimit, setrlimit};
use status::Status;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use work::Worker;

/// How long the worker waits for a question before it looks at signals.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs the command.
///
/// # Errors
/// [`Failure::Interrupted`] when a signal ends it, errors when it cannot go on.
pub fn run(args: &cli::Serve, logger: &Logger) -> Outcome {
    allow_files();
    let place = trace::store_place(args.traced.store.store.as_deref())?;
    // First of all, so that a second server fails before it has loaded anything.
    let bound = listen::bind(args.listen.as_deref(), &place)?;
    let host = SharedOracle::start(&args.traced.host)?;
    let opened = trace::open(&args.traced, &host, logger);
    let result = opened.and_then(|trace| serve(args, trace, bound, logger));
    host.finish(matches!(result, Ok(())), logger);
    result
}

/// Connections and checkpoints are files, more than a process may have open at first.
fn allow_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Without it, some clients may have to wait.
    let _ = setrlimit(Resource::Nofile, limit);
}

fn serve(args: &cli::Serve, mut trace: Trace, bound: Bound, logger: &Logger) -> Outcome {
    let queue = Queue::new(args.queue as usize);
    let status = Arc::new(Status::new(&trace));
    observe(&mut trace, &queue, &status);
    let app = App {
        queue: queue.clone(),
        status: Arc::clone(&status),
        metrics: Metrics::default(),
    };
    let (shown, socket, listener) = (bound.to_string(), bound.socket, bound.listener);
    let server = std::thread::Builder::new().name("http".into());
    let server = server.spawn(move || http::serve(listener, app));
    let server = server.context("cannot start a thread")?;
    logger.vm("Serving the trace", &[("listen", shown.into())]);
    let mut worker = Worker::new(trace, status);
    while !interrupt::requested() && !server.is_finished() {
        if let Some(job) = queue.next(PAUSE) {
            worker.work(job);
        }
    }
    // Nobody is to find a socket that nobody listens at any more.
    drop(socket);
    queue.close();
    // The machine's native code is saved as it goes.
    drop(worker);
    finish(server)
}

/// Lets the trace tell how far it is, and end what nobody waits for any more.
fn observe(trace: &mut Trace, queue: &Queue, status: &Arc<Status>) {
    let (queue, status) = (queue.clone(), Arc::clone(status));
    trace.observe(move |progress| {
        status.advance(progress);
        interrupt::requested() || queue.is_abandoned()
    });
}

/// Waits for the HTTP thread, which ends after the queue is closed.
fn finish(server: JoinHandle<std::io::Result<()>>) -> Outcome {
    let ended = server.join();
    let ended = ended.map_err(|_| anyhow!("the HTTP server has failed"))?;
    ended.context("the HTTP server has failed")?;
    Err(Failure::Interrupted)
}
