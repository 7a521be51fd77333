//! A host for the proof of one chain.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use carronade_host::{Store, StoreError, check, show_hint, show_key};
use carronade_program::key::{KeyType, PreimageKey};
use tokio::runtime::{Builder, Runtime};

use crate::Notice;
use crate::fault::Fault;
use crate::fetch::{Endpoints, Fetcher};
use crate::hint::{Hint, Layer};
use crate::jobs::{Jobs, Outlook};
use crate::locals::Locals;
use crate::statistics::{Statistics, Summary, type_name};

/// How often somebody who waits is told why.
const TELL: Duration = Duration::from_secs(10);

/// The longest sleep before it is looked whether to stop or to try again.
const TICK: Duration = Duration::from_millis(50);

/// Why there is no pre-image.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The bytes are no key.
    #[error("{} is no pre-image key: its type is unknown", show_key(.0))]
    NoKey([u8; 32]),
    /// A local key without a value.
    #[error("no value for the local key {key}: it is {meaning}")]
    NoLocal {
        /// The key.
        key: PreimageKey,
        /// What it would stand for.
        meaning: &'static str,
    },
    /// There are no nodes to ask.
    #[error("no pre-image for {key} ({kind}) in the store, and no nodes to ask{}", after(.hint))]
    Offline {
        /// The key.
        key: PreimageKey,
        /// Its type's name.
        kind: &'static str,
        /// The last hint.
        hint: Option<String>,
    },
    /// No hint says where to look.
    #[error("no pre-image for {key} ({kind}), and no hint that leads to it{}", after(.hint))]
    NoHint {
        /// The key.
        key: PreimageKey,
        /// Its type's name.
        kind: &'static str,
        /// The last hint.
        hint: Option<String>,
    },
    /// All that hints led to was got, and the pre-image is not there.
    #[error("no pre-image for {key} ({kind}): what its hints lead to does not have it{}{}",
        because(.reasons), after(.hint))]
    Exhausted {
        /// The key.
        key: PreimageKey,
        /// Its type's name.
        kind: &'static str,
        /// Why some of it could not be got.
        reasons: Vec<String>,
        /// The last hint.
        hint: Option<String>,
    },
    /// What the host was told contradicts what the nodes have.
    #[error("{0}")]
    Settings(String),
    /// The host was told to stop while it was waiting.
    #[error("stopped while pre-image {0} was being looked for")]
    Stopped(PreimageKey),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn after(hint: &Option<String>) -> String {
    match hint {
        Some(hint) => format!(" (last hint: `{hint}`)"),
        None => " (no hint was received before)".to_owned(),
    }
}

fn because(reasons: &[String]) -> String {
    if reasons.is_empty() {
        String::new()
    } else {
        format!(": {}", reasons.join("; "))
    }
}

/// A host for one run: local keys, a store, and, if it is online, nodes.
///
/// All methods may be called from several threads at once.
pub struct Single {
    inner: Arc<Inner>,
    /// `None` if it is offline.
    runtime: Option<Runtime>,
}

/// What the work in the background shares with the host.
struct Inner {
    locals: Locals,
    store: Arc<dyn Store + Send + Sync>,
    fetcher: Option<Fetcher>,
    jobs: Mutex<Jobs>,
    /// Told when something has been done for a job.
    changed: Condvar,
    last_hint: Mutex<Option<String>>,
    /// Types of hints that nothing is known about, and wrong keys in the store: told once.
    told: Mutex<BTreeSet<String>>,
    stopped: AtomicBool,
    /// Whether headers are being read ahead.
    reads_back: AtomicBool,
    statistics: Arc<Statistics>,
    notice: Notice,
}

