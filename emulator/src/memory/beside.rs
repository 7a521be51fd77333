//! Hashing beside the run: the tree is lent to a job on other cores, while the guest goes
//! on to store, and comes back before anybody looks at it.

use super::merkle::Tree;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

/// All cores but the one that runs the guest. The pool is none that others wait in, so that
/// a job gets its turn whoever waits for it; none if the system has no more threads.
static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let cores = available_parallelism().map_or(1, usize::from);
    let threads = ThreadPoolBuilder::new().num_threads(cores.saturating_sub(1).max(1));
    threads.thread_name(|_| "hashing".into()).build().ok()
});

/// The tree, or where it will come back.
pub(super) enum Lending {
    Here(Box<Tree>),
    Away(Promise<Box<Tree>>),
}

impl Default for Lending {
    fn default() -> Self {
        Self::Here(Box::default())
    }
}

impl Lending {
    /// The tree, once it is back.
    pub(super) fn get(&mut self) -> &mut Tree {
        if let Self::Away(promise) = self {
            *self = Self::Here(promise.wait());
        }
        match self {
            Self::Here(tree) => tree,
            Self::Away(_) => unreachable!("it has come back"),
        }
    }

    /// Takes the tree out for something that needs the memory, too.
    pub(super) fn take(&mut self) -> Box<Tree> {
        // Only when it is back: an empty one in its place would have another root.
        self.get();
        match std::mem::take(self) {
            Self::Here(tree) => tree,
            Self::Away(_) => unreachable!("it has come back"),
        }
    }

    /// Has something done with the tree beside the caller, who may wait for the answer.
    pub(super) fn lend<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut Tree) -> T + Send + 'static,
    ) -> Promise<T> {
        let (mut tree, back, answer) = (self.take(), Promise::new(), Promise::new());
        *self = Self::Away(back.clone());
        let theirs = answer.clone();
        let work = move || match catch_unwind(AssertUnwindSafe(|| job(&mut tree))) {
            // The tree comes back last: whoever has it finds the answer there.
            Ok(done) => {
                theirs.keep(done);
                back.keep(tree);
            }
            Err(_) => {
                theirs.fail();
                back.fail();
            }
        };
        match &*POOL {
            Some(pool) => pool.spawn(work),
            None => work(),
        }
        answer
    }
}

/// A value that somebody else will have, for one who waits for it.
pub(super) struct Promise<T>(Arc<(Mutex<Progress<T>>, Condvar)>);

enum Progress<T> {
    Pending,
    Kept(T),
    /// Whoever promised has panicked.
    Failed,
}

impl<T> Clone for Promise<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Promise<T> {
    fn new() -> Self {
        Self(Arc::new((Mutex::new(Progress::Pending), Condvar::new())))
    }

    /// Whether waiting would take no time.
    pub(super) fn is_over(&self) -> bool {
        !matches!(*self.lock(), Progress::Pending)
    }

    /// The value.
    ///
    /// # Panics
    /// If whoever promised it has.
    pub(super) fn wait(&self) -> T {
        let pending = |progress: &mut Progress<T>| matches!(progress, Progress::Pending);
        let waited = self.0.1.wait_while(self.lock(), pending);
        let mut progress = waited.unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *progress, Progress::Failed) {
            Progress::Kept(value) => value,
            _ => panic!("hashing has failed"),
        }
    }

    fn keep(&self, value: T) {
        self.end(Progress::Kept(value));
    }

    fn fail(&self) {
        self.end(Progress::Failed);
    }

    fn end(&self, progress: Progress<T>) {
        *self.lock() = progress;
        self.0.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Progress<T>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_comes_back_with_what_was_done_to_it() {
        let mut lending = Lending::default();
        let answer = lending.lend(|tree| {
            tree.set(3, &[7; 32]);
            5
        });
        assert_eq!(lending.get().page_root(3), [7; 32]);
        assert!(answer.is_over());
        assert_eq!(answer.wait(), 5);
    }

    #[test]
    fn jobs_follow_each_other() {
        let mut lending = Lending::default();
        lending.get().set(0, &[0; 32]);
        let answers: Vec<_> = (0..100u8)
            .map(|byte| {
                lending.lend(move |tree| {
                    let before = tree.page_root(0)[0];
                    tree.set(0, &[byte + 1; 32]);
                    before
                })
            })
            .collect();
        let answers: Vec<u8> = answers.iter().map(Promise::wait).collect();
        assert_eq!(answers, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_job_that_panics_takes_who_waits_with_it_every_time() {
        let mut lending = Lending::default();
        let answer = lending.lend(|_| panic!("on purpose"));
        let mut panics =
            |act: fn(&mut Lending)| catch_unwind(AssertUnwindSafe(|| act(&mut lending))).is_err();
        assert!(panics(|lending| drop(lending.take())));
        assert!(panics(|lending| drop(lending.take())));
        assert!(panics(|lending| drop(lending.get().root().to_vec())));
        assert!(answer.is_over());
    }
}
