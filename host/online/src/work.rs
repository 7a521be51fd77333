//! What a host does about a key that is missing, in the background and while somebody waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use carronade_host::{StoreError, key_type};
use carronade_program::key::PreimageKey;
use tokio::runtime::Runtime;

use crate::backoff::wait_after;
use crate::fault::Fault;
use crate::fetch::Fetcher;
use crate::hint::{Hint, Layer};
use crate::jobs::{Done, Jobs, Outlook};
use crate::locals::Locals;
use crate::source_error::SourceError;
use crate::statistics::Statistics;
use crate::told::Told;
use crate::vault::Vault;

/// How often somebody who waits is told why.
const TELL: Duration = Duration::from_secs(10);

/// The longest sleep before it is looked whether to stop or to try again.
const TICK: Duration = Duration::from_millis(50);

/// The reading of headers ahead of the program.
#[derive(Default)]
struct ReadsBack {
    under_way: bool,
    /// What the program asked for last in the meantime.
    next: Option<Hint>,
}

/// What the work in the background shares with the host.
pub(crate) struct Inner {
    pub(crate) locals: Locals,
    pub(crate) vault: Arc<Vault>,
    pub(crate) fetcher: Option<Fetcher>,
    pub(crate) jobs: Mutex<Jobs>,
    /// Told when something has been done for a job.
    pub(crate) changed: Condvar,
    pub(crate) last_hint: Mutex<Option<String>>,
    pub(crate) told: Arc<Told>,
    pub(crate) stopped: AtomicBool,
    back: Mutex<ReadsBack>,
    pub(crate) statistics: Arc<Statistics>,
}

/// Locks; what the mutexes here guard is whole at any time.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    pub(crate) fn new(
        locals: Locals,
        vault: Arc<Vault>,
        fetcher: Option<Fetcher>,
        statistics: Arc<Statistics>,
        told: Arc<Told>,
    ) -> Self {
        Self {
            locals,
            vault,
            fetcher,
            jobs: Mutex::default(),
            changed: Condvar::new(),
            last_hint: Mutex::default(),
            told,
            stopped: AtomicBool::new(false),
            back: Mutex::default(),
            statistics,
        }
    }

    /// What the store has for a key; what is damaged counts as missing, since it will be replaced.
    pub(crate) fn look_up(&self, key: &PreimageKey) -> Result<Option<Vec<u8>>, StoreError> {
        match self.vault.get(key) {
            // Another host may be about to store the rest.
            Err(StoreError::Unchecked { .. }) => Ok(None),
            Err(error) if error.is_damage() => {
                self.told.damage(&error);
                Ok(None)
            }
            other => other,
        }
    }

    pub(crate) fn last_hint(&self) -> Option<String> {
        lock(&self.last_hint).clone()
    }

    /// Gets a key that is missing, by way of hints.
    pub(crate) fn wait_for(
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
            if let Some(value) = self.look_up(key)? {
                return Ok(value);
            }
            let (outlook, seen) = {
                let mut jobs = lock(&self.jobs);
                (jobs.outlook(key), jobs.ended())
            };
            match outlook {
                Outlook::Start { id, hint, again } => self.spawn(runtime, id, hint, again),
                Outlook::Wait => {}
                // The last work may have ended since the store was looked at.
                hopeless => {
                    let found = self.look_up(key)?;
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
        let kind = key_type(key.as_bytes()[0]);
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
        let kind = key_type(key.as_bytes()[0]);
        let hint = hint.unwrap_or_default();
        let error = error.unwrap_or_else(|| "no answer yet".to_owned());
        let seconds = waiting.as_secs();
        (self.told.notice)(&format!(
            "waiting for pre-image {key} ({kind}) for {seconds} s, hint `{hint}`: {error}; \
             trying on"
        ));
    }

    /// Begins the work for a noted hint in the background.
    pub(crate) fn start(self: &Arc<Self>, runtime: &Runtime, hint: &Hint) {
        let id = lock(&self.jobs).begin(hint);
        if let Some(id) = id {
            self.spawn(runtime, id, hint.clone(), false);
        }
    }

    fn spawn(self: &Arc<Self>, runtime: &Runtime, id: u64, hint: Hint, again: bool) {
        let this = Arc::clone(self);
        let work = runtime.spawn(async move {
            match &this.fetcher {
                Some(fetcher) if again => fetcher.fetch_again(&hint).await.map(|()| Done::Fetched),
                Some(fetcher) => fetcher.fetch(&hint).await,
                None => Ok(Done::Stored),
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

    /// Reads headers ahead in the background, one batch at a time, and from the newest of the
    /// hints that came in the meantime. Should it fail, whoever needs them will ask.
    pub(crate) fn read_back(self: &Arc<Self>, runtime: &Runtime, hint: Hint) {
        if !matches!(hint, Hint::Header(Layer::L1, _)) {
            return;
        }
        let mut back = lock(&self.back);
        back.next = Some(hint);
        if std::mem::replace(&mut back.under_way, true) {
            return;
        }
        let this = Arc::clone(self);
        runtime.spawn(async move {
            while let Some(hint) = this.next_to_read_back() {
                if let Some(fetcher) = &this.fetcher {
                    let _ = fetcher.read_back(&hint).await;
                }
            }
        });
    }

    fn next_to_read_back(&self) -> Option<Hint> {
        let mut back = lock(&self.back);
        let next = back.next.take();
        back.under_way = next.is_some();
        next
    }

    /// Asks the nodes for their chains until they answer.
    pub(crate) async fn check_chains(&self) {
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
                (self.told.notice)(&format!("{fault}; trying on"));
            }
            tokio::time::sleep(wait_after(failures)).await;
        }
    }
}
