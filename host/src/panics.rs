//! Panics of code that is not ours, as errors.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// How many calls of [`catch`] this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Counts a call of [`catch`] as long as it lives.
struct Quiet;

impl Quiet {
    fn new() -> Self {
        DEPTH.with(|depth| depth.set(depth.get() + 1));
        Self
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}

/// Does some work; the words of its panic in one line if it panics, of which nothing is printed.
///
/// For the first call, this wraps the panic hook of the process: panics elsewhere are told as
/// before. What a panic left half done must not be used afterwards, which is for the caller to
/// see to.
///
/// # Errors
/// When the work panics.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static WRAPPED: Once = Once::new();
    WRAPPED.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if DEPTH.with(Cell::get) == 0 {
                usual(panic);
            }
        }));
    });
    let _quiet = Quiet::new();
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| words(&*panic))
}

/// What was said in a panic.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("for a reason without words");
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_words_and_work_goes_on() {
        assert_eq!(catch(|| 5), Ok(5));
        let nested = || {
            let inner = catch(|| panic!("a page\nof {}", 7));
            assert_eq!(inner, Err::<(), _>("a page of 7".to_owned()));
            panic!("outer");
        };
        assert_eq!(catch(nested), Err::<(), _>("outer".to_owned()));
        assert_eq!(DEPTH.with(Cell::get), 0);
    }
}
