//! Systems that do not tell of the first access to a page.

use super::Page;
use std::io::{self, PipeReader};
use std::ops::Range;

/// There is none.
pub(super) enum Userfault {}

impl Userfault {
    pub(super) fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn wait(&mut self, _: &PipeReader) -> io::Result<Option<usize>> {
        match *self {}
    }

    pub(super) fn fill(&self, _: usize, _: &Page) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn fill_zeros(&self, _: usize) -> io::Result<()> {
        match *self {}
    }

    pub(super) unsafe fn register(&self, _: &Range<usize>) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn unregister(&self, _: &Range<usize>) -> io::Result<()> {
        match *self {}
    }
}
