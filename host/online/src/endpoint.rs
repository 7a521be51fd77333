//! What all endpoints share: a name, a limit of calls at a time, patience, and statistics.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use url::Url;

use crate::Notice;
use crate::fault::Fault;
use crate::statistics::Statistics;

/// Calls at the same time to one endpoint.
const AT_ONCE: usize = 16;

/// How long a call may take at first. Whenever that was not enough, the same method is given
/// twice the time from then on.
const PATIENCE: Duration = Duration::from_secs(15);

/// The most that patience grows to.
const LONGEST_PATIENCE: Duration = Duration::from_secs(1200);

/// One server that is asked.
pub(crate) struct Endpoint {
    /// `L1 node`, say, and where it is, without what may be secret in its address.
    pub(crate) name: String,
    pub(crate) url: Url,
    limit: Semaphore,
    patience: Mutex<BTreeMap<&'static str, Duration>>,
    /// Methods that it does not know.
    missing: Mutex<BTreeSet<&'static str>>,
    statistics: Arc<Statistics>,
    notice: Notice,
    /// How its role is called in the statistics.
    role: &'static str,
}

/// Locks; what these mutexes guard is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Endpoint {
    pub(crate) fn new(
        role: &'static str,
        address: &str,
        statistics: Arc<Statistics>,
        notice: Notice,
    ) -> Result<Self, Fault> {
        let (url, shown) = parse_address(address).map_err(|why| {
            Fault::Settings(format!(
                "the address of the {role} ({address}) is wrong: {why}"
            ))
        })?;
        Ok(Self {
            name: format!("{role} {shown}"),
            url,
            limit: Semaphore::new(AT_ONCE),
            patience: Mutex::default(),
            missing: Mutex::default(),
            statistics,
            notice,
            role,
        })
    }

    /// Runs one call, within the limit and the time that it has. The future's error is whether
    /// the endpoint has answered at all, and its words.
    pub(crate) async fn call<T>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Fault> {
        if lock(&self.missing).contains(method) {
            return Err(self.has_no(method));
        }
        // The semaphore is never closed; without a permit the call is only less polite.
        let _permit = self.limit.acquire().await;
        let patience = *lock(&self.patience).entry(method).or_insert(PATIENCE);
        let began = Instant::now();
        let answer = match tokio::time::timeout(patience, call).await {
            Ok(answer) => answer,
            Err(_) => {
                let longer = (2 * patience).min(LONGEST_PATIENCE);
                lock(&self.patience).insert(method, longer);
                let reason = format!("no answer in {} s", patience.as_secs());
                Err(Failure::Unreachable(reason))
            }
        };
        self.statistics
            .call(self.role, method, answer.is_err(), began.elapsed());
        answer.map_err(|failure| self.fault(method, failure))
    }

    fn fault(&self, method: &'static str, failure: Failure) -> Fault {
        let (endpoint, name) = (self.name.clone(), method.to_owned());
        match failure {
            Failure::Unreachable(reason) => Fault::Unreachable {
                endpoint,
                method: name,
                reason: self.without_secrets(reason),
            },
            Failure::Refused(reason) => Fault::Refused {
                endpoint,
                method: name,
                reason: self.without_secrets(reason),
            },
            Failure::Missing => {
                if lock(&self.missing).insert(method) {
                    (self.notice)(&format!("{}; it is not asked again", self.has_no(method)));
                }
                self.has_no(method)
            }
        }
    }

    fn has_no(&self, method: &'static str) -> Fault {
        Fault::Missing {
            endpoint: self.name.clone(),
            method: method.to_owned(),
        }
    }

    /// A wrong answer, which is told at once.
    pub(crate) fn lie(&self, method: &'static str, reason: impl Into<String>) -> Fault {
        let fault = Fault::Lie {
            endpoint: self.name.clone(),
            method: method.to_owned(),
            reason: reason.into(),
        };
        self.statistics.lie(self.role, method);
        (self.notice)(&fault.to_string());
        fault
    }

    /// An answer that says that there is no such thing.
    pub(crate) fn refusal(&self, method: &'static str, reason: impl Into<String>) -> Fault {
        self.fault(method, Failure::Refused(reason.into()))
    }

    /// Takes the endpoint's address out of an error's words.
    fn without_secrets(&self, words: String) -> String {
        words.replace(self.url.as_str(), "its address")
    }
}

/// Why a call failed.
pub(crate) enum Failure {
    /// There was no answer.
    Unreachable(String),
    /// The answer is an error, or that there is nothing.
    Refused(String),
    /// The method is not known.
    Missing,
}

/// A node's address, and how it is shown: providers have the user's key in the path, the query or
/// the user's name.
///
/// # Errors
/// When it is none: why.
pub fn parse_address(address: &str) -> Result<(Url, String), String> {
    if !["http://", "https://"]
        .iter()
        .any(|start| address.starts_with(start))
    {
        return Err("it does not begin with http:// or https://".to_owned());
    }
    let url = Url::parse(address).map_err(|error| error.to_string())?;
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    let host = url.host_str().unwrap_or_default();
    let shown = format!("{}://{host}{port}", url.scheme());
    Ok((url, shown))
}

/// The words of an error's deepest cause, which says most.
pub fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// The client for all endpoints.
pub(crate) fn http_client() -> Result<reqwest::Client, Fault> {
    // Fails if the process has one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .build()
        .map_err(|error| Fault::Settings(format!("no HTTP client: {}", root_cause(&error))))
}