/// Locks; what the mutexes here guard is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Single {
    /// A host that has nothing but a store.
    #[must_use]
    pub fn offline(locals: Locals, store: Arc<dyn Store + Send + Sync>, notice: Notice) -> Self {
        let statistics = Arc::default();
        let inner = Arc::new(Inner::new(locals, store, None, statistics, notice));
        let runtime = None;
        Self { inner, runtime }
    }

    /// A host that asks nodes for what is not in its store, and stores it. At once it begins to
    /// ask the nodes which chains they are of.
    ///
    /// # Errors
    /// [`Fault::Settings`] if an address is wrong. Nodes that cannot be reached are no error.
    pub fn online(
        locals: Locals,
        store: Arc<dyn Store + Send + Sync>,
        endpoints: Endpoints,
        notice: Notice,
    ) -> Result<Self, Fault> {
        let statistics = Arc::default();
        let fetcher = Fetcher::new(
            endpoints,
            Arc::clone(&store),
            Arc::clone(&statistics),
            &notice,
        )?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(4)
            .thread_name("fetch")
            .enable_all()
            .build()
            .map_err(|error| Fault::Settings(format!("no threads for the network: {error}")))?;
        let inner = Inner::new(locals, store, Some(fetcher), statistics, notice);
        let inner = Arc::new(inner);
        let checking = Arc::clone(&inner);
        runtime.spawn(async move { checking.check_chains().await });
        Ok(Self {
            inner,
            runtime: Some(runtime),
        })
    }

    /// Takes a hint, without its length. Work for it may begin in the background.
    pub fn hint(&self, text: &[u8]) {
        let inner = &self.inner;
        inner.statistics.hint();
        let shown = show_hint(text);
        *lock(&inner.last_hint) = Some(shown.clone());
        let Some(runtime) = &self.runtime else { return };
        let hint = match Hint::parse(text) {
            Ok(Some(hint)) => hint,
            Ok(None) => {
                let name = shown.split(' ').next().unwrap_or_default();
                return inner.tell_once(format!("hints of type `{name}` are not known here"));
            }
            Err(fault) => return inner.tell_once(fault.to_string()),
        };
        let is_new = lock(&inner.jobs).note(&hint, shown);
        if !is_new || !hint.is_worth_an_early_start() {
            return;
        }
        Inner::start(inner, runtime, &hint);
        inner.read_back(runtime, hint.clone());
        let Some(fetcher) = &inner.fetcher else {
            return;
        };
        for expected in fetcher.expected_after(&hint) {
            if lock(&inner.jobs).expect(&expected) {
                Inner::start(inner, runtime, &expected);
            }
        }
    }

    /// The pre-image of a key, which has been checked against the key. Waits as long as it takes
    /// for nodes that do not answer, and tells every ten seconds why.
    ///
    /// # Errors
    /// When there is no way to the pre-image, or the host was stopped.
    pub fn get(&self, key: &[u8; 32]) -> Result<Vec<u8>, SourceError> {
        let key = PreimageKey::try_from(*key).map_err(|_| SourceError::NoKey(*key))?;
        let value = self.find(&key)?;
        let kind = key.key_type() as u8;
        self.inner.statistics.served(kind, value.len());
        Ok(value)
    }

    fn find(&self, key: &PreimageKey) -> Result<Vec<u8>, SourceError> {
        let inner = &self.inner;
        if key.key_type() == KeyType::Local {
            let meaning = Locals::name(key);
            let value = inner.locals.get(key);
            return value.ok_or(SourceError::NoLocal { key: *key, meaning });
        }
        let Some(runtime) = &self.runtime else {
            let found = inner.look_up(key)?;
            return found.ok_or_else(|| SourceError::Offline {
                key: *key,
                kind: type_name(key.as_bytes()[0]),
                hint: inner.last_hint(),
            });
        };
        if let Some(value) = inner.look_up_again(key)? {
            return Ok(value);
        }
        let began = Instant::now();
        let found = inner.wait_for(key, runtime);
        inner.statistics.waited(began.elapsed());
        found
    }

    /// Ends every wait, now and later, with [`SourceError::Stopped`]. What is in the store can
    /// still be had.
    pub fn stop(&self) {
        self.inner.stopped.store(true, Ordering::Relaxed);
        self.inner.changed.notify_all();
    }

    /// What has been done so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.inner.statistics.summary()
    }
}

impl Drop for Single {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // What is being stored is stored; what is being asked for is dropped.
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

impl Inner {
    fn new(
        locals: Locals,
        store: Arc<dyn Store + Send + Sync>,
        fetcher: Option<Fetcher>,
        statistics: Arc<Statistics>,
        notice: Notice,
    ) -> Self {
        Self {
            locals,
            store,
            fetcher,
            jobs: Mutex::default(),
            changed: Condvar::new(),
            last_hint: Mutex::default(),
            told: Mutex::default(),
            stopped: AtomicBool::new(false),
            reads_back: AtomicBool::new(false),
            statistics,
            notice,
        }
    }

    /// What the store has for a key.
    fn look_up(&self, key: &PreimageKey) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.store.get(key.as_bytes())?;
        if let Some(value) = &found {
            check(key.as_bytes(), value)?;
        }
        Ok(found)
    }

    /// The same, but what is damaged counts as missing: it will be replaced.
    fn look_up_again(&self, key: &PreimageKey) -> Result<Option<Vec<u8>>, StoreError> {
        match self.look_up(key) {
            Err(error @ (StoreError::Wrong { .. } | StoreError::Hex { .. })) => {
                self.tell_once(format!("{error}; it is fetched again"));
                Ok(None)
            }
            other => other,
        }
    }

