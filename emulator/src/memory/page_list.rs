//! Pages that one reader has yet to be told of.

/// A list of pages that is read at once, and may be added to for long before.
#[derive(Default)]
pub(super) struct PageList(Vec<u64>);

impl PageList {
    /// Adds pages. There are `existing` pages altogether, and the list does not grow beyond
    /// twice as many, however often they are added again.
    pub(super) fn add(&mut self, pages: &[u64], existing: usize) {
        self.0.extend(pages);
        if self.0.len() > 2 * existing {
            self.tidy();
        }
    }

    /// All pages added since the last call, ascending.
    pub(super) fn take(&mut self) -> Vec<u64> {
        self.tidy();
        std::mem::take(&mut self.0)
    }

    fn tidy(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
    }
}
