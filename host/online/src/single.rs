//! A host for the proof of one chain.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use carronade_host::{Store, key_type, show_hint};
use carronade_program::key::{KeyType, PreimageKey};
use tokio::runtime::{Builder, Runtime};

use crate::Notice;
use crate::fault::Fault;
use crate::fetch::{Endpoints, Fetcher};
use crate::hint::Hint;
use crate::locals::Locals;
use crate::source_error::SourceError;
use crate::statistics::Summary;
use crate::told::Told;
use crate::vault::Vault;
use crate::work::{Inner, lock};

/// A host for one run: local keys, a store, and, if it is online, nodes.
///
/// All methods may be called from several threads at once.
pub struct Single {
    inner: Arc<Inner>,
    /// `None` if it is offline.
    runtime: Option<Runtime>,
}

impl Single {
    /// A host that has nothing but a store.
    #[must_use]
    pub fn offline(locals: Locals, store: Arc<dyn Store + Send + Sync>, notice: Notice) -> Self {
        let statistics = Arc::default();
        let vault = Arc::new(Vault::new(store));
        let told = Arc::new(Told::new(notice));
        let inner = Arc::new(Inner::new(locals, vault, None, statistics, told));
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
        let told = Arc::new(Told::new(notice));
        let vault = Arc::new(Vault::new(Arc::clone(&store)));
        let fetcher = Fetcher::new(
            endpoints,
            store,
            Arc::clone(&vault),
            Arc::clone(&statistics),
            Arc::clone(&told),
        )?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(4)
            .thread_name("fetch")
            .enable_all()
            .build()
            .map_err(|error| Fault::Settings(format!("no threads for the network: {error}")))?;
        let inner = Inner::new(locals, vault, Some(fetcher), statistics, told);
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
        let parsed = Hint::parse(text);
        if let Ok(Some(Hint::Precompile(call))) = &parsed {
            inner.vault.called(call);
        }
        let Some(runtime) = &self.runtime else { return };
        let hint = match parsed {
            Ok(Some(hint)) => hint,
            Ok(None) => {
                let name = shown.split(' ').next().unwrap_or_default();
                return inner
                    .told
                    .once(format!("hints of type `{name}` are not known here"));
            }
            Err(fault) => return inner.told.once(fault.to_string()),
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
        let began = Instant::now();
        let key = PreimageKey::try_from(*key).map_err(|_| SourceError::NoKey(*key))?;
        let value = self.find(&key)?;
        let kind = key.key_type() as u8;
        let statistics = &self.inner.statistics;
        statistics.served(kind, value.len(), began.elapsed());
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
            let found = inner.vault.get(key)?;
            return found.ok_or_else(|| SourceError::Offline {
                key: *key,
                kind: key_type(key.as_bytes()[0]),
                hint: inner.last_hint(),
            });
        };
        if let Some(value) = inner.look_up(key)? {
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