    fn last_hint(&self) -> Option<String> {
        lock(&self.last_hint).clone()
    }

    fn tell_once(&self, words: String) {
        if lock(&self.told).insert(words.clone()) {
            (self.notice)(&words);
        }
    }

    /// Gets a key that is missing, by way of hints.
    fn wait_for(
        self: &Arc<Self>,
        key: &PreimageKey,
        runtime: &Runtime,
    ) -> Result<Vec<u8>, SourceError> {
        let began = Instant::now();
        let mut told = began;
        loop {
            if self.stopped.load(Ordering::Relaxed) {
                return Err(SourceError::Stopped(*key));
            }
            if let Some(value) = self.look_up_again(key)? {
                return Ok(value);
            }
            let (outlook, seen) = {
                let mut jobs = lock(&self.jobs);
                (jobs.outlook(key), jobs.ended())
            };
            match outlook {
                Outlook::Start(id, hint) => self.spawn(runtime, id, hint),
                Outlook::Wait => {}
                // The last work may have ended since the store was looked at.
                hopeless => {
                    let found = self.look_up_again(key)?;
                    return found.ok_or_else(|| self.no_way(key, hopeless));
                }
            }
            if told.elapsed() >= TELL {
                told = Instant::now();
                self.tell_trouble(key, began.elapsed());
            }
            let jobs = lock(&self.jobs);
            let waiting = |jobs: &mut Jobs| jobs.ended() == seen;
            drop(self.changed.wait_timeout_while(jobs, TICK, waiting));
        }
    }

    fn no_way(&self, key: &PreimageKey, outlook: Outlook) -> SourceError {
        let (key, hint) = (*key, self.last_hint());
        let kind = type_name(key.as_bytes()[0]);
        match outlook {
            Outlook::Fatal(why) => SourceError::Settings(why),
            Outlook::Exhausted(reasons) => SourceError::Exhausted {
                key,
                kind,
                reasons,
                hint,
            },
            _ => SourceError::NoHint { key, kind, hint },
        }
    }

    fn tell_trouble(&self, key: &PreimageKey, waiting: Duration) {
        let (hint, error) = lock(&self.jobs).trouble(key);
        let kind = type_name(key.as_bytes()[0]);
        let hint = hint.unwrap_or_default();
        let error = error.unwrap_or_else(|| "no answer yet".to_owned());
        let seconds = waiting.as_secs();
        (self.notice)(&format!(
            "waiting for pre-image {key} ({kind}) for {seconds} s, hint `{hint}`: {error}; \
             trying on"
        ));
    }

    /// Begins the work for a noted hint in the background.
    fn start(self: &Arc<Self>, runtime: &Runtime, hint: &Hint) {
        let id = lock(&self.jobs).begin(hint);
        if let Some(id) = id {
            self.spawn(runtime, id, hint.clone());
        }
    }

    fn spawn(self: &Arc<Self>, runtime: &Runtime, id: u64, hint: Hint) {
        let this = Arc::clone(self);
        let work = runtime.spawn(async move {
            match &this.fetcher {
                Some(fetcher) => fetcher.fetch(&hint).await,
                None => Ok(()),
            }
        });
        let this = Arc::clone(self);
        runtime.spawn(async move {
            let ended = work.await;
            let result = ended
                .unwrap_or_else(|error| Err(Fault::Hint(format!("a fault of this host: {error}"))));
            lock(&this.jobs).end(id, result);
            this.changed.notify_all();
        });
    }

    /// Reads headers ahead in the background, one batch at a time. Should it fail, whoever needs
    /// them will ask.
    fn read_back(self: &Arc<Self>, runtime: &Runtime, hint: Hint) {
        if !matches!(hint, Hint::Header(Layer::L1, _))
            || self.reads_back.swap(true, Ordering::Relaxed)
        {
            return;
        }
        let this = Arc::clone(self);
        runtime.spawn(async move {
            if let Some(fetcher) = &this.fetcher {
                let _ = fetcher.read_back(&hint).await;
            }
            this.reads_back.store(false, Ordering::Relaxed);
        });
    }

    /// Asks the nodes for their chains until they answer.
    async fn check_chains(&self) {
        let Some(fetcher) = &self.fetcher else { return };
        let mut failures = 0;
        while let Err(fault) = fetcher.check_chains().await {
            if let Fault::Settings(why) = fault {
                lock(&self.jobs).give_up(why);
                self.changed.notify_all();
                return;
            }
            failures += 1;
            if failures == 1 {
                (self.notice)(&format!("{fault}; trying on"));
            }
            tokio::time::sleep(crate::backoff::wait_after(failures)).await;
        }
    }
}
