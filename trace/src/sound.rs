//! Whether what the store keeps of a state is that state.

use crate::error::TraceError;
use crate::stand::Stand;
use crate::world::SharedWorld;
use carronade_checkpoint::{Checkpoint, Point};
use carronade_emulator::memory::Memory;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many pages are looked at together.
const TOGETHER: usize = 1024;

/// Registers, roots and the pages that the last edge brings. If that holds for every
/// checkpoint, all pages of all checkpoints are right.
///
/// # Errors
/// When something is not as the state hash says, or cannot be read.
pub fn check(checkpoint: &Checkpoint, world: &SharedWorld) -> Result<(), TraceError> {
    let mut stand = Stand::at(checkpoint, world, &(Arc::new(|_: &mut _| Ok(None)) as _))?;
    expect(&mut stand, checkpoint.point())?;
    check_pages(checkpoint)
}

/// Whether a machine is in the state that it should be in.
///
/// # Errors
/// When it is not.
pub fn expect(stand: &mut Stand, point: Point) -> Result<(), TraceError> {
    let (step, stored, now) = (point.step, point.state_hash, stand.machine.witness()?.1);
    if now == stored && stand.step() == step {
        return Ok(());
    }
    Err(TraceError::Differs { step, now, stored })
}

/// Whether the pages that the last edge brings are those that their roots stand for.
///
/// # Errors
/// When one is not, or cannot be read.
pub fn check_pages(checkpoint: &Checkpoint) -> Result<(), TraceError> {
    let roots: BTreeMap<_, _> = checkpoint.pages().into_iter().collect();
    for pages in checkpoint.brought().chunks(TOGETHER) {
        let mut memory = Memory::without_reservation();
        for (page, bytes) in pages.iter().zip(checkpoint.load_many(pages)?) {
            *memory.page_mut(*page) = *bytes;
        }
        let wrong = |page: &&u64| roots.get(page) != Some(&memory.page_root(**page));
        if let Some(page) = pages.iter().find(wrong) {
            let step = checkpoint.point().step;
            return Err(TraceError::Page { step, page: *page });
        }
    }
    Ok(())
}
