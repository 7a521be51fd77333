//! Hints that have come, and what has become of them.

use std::collections::VecDeque;
use std::time::Instant;

use carronade_program::key::PreimageKey;

use crate::backoff::wait_after;
use crate::fault::Fault;
use crate::hint::{Hint, Leads};

/// How many hints are kept. A program asks for what a hint is about soon after it.
const KEPT: usize = 128;

/// How often a payload's witness is asked for again because something is not in it.
const REPEATS: u32 = 3;

/// Where the work for a hint is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Not begun.
    Noted,
    /// Under way.
    Running,
    /// Its data is in the store.
    Done(Done),
    /// It failed and can be tried again from then on.
    Failed(Instant),
    /// It failed, and would fail again.
    Hopeless,
}

/// How work came to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Done {
    /// The store had it all, as it seemed.
    Stored,
    /// It was fetched.
    Fetched,
}

/// A hint and the work for it.
#[derive(Debug)]
struct Job {
    id: u64,
    hint: Hint,
    /// As it came; `None` if the program has not sent it yet.
    text: Option<String>,
    state: State,
    /// In a row.
    failures: u32,
    /// How often it was done again, since what it brought was not all.
    repeats: u32,
    /// Why it failed last.
    error: Option<String>,
}

impl Job {
    /// Whether the node may have what is missing: whether a witness is complete shows only then,
    /// and so does what a store has lost of the many pre-images of a hint.
    fn may_have_more(&self) -> bool {
        match self.state {
            State::Done(_) if self.is_a_payload() => self.repeats < REPEATS,
            State::Done(Done::Stored) => true,
            _ => false,
        }
    }

    fn is_a_payload(&self) -> bool {
        matches!(self.hint, Hint::Payload(..))
    }

    fn start(&mut self, again: bool) -> Outlook {
        self.state = State::Running;
        Outlook::Start {
            id: self.id,
            hint: self.hint.clone(),
            again,
        }
    }
}

/// The hints that came last.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    /// The newest is at the back.
    list: VecDeque<Job>,
    last_id: u64,
    /// How often work has ended.
    ended: u64,
    /// What makes the whole run impossible.
    fatal: Option<String>,
}

/// What can be done about a key that is missing.
#[derive(Debug, PartialEq)]
pub(crate) enum Outlook {
    /// Begin the work for this hint; `again` if it was done, but did not bring what it should.
    Start {
        /// The job.
        id: u64,
        /// What it is about.
        hint: Hint,
        /// Whether to ask the node even if the store seems to have it all.
        again: bool,
    },
    /// Wait for what is under way, or until something can be tried again.
    Wait,
    /// All that hints led to is there, or cannot be had; why not.
    Exhausted(Vec<String>),
    /// No hint leads to such a key.
    NoHint,
    /// The run cannot go on.
    Fatal(String),
}

impl Jobs {
    /// Notes a hint as the newest; true if nothing was done for it yet.
    pub(crate) fn note(&mut self, hint: &Hint, text: String) -> bool {
        let mut job = match self.list.iter().position(|job| job.hint == *hint) {
            Some(place) => self.list.remove(place),
            None => None,
        }
        .unwrap_or_else(|| self.fresh(hint));
        job.text = Some(text);
        let is_new = job.state == State::Noted;
        self.list.push_back(job);
        self.shorten();
        is_new
    }

    /// Notes a hint that is expected to come, as older than all others; true if it is new.
    pub(crate) fn expect(&mut self, hint: &Hint) -> bool {
        if self.list.iter().any(|job| job.hint == *hint) {
            return false;
        }
        let job = self.fresh(hint);
        self.list.push_front(job);
        true
    }

    fn fresh(&mut self, hint: &Hint) -> Job {
        self.last_id += 1;
        Job {
            id: self.last_id,
            hint: hint.clone(),
            text: None,
            state: State::Noted,
            failures: 0,
            repeats: 0,
            error: None,
        }
    }

    fn shorten(&mut self) {
        while self.list.len() > KEPT {
            self.list.pop_front();
        }
    }

    /// The id of a hint whose work has not begun; it counts as begun from now on.
    pub(crate) fn begin(&mut self, hint: &Hint) -> Option<u64> {
        let job = self.list.iter_mut().find(|job| job.hint == *hint)?;
        if job.state != State::Noted {
            return None;
        }
        job.state = State::Running;
        Some(job.id)
    }

