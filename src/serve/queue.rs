//! The questions that wait for the worker, at most so many. One whose client goes away
//! leaves the queue, or is abandoned if it is being answered.

use super::work::{Answer, Question};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// A question, and where its answer goes.
pub struct Job {
    /// The question.
    pub question: Question,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Answer>,
    abandoned: Abandoned,
}

/// Whether a client has gone away.
type Abandoned = Arc<AtomicBool>;

/// The questions that wait.
#[derive(Clone)]
pub struct Queue(Arc<Shared>);

struct Shared {
    limit: usize,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Of the question that was taken last.
    running: Abandoned,
    closed: bool,
}

/// Why a question was not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too many wait.
    Full,
    /// The server is about to end.
    Closed,
}

impl Queue {
    /// An empty queue for at most `limit` questions.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Shared {
            limit,
            state: Mutex::default(),
            arrived: Condvar::new(),
        }))
    }

    /// Adds a question; it is withdrawn when the ticket is dropped.
    ///
    /// # Errors
    /// When it is not taken.
    pub fn enter(
        &self,
        question: Question,
    ) -> Result<(Ticket, oneshot::Receiver<Answer>), Refused> {
        let (answer, receiver) = oneshot::channel();
        let abandoned = Abandoned::default();
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.waiting.len() >= self.0.limit {
            return Err(Refused::Full);
        }
        state.waiting.push_back(Job {
            question,
            answer,
            abandoned: Arc::clone(&abandoned),
        });
        self.0.arrived.notify_one();
        Ok((Ticket(self.clone(), abandoned), receiver))
    }

    /// Takes the question that has waited longest, or waits for one for some time.
    pub fn next(&self, patience: Duration) -> Option<Job> {
        let empty = |state: &mut State| state.waiting.is_empty();
        let waited = self
            .0
            .arrived
            .wait_timeout_while(self.lock(), patience, empty);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let job = state.waiting.pop_front()?;
        state.running = Arc::clone(&job.abandoned);
        Some(job)
    }

    /// Whether nobody waits any more for the answer to the question that was taken last.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.lock().running.load(Ordering::Relaxed)
    }

    /// How many questions wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Takes no more questions, and sends those away that wait.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
    }

    /// Whether it takes no more questions.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that waits.
pub struct Ticket(Queue, Abandoned);

impl Drop for Ticket {
    fn drop(&mut self) {
        let Self(queue, own) = self;
        own.store(true, Ordering::Relaxed);
        let mut state = queue.lock();
        state
            .waiting
            .retain(|job| !Arc::ptr_eq(&job.abandoned, own));
    }
}

#[cfg(test)]
mod tests {
    use super::super::work::Kind;
    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn question(step: u64) -> Question {
        let kind = Kind::Hash;
        Question { kind, step }
    }

    #[test]
    fn a_full_queue_takes_no_more_until_somebody_leaves() {
        let queue = Queue::new(2);
        let first = queue.enter(question(1)).unwrap();
        let _second = queue.enter(question(2)).unwrap();
        assert_eq!(queue.enter(question(3)).err(), Some(Refused::Full));
        drop(first);
        let _third = queue.enter(question(3)).unwrap();
        assert_eq!(queue.next(NOW).unwrap().question.step, 2);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn only_the_client_of_the_running_question_abandons_it() {
        let queue = Queue::new(2);
        let (first, second) = (queue.enter(question(1)), queue.enter(question(2)));
        let _job = queue.next(NOW).unwrap();
        drop(second);
        assert!(!queue.is_abandoned());
        drop(first);
        assert!(queue.is_abandoned());
        assert!(queue.next(NOW).is_none());
    }

    #[test]
    fn a_closed_queue_sends_everybody_away() {
        let queue = Queue::new(2);
        let (_ticket, mut receiver) = queue.enter(question(1)).unwrap();
        queue.close();
        assert!(receiver.try_recv().is_err());
        assert_eq!(queue.enter(question(2)).err(), Some(Refused::Closed));
    }
}
