//! A game as text.

use super::{Row, Standing, View, accounts, short, summary};
use crate::game::Game;

/// The game as text, one line for each claim.
#[must_use]
pub fn text(game: &Game, view: &View) -> String {
    let mut out = String::new();
    if !view.title.is_empty() {
        out += &format!("{}\n\n", view.title);
    }
    for (name, value) in summary(game, view) {
        out += &format!("{name:<13} {value}\n");
    }
    out.push('\n');
    out += &table(&lines(game, view));
    out.push('\n');
    for (name, paid, won) in accounts(game, view) {
        out += &format!("{name}: paid {paid}, won {won}\n");
    }
    out
}

/// The columns of a line.
type Line = [String; 8];

/// The claims from the root down, children in the order they were made.
fn lines(game: &Game, view: &View) -> Vec<Line> {
    let standing = Standing::new(game);
    let mut lines = Vec::new();
    // Trees are as deep as the game: a stack of our own, with what stands before the line
    // of a claim, and before those below it.
    let mut stack = vec![(0, String::new(), String::new())];
    while let Some((index, before, below)) = stack.pop() {
        lines.push(line(&before, standing.row(index, view)));
        let children = game.children(index);
        for (at, &child) in children.iter().enumerate().rev() {
            let (branch, bar) = match at + 1 == children.len() {
                true => ("└─ ", "   "),
                false => ("├─ ", "│  "),
            };
            stack.push((child, format!("{below}{branch}"), format!("{below}{bar}")));
        }
    }
    lines
}

fn line(before: &str, row: Row) -> Line {
    [
        format!("{before}#{} {}", row.index, row.kind),
        row.position,
        row.about,
        short(row.value.as_slice()),
        row.claimant,
        row.bond,
        row.clock,
        row.fate.text(),
    ]
}

/// Lines with their columns one below the other.
fn table(lines: &[Line]) -> String {
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; 8] = std::array::from_fn(width);
    let mut out = String::new();
    for line in lines {
        let cells = line.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        out += cells.join("  ").trim_end();
        out.push('\n');
    }
    out
}