    /// Notes how the work for a hint ended.
    pub(crate) fn end(&mut self, id: u64, result: Result<Done, Fault>) {
        self.ended += 1;
        // A full disk, say, is no pre-image that is missing.
        if let Err(fault @ (Fault::Settings(_) | Fault::Store(_))) = &result {
            self.fatal.get_or_insert_with(|| fault.to_string());
        }
        let Some(job) = self.list.iter_mut().find(|job| job.id == id) else {
            return;
        };
        match result {
            Ok(done) => {
                job.state = State::Done(done);
                job.error = None;
            }
            Err(fault) => {
                job.failures += 1;
                job.error = Some(fault.to_string());
                job.state = if fault.is_final() {
                    State::Hopeless
                } else {
                    State::Failed(Instant::now() + wait_after(job.failures))
                };
            }
        }
    }

    /// How often work has ended: another number means that there may be news.
    pub(crate) const fn ended(&self) -> u64 {
        self.ended
    }

    /// Notes that the run cannot go on.
    pub(crate) fn give_up(&mut self, why: String) {
        self.ended += 1;
        self.fatal = Some(why);
    }

    /// What can be done about a missing key; a job to start counts as begun.
    pub(crate) fn outlook(&mut self, key: &PreimageKey) -> Outlook {
        if let Some(why) = &self.fatal {
            return Outlook::Fatal(why.clone());
        }
        let places = self.candidates(key);
        if places.is_empty() {
            return Outlook::NoHint;
        }
        // One answer to a payload's hint saves hundreds of those about single nodes.
        let of_state = places.iter().any(|place| self.list[*place].hint.is_state());
        if of_state && self.is_a_payload_running() {
            return Outlook::Wait;
        }
        let (now, mut waits) = (Instant::now(), false);
        for place in &places {
            let job = &mut self.list[*place];
            match job.state {
                State::Running => return Outlook::Wait,
                State::Failed(again) if again > now => waits = true,
                State::Noted | State::Failed(_) => {
                    return job.start(false);
                }
                State::Done(_) | State::Hopeless => {}
            }
        }
        if waits {
            return Outlook::Wait;
        }
        for place in &places {
            let job = &mut self.list[*place];
            if job.may_have_more() {
                job.repeats += 1;
                return job.start(true);
            }
        }
        let jobs = places.iter().map(|place| &self.list[*place]);
        let mut reasons: Vec<_> = jobs.filter_map(|job| job.error.clone()).collect();
        reasons.dedup();
        Outlook::Exhausted(reasons)
    }

    /// The places of hints that may lead to a key: those that surely do first, then the newest.
    fn candidates(&self, key: &PreimageKey) -> Vec<usize> {
        let leading = |wanted: Leads| {
            let places = (0..self.list.len()).rev();
            places.filter(move |place| self.list[*place].hint.leads_to(key) == wanted)
        };
        leading(Leads::Surely)
            .chain(leading(Leads::Perhaps))
            .collect()
    }

    fn is_a_payload_running(&self) -> bool {
        let mut jobs = self.list.iter();
        jobs.any(|job| job.is_a_payload() && job.state == State::Running)
    }

