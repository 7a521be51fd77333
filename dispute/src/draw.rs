//! A game as a picture: its claims as a tree, as text and as HTML.

mod html;
mod text;

pub use html::html;
pub use text::text;

use crate::game::{Claim, Game, GameStatus};
use alloy_primitives::{Address, B256};
use std::collections::BTreeMap;

/// What is shown of a game beside the game.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The time, in seconds: what clocks are shown at.
    pub now: u64,
    /// What the game is called: its address, or what it is about.
    pub title: String,
    /// Names of addresses.
    pub names: BTreeMap<Address, String>,
}

impl View {
    fn name(&self, address: Address) -> String {
        match self.names.get(&address) {
            Some(name) => name.clone(),
            None => short(address.as_slice()),
        }
    }
}

fn short(bytes: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    format!("0x{}..{}", hex(&bytes[..4]), hex(&bytes[bytes.len() - 2..]))
}

/// Wei as ether, without zeros at the end.
fn ether(wei: u128) -> String {
    let one = 10u128.pow(18);
    let fraction = format!("{:018}", wei % one);
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{}{dot}{fraction} ETH", wei / one)
}

/// Seconds as days, hours, minutes and seconds.
fn time(seconds: u64) -> String {
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let shown: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if shown.is_empty() {
        "0s".into()
    } else {
        shown.join(" ")
    }
}

/// What there is to tell of one claim.
struct Row {
    index: usize,
    /// How it moves against the claim above.
    kind: &'static str,
    /// Which block, or which steps, it is about.
    about: String,
    position: String,
    value: B256,
    claimant: String,
    bond: String,
    clock: String,
    fate: Fate,
}

/// What has become of a claim.
enum Fate {
    /// Nobody has countered it.
    Stands,
    /// Countered by a claim that stands.
    Countered(usize),
    /// Countered by a step.
    Stepped(String),
    /// Of another block than claimed.
    WrongBlock(String),
}

impl Fate {
    fn text(&self) -> String {
        match self {
            Self::Stands => "stands".into(),
            Self::Countered(by) => format!("countered by #{by}"),
            Self::Stepped(by) => format!("countered by a step of {by}"),
            Self::WrongBlock(by) => format!("wrong block, shown by {by}"),
        }
    }
}

/// Whether a claim stands, as it would be resolved now.
struct Standing<'a> {
    game: &'a Game,
    winner: Vec<Option<usize>>,
    stands: Vec<bool>,
}

impl<'a> Standing<'a> {
    fn new(game: &'a Game) -> Self {
        let count = game.claims().len();
        let mut standing = Self {
            game,
            winner: vec![None; count],
            stands: vec![true; count],
        };
        // Claims come after those that they move against.
        for index in (0..count).rev() {
            let uncountered = game.children(index).iter().copied();
            let leftmost = uncountered
                .filter(|&child| standing.stands[child])
                .min_by_key(|&child| game.claims()[child].position);
            standing.winner[index] = leftmost;
            let claim = &game.claims()[index];
            let stepped = game.children(index).is_empty() && claim.countered_by.is_some();
            standing.stands[index] = leftmost.is_none() && !stepped;
        }
        standing
    }

    fn fate(&self, index: usize, view: &View) -> Fate {
        if let (0, Some(challenger)) = (index, self.game.block_number_challenger()) {
            return Fate::WrongBlock(view.name(challenger));
        }
        match (self.winner[index], self.game.claims()[index].countered_by) {
            (Some(by), _) => Fate::Countered(by),
            (None, Some(by)) if !self.stands[index] => Fate::Stepped(view.name(by)),
            _ => Fate::Stands,
        }
    }

    fn row(&self, index: usize, view: &View) -> Row {
        let claim = &self.game.claims()[index];
        Row {
            index,
            kind: kind(self.game, claim),
            about: about(self.game, claim),
            position: format!("{:?}", claim.position),
            value: claim.value,
            claimant: view.name(claim.claimant),
            bond: ether(claim.bond),
            clock: clock(self.game, index, view.now),
            fate: self.fate(index, view),
        }
    }
}

fn kind(game: &Game, claim: &Claim) -> &'static str {
    match claim.parent.map(|parent| game.claims()[parent].position) {
        None => "root",
        Some(above) if claim.position == above.attack() => "attack",
        Some(_) => "defend",
    }
}

fn about(game: &Game, claim: &Claim) -> String {
    let parameters = game.parameters();
    if claim.position.depth() <= parameters.split_depth {
        return format!("block {}", game.claimed_block(claim.position));
    }
    let relative = claim.position.relative_to(parameters.execution_depth());
    let step = relative.trace_index(parameters.execution_levels());
    format!("state after step {step}")
}

fn clock(game: &Game, index: usize, now: u64) -> String {
    let whole = game.parameters().max_clock_duration;
    if game.is_resolved(index) {
        return "resolved".into();
    }
    match game.challenger_duration(index, now) {
        Ok(used) if used < whole => format!("{} left to counter", time(whole - used)),
        _ => "clock run out".into(),
    }
}

fn summary(game: &Game, view: &View) -> Vec<(&'static str, String)> {
    let (creation, parameters) = (game.creation(), game.parameters());
    let status = match game.status() {
        GameStatus::InProgress => "in progress",
        GameStatus::ChallengerWins => "challenger wins: the root claim is wrong",
        GameStatus::DefenderWins => "defender wins: the root claim stands",
    };
    let outcome = if Standing::new(game).stands[0] && game.block_number_challenger().is_none() {
        "the root stands"
    } else {
        "the root falls"
    };
    let claimed = creation.claimed;
    let starting = creation.starting;
    vec![
        ("status", status.into()),
        ("as it is now", outcome.into()),
        (
            "claimed",
            format!("block {}, {}", claimed.l2_block, claimed.root),
        ),
        (
            "anchor",
            format!("block {}, {}", starting.l2_block, starting.root),
        ),
        (
            "depth",
            format!(
                "{}, split at {}",
                parameters.max_depth, parameters.split_depth
            ),
        ),
        (
            "clocks",
            format!(
                "{} each, extended by {}",
                time(parameters.max_clock_duration),
                time(parameters.clock_extension)
            ),
        ),
        ("age", time(view.now.saturating_sub(creation.created_at))),
        ("claims", game.claims().len().to_string()),
    ]
}

/// Who paid what in bonds, and who has won what so far.
fn accounts(game: &Game, view: &View) -> Vec<(String, String, String)> {
    let row = |who| {
        let (paid, won) = (game.bonds_paid(who), game.credit(who));
        (view.name(who), ether(paid), ether(won))
    };
    game.participants().into_iter().map(row).collect()
}
