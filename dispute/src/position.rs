//! Positions of claims in the tree of the game (`LibPosition.sol`).

use std::fmt;

/// A generalised index: 2^depth + the index at that depth. The root is 1; a position
/// below depth 126 fits whatever the game does to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u128);

impl Position {
    /// The position of the root claim.
    pub const ROOT: Self = Self(1);

    /// The deepest that a game may go (`LibPosition.MAX_POSITION_BITLEN - 1`).
    pub const MAX_DEPTH: u32 = 125;

    /// The position with an index at a depth; none if there is no such node.
    #[must_use]
    pub fn new(depth: u32, index: u128) -> Option<Self> {
        let first = 1u128.checked_shl(depth)?;
        (index < first).then(|| Self(first + index))
    }

    /// The position with a generalised index; zero is none.
    #[must_use]
    pub fn from_gindex(gindex: u128) -> Option<Self> {
        (gindex != 0).then_some(Self(gindex))
    }

    /// The generalised index.
    #[must_use]
    pub fn gindex(self) -> u128 {
        self.0
    }

    /// Levels below the root.
    #[must_use]
    pub fn depth(self) -> u32 {
        self.0.ilog2()
    }

    /// How many nodes of the same depth are left of it.
    #[must_use]
    pub fn index_at_depth(self) -> u128 {
        self.0 ^ (1 << self.depth())
    }

    /// Where a move against a claim here goes: to its left child, or, as a defence, to the
    /// left child of its right neighbour.
    #[must_use]
    pub fn after_move(self, is_attack: bool) -> Self {
        Self((self.0 | u128::from(!is_attack)) << 1)
    }

    /// Where an attack goes.
    #[must_use]
    pub fn attack(self) -> Self {
        self.after_move(true)
    }

    /// Where a defence goes.
    #[must_use]
    pub fn defend(self) -> Self {
        self.after_move(false)
    }

    /// The node above; the root's is none.
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        Self::from_gindex(self.0 >> 1)
    }

    /// The next index; from the last one of a depth, the first of the next depth.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The index before; none for the first one of a depth.
    #[must_use]
    pub fn previous(self) -> Option<Self> {
        (self.index_at_depth() > 0).then(|| Self(self.0 - 1))
    }

    /// The node that one comes to by going right down to a depth.
    #[must_use]
    fn rightmost(self, depth: u32) -> Self {
        let down = depth - self.depth();
        Self((self.0 << down) | ((1 << down) - 1))
    }

    /// The index in the trace that a claim here commits to: that of the rightmost leaf
    /// below it, where leaves are at `max_depth`.
    ///
    /// # Panics
    /// When the position is deeper than the leaves.
    #[must_use]
    pub fn trace_index(self, max_depth: u32) -> u128 {
        assert!(self.depth() <= max_depth, "deeper than the trace");
        self.rightmost(max_depth).index_at_depth()
    }

    /// The highest node that commits to the same trace index (`traceAncestor`).
    #[must_use]
    pub fn trace_ancestor(self) -> Self {
        Self((self.0 >> self.0.trailing_ones()).max(1))
    }

    /// The same, but below a depth (`traceAncestorBounded`); none for a position that is
    /// not below it itself.
    #[must_use]
    pub fn trace_ancestor_below(self, depth: u32) -> Option<Self> {
        if self.depth() <= depth {
            return None;
        }
        let ancestor = self.trace_ancestor();
        Some(if ancestor.depth() <= depth {
            ancestor.rightmost(depth + 1)
        } else {
            ancestor
        })
    }

    /// The node above it at a depth; itself if it is not deeper.
    #[must_use]
    pub fn ancestor_at(self, depth: u32) -> Self {
        Self(self.0 >> self.depth().saturating_sub(depth))
    }

    /// The same node in the tree whose root is its ancestor at a depth.
    ///
    /// # Panics
    /// When the position is above that depth.
    #[must_use]
    pub fn relative_to(self, depth: u32) -> Self {
        assert!(self.depth() >= depth, "above the root of the tree");
        let below = self.depth() - depth;
        Self((1 << below) | (self.0 & ((1 << below) - 1)))
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.index_at_depth(), self.depth())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(gindex: u128) -> Position {
        Position::from_gindex(gindex).unwrap()
    }

    #[test]
    fn moves() {
        assert_eq!(Position::ROOT.attack(), at(2));
        assert_eq!(at(2).attack(), at(4));
        assert_eq!(at(2).defend(), at(6));
        assert_eq!(at(6).defend(), at(14));
        assert_eq!(at(14).attack(), at(28));
    }

    #[test]
    fn trace_indexes() {
        assert_eq!(Position::ROOT.trace_index(4), 15);
        assert_eq!(at(2).trace_index(4), 7);
        assert_eq!(at(6).trace_index(4), 11);
        assert_eq!(at(16).trace_index(4), 0);
        assert_eq!(Position::ROOT.trace_index(73), (1 << 73) - 1);
    }

    /// By the definition: the highest node on the way up with the same trace index.
    #[test]
    fn ancestors_by_search() {
        for gindex in 1..(1u128 << 9) {
            let position = at(gindex);
            let same = |other: &Position| other.trace_index(12) == position.trace_index(12);
            let way_up = std::iter::successors(Some(position), |p| p.parent());
            let highest = way_up.clone().filter(same).last();
            assert_eq!(Some(position.trace_ancestor()), highest);
            for bound in 0..9 {
                let below = way_up.clone().filter(|p| p.depth() > bound && same(p));
                assert_eq!(position.trace_ancestor_below(bound), below.last());
            }
        }
    }

    #[test]
    fn subtrees() {
        let position = Position::new(5, 0b10110).unwrap();
        assert_eq!(position.ancestor_at(2), Position::new(2, 0b10).unwrap());
        assert_eq!(position.relative_to(2), Position::new(3, 0b110).unwrap());
        assert_eq!(position.relative_to(5), Position::ROOT);
        assert_eq!(Position::new(2, 4), None);
        assert_eq!(position.previous().map(Position::next), Some(position));
        assert_eq!(at(8).previous(), None);
    }

    #[test]
    fn deepest() {
        let deepest = Position::new(Position::MAX_DEPTH, (1 << 125) - 2).unwrap();
        assert_eq!(deepest.defend().depth(), 126);
        assert_eq!(deepest.next().trace_ancestor(), Position::ROOT);
        assert_eq!(deepest.trace_index(125), (1 << 125) - 2);
    }
}
