//! HTTP: what is asked where.

use super::connections;
use super::listen::Listener;
use super::metrics::Metrics;
use super::queue::{Queue, Refused};
use super::status::Status;
use super::work::{Answer, Kind, Question};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::routing::{get, post};
use std::io;
use std::pin::Pin;
use std::sync::Arc;

/// What is said to those who still wait when the server ends.
pub const ENDING: &str = "the server is ending";

/// What all requests share.
pub struct App {
    /// The questions that wait.
    pub queue: Queue,
    /// What is known about the trace.
    pub status: Arc<Status>,
    /// Figures about requests.
    pub metrics: Metrics,
}

type Shared = State<Arc<App>>;

/// Serves until the queue is closed.
///
/// # Errors
/// When there can be no connections.
pub fn serve(listener: Listener, app: App) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build()?;
    runtime.block_on(accept(listener, app))
}

async fn accept(listener: Listener, app: App) -> io::Result<()> {
    let (queue, router) = (app.queue.clone(), router(app));
    match listener {
        Listener::Unix(listener) => {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::UnixListener::from_std(listener)?;
            connections::serve(listener, router, &queue).await;
        }
        Listener::Tcp(listener) => {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let router = router.layer(from_fn(of_this_machine));
            connections::serve(listener, router, &queue).await;
        }
    }
    Ok(())
}

/// A browser can be led to a port of this machine by a name that is somebody else's; then
/// that name is in its request.
async fn of_this_machine(request: Request, next: Next) -> Response<Body> {
    let host = request.headers().get(header::HOST);
    match host.is_none_or(|host| host.to_str().is_ok_and(is_loopback)) {
        true => next.run(request).await,
        false => reply(Answer::error(403, "the Host header names another machine")),
    }
}

/// Whether a host, with a port or without, is a name of this machine for itself.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.to_ascii_lowercase();
    ["localhost", "127.0.0.1", "[::1]"].contains(&name.as_str())
}

fn router(app: App) -> Router {
    let unknown = async || reply(Answer::error(404, "there is nothing here"));
    let method = async |method: Method| {
        reply(Answer::error(
            405,
            &format!("{method} is not for this place"),
        ))
    };
    Router::new()
        .route("/v1/trace", get(trace))
        .route("/v1/hash", get(asks(Kind::Hash)))
        .route("/v1/witness", get(asks(Kind::Witness)))
        .route("/v1/state", get(asks(Kind::State)))
        .route("/v1/publish", post(asks(Kind::Publish)))
        .route("/health", get(async || "ok\n"))
        .route("/metrics", get(metrics))
        .fallback(unknown)
        .method_not_allowed_fallback(method)
        .with_state(Arc::new(app))
}

/// What answers requests of a kind.
type Handling = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

fn asks(kind: Kind) -> impl Fn(Shared, Uri) -> Handling + Clone + Send + Sync + 'static {
    move |State(app), uri| Box::pin(ask(app, kind, uri))
}

/// Has a question answered. If the client goes away, this future is dropped, and with it
/// the question's ticket.
async fn ask(app: Arc<App>, kind: Kind, uri: Uri) -> Response<Body> {
    let measured = app.metrics.begin(kind.name());
    let answer = match step_of(uri.query()) {
        Ok(step) => wait(&app.queue, Question { kind, step }).await,
        Err(words) => Answer::error(400, &words),
    };
    measured.finish(answer.status);
    reply(answer)
}

async fn wait(queue: &Queue, question: Question) -> Answer {
    match queue.enter(question) {
        Ok((_ticket, answer)) => answer.await.unwrap_or_else(|_| Answer::error(503, ENDING)),
        Err(Refused::Full) => Answer::error(503, "too many questions wait"),
        Err(Refused::Closed) => Answer::error(503, ENDING),
    }
}

/// The step in a query.
fn step_of(query: Option<&str>) -> Result<u64, String> {
    let fields = query.unwrap_or_default().split('&');
    let mut steps = fields.filter_map(|field| field.strip_prefix("step="));
    let step = steps.next().ok_or("no step is given: ?step=N")?;
    if steps.next().is_some() {
        return Err("more than one step is given".into());
    }
    let number = match step.strip_prefix("0x").or(step.strip_prefix("0X")) {
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16).ok(),
        None if !step.starts_with('+') => step.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| format!("invalid step {step:?}: not a number of 64 bits"))
}

async fn trace(State(app): Shared) -> Response<Body> {
    let measured = app.metrics.begin("trace");
    let answer = Answer::json(200, &app.status.json());
    measured.finish(answer.status);
    reply(answer)
}

async fn metrics(State(app): Shared) -> Response<Body> {
    let text = app.metrics.text(app.queue.len(), app.status.progress());
    reply(Answer {
        status: 200,
        content_type: "text/plain; version=0.0.4",
        body: text.into(),
    })
}

fn reply(answer: Answer) -> Response<Body> {
    let mut response = Response::builder()
        .status(answer.status)
        .header(header::CONTENT_TYPE, answer.content_type);
    if answer.status == 503 {
        response = response.header(header::RETRY_AFTER, "1");
    }
    response
        .body(answer.body.into())
        .expect("all parts are well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_has_its_names() {
        for host in [
            "localhost",
            "LocalHost:80",
            "127.0.0.1:7000",
            "[::1]",
            "[::1]:7000",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:80",
            "127.0.0.1.nip.io",
            "::2",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn steps_are_decimal_or_hexadecimal() {
        assert_eq!(step_of(Some("step=10")), Ok(10));
        assert_eq!(step_of(Some("a=b&step=0x10")), Ok(16));
        assert_eq!(step_of(Some("step=18446744073709551615")), Ok(u64::MAX));
        for query in [
            "",
            "step",
            "step=",
            "step=-1",
            "step=+1",
            "step=0x+1",
            "step=0x",
            "step=1e3",
            "step=1&step=1",
            "step=18446744073709551616",
        ] {
            assert!(step_of(Some(query)).is_err(), "{query}");
        }
        assert!(step_of(None).is_err());
    }
}