    /// The hint that a key waits for, and why that has not come to anything yet.
    pub(crate) fn trouble(&self, key: &PreimageKey) -> (Option<String>, Option<String>) {
        let jobs: Vec<_> = self
            .candidates(key)
            .into_iter()
            .map(|place| &self.list[place])
            .collect();
        let failed = jobs.iter().find(|job| job.error.is_some());
        let job = failed.or(jobs.first());
        let text = job.and_then(|job| job.text.clone());
        (text, job.and_then(|job| job.error.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Layer;
    use alloy_primitives::B256;

    fn header(byte: u8) -> Hint {
        Hint::Header(Layer::L1, B256::repeat_byte(byte))
    }

    fn receipts(byte: u8) -> Hint {
        Hint::Receipts(Layer::L1, B256::repeat_byte(byte))
    }

    fn key(byte: u8) -> PreimageKey {
        PreimageKey::keccak256([byte; 32])
    }

    fn refused() -> Result<Done, Fault> {
        Err(Fault::Refused {
            endpoint: "a node".to_owned(),
            method: "m".to_owned(),
            reason: "no".to_owned(),
        })
    }

    fn missing() -> Result<Done, Fault> {
        Err(Fault::Missing {
            endpoint: "a node".to_owned(),
            method: "m".to_owned(),
        })
    }

    /// The id of the job to start, which must be for this hint.
    fn start(jobs: &mut Jobs, of: &PreimageKey, hint: &Hint) -> u64 {
        match jobs.outlook(of) {
            Outlook::Start {
                id, hint: found, ..
            } if found == *hint => id,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_without_a_hint_has_no_outlook() {
        let mut jobs = Jobs::default();
        jobs.note(&header(2), String::new());
        assert_eq!(jobs.outlook(&key(1)), Outlook::NoHint);
    }

    #[test]
    fn a_hint_is_found_after_others_and_the_newest_first() {
        let mut jobs = Jobs::default();
        for hint in [header(1), receipts(2), receipts(3), header(4)] {
            jobs.note(&hint, String::new());
        }
        // It names the key; then what may have anything.
        let first = start(&mut jobs, &key(1), &header(1));
        assert_eq!(jobs.outlook(&key(1)), Outlook::Wait);
        jobs.end(first, missing());
        let second = start(&mut jobs, &key(1), &receipts(3));
        jobs.end(second, Ok(Done::Fetched));
        let third = start(&mut jobs, &key(1), &receipts(2));
        jobs.end(third, Ok(Done::Fetched));
        let Outlook::Exhausted(reasons) = jobs.outlook(&key(1)) else {
            panic!("there is nothing left to try");
        };
        assert_eq!(reasons, ["a node has no method m"]);
    }

    #[test]
    fn what_failed_is_tried_again_later() {
        let mut jobs = Jobs::default();
        jobs.note(&header(1), "a hint".to_owned());
        let id = start(&mut jobs, &key(1), &header(1));
        jobs.end(id, refused());
        assert_eq!(jobs.outlook(&key(1)), Outlook::Wait);
        let (hint, error) = jobs.trouble(&key(1));
        assert_eq!(hint.as_deref(), Some("a hint"));
        assert_eq!(error.as_deref(), Some("a node: m: no"));
        std::thread::sleep(std::time::Duration::from_millis(250));
        assert_eq!(start(&mut jobs, &key(1), &header(1)), id);
    }

    #[test]
    fn single_nodes_wait_for_a_payload_that_is_under_way() {
        let mut jobs = Jobs::default();
        let payload = Hint::Payload(B256::ZERO, Vec::new());
        let node = Hint::StateNode(B256::repeat_byte(1));
        jobs.note(&payload, String::new());
        let id = jobs.begin(&payload).unwrap();
        jobs.note(&node, String::new());
        assert_eq!(jobs.outlook(&key(1)), Outlook::Wait);
        jobs.end(id, refused());
        start(&mut jobs, &key(1), &node);
    }

    #[test]
    fn a_witness_that_lacks_something_is_asked_for_again() {
        let mut jobs = Jobs::default();
        let payload = Hint::Payload(B256::ZERO, Vec::new());
        jobs.note(&payload, String::new());
        for time in 0..=REPEATS {
            let Outlook::Start { id, again, .. } = jobs.outlook(&key(1)) else {
                panic!("it is not asked for the time {time}");
            };
            assert_eq!(again, time > 0);
            jobs.end(id, Ok(Done::Fetched));
        }
        assert_eq!(jobs.outlook(&key(1)), Outlook::Exhausted(Vec::new()));
    }

    #[test]
    fn what_a_store_has_lost_is_fetched() {
        let mut jobs = Jobs::default();
        jobs.note(&receipts(1), String::new());
        let id = start(&mut jobs, &key(9), &receipts(1));
        jobs.end(id, Ok(Done::Stored));
        let outlook = jobs.outlook(&key(9));
        assert!(
            matches!(outlook, Outlook::Start { again: true, .. }),
            "{outlook:?}"
        );
        jobs.end(id, Ok(Done::Fetched));
        assert_eq!(jobs.outlook(&key(9)), Outlook::Exhausted(Vec::new()));
    }

    #[test]
    fn a_store_that_fails_ends_the_run() {
        let mut jobs = Jobs::default();
        jobs.note(&header(1), String::new());
        let id = start(&mut jobs, &key(1), &header(1));
        let full = carronade_host::StoreError::Source("a disk: full".to_owned());
        jobs.end(id, Err(Fault::Store(full)));
        let words = "the store of pre-images fails: a disk: full";
        assert_eq!(jobs.outlook(&key(2)), Outlook::Fatal(words.to_owned()));
    }

    #[test]
    fn an_impossible_run_says_why() {
        let mut jobs = Jobs::default();
        jobs.note(&header(1), String::new());
        let id = start(&mut jobs, &key(1), &header(1));
        jobs.end(id, Err(Fault::Settings("wrong chain".to_owned())));
        assert_eq!(
            jobs.outlook(&key(9)),
            Outlook::Fatal("wrong chain".to_owned())
        );
    }

    #[test]
    fn only_the_last_hints_are_kept() {
        let mut jobs = Jobs::default();
        for byte in 0..200 {
            assert!(jobs.note(&header(byte), String::new()));
        }
        assert_eq!(jobs.list.len(), KEPT);
        assert_eq!(jobs.outlook(&key(0)), Outlook::NoHint);
        start(&mut jobs, &key(199), &header(199));
        assert!(!jobs.note(&header(199), String::new()));
        assert!(jobs.expect(&header(0)) && !jobs.expect(&header(199)));
    }
}
