//! Room for a few who work at the same time, first come, first served.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::lock::lock;

/// Room for so many at once.
#[derive(Debug)]
pub struct Room {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// The number that the next one to come gets.
    next: u64,
    /// The number of the one whose turn it is.
    turn: u64,
}

/// A place in a room; it is free again when this is dropped.
#[derive(Debug)]
pub struct Place<'a>(&'a Room);

impl Room {
    /// Room for so many, at least one.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self {
            state: Mutex::new(State {
                free: places.max(1),
                next: 0,
                turn: 0,
            }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Waits for a place, after all who came before.
    pub fn enter(&self) -> Place<'_> {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        while state.free == 0 || state.turn != number {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.free -= 1;
        state.turn += 1;
        drop(state);
        self.changed.notify_all();
        Place(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.state().free += 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn never_more_than_there_is_room_for() {
        let (room, inside, most) = (Room::new(3), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let _place = room.enter();
                        let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 3);
        assert_eq!(room.state().free, 3);
    }

    #[test]
    fn who_comes_first_is_first() {
        let room = Room::new(1);
        let order = Mutex::new(Vec::new());
        let first = room.enter();
        std::thread::scope(|scope| {
            for number in 0..5 {
                let (room, order) = (&room, &order);
                scope.spawn(move || {
                    let _place = room.enter();
                    order.lock().expect("whole").push(number);
                });
                while room.state().next != number + 2 {
                    std::thread::yield_now();
                }
            }
            drop(first);
        });
        assert_eq!(order.into_inner().expect("whole"), [0, 1, 2, 3, 4]);
    }
}
