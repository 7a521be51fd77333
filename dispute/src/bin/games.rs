//! Plays random games on the model, and judges them.
//!
//! ```text
//! carronade-games play COUNT [SEED]    games with the seeds from SEED on, what they came to
//! carronade-games script SEED          one game as JSON
//! carronade-games text SEED            one game as text
//! carronade-games html SEED            one game as HTML
//! ```

use carronade_dispute::draw::{self, View};
use carronade_dispute::game::{Game, GameStatus};
use carronade_dispute::sim::judge::judge;
use carronade_dispute::sim::{Played, play};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["play", count] => games(count, "0"),
        ["play", count, seed] => games(count, seed),
        ["script", seed] => number(seed).map(|seed| {
            let script = serde_json::to_string_pretty(&play(seed).script);
            println!("{}", script.unwrap_or_default());
            true
        }),
        ["text", seed] => number(seed).map(|seed| show(seed, draw::text)),
        ["html", seed] => number(seed).map(|seed| show(seed, draw::html)),
        _ => Err("usage: carronade-games play COUNT [SEED] | script|text|html SEED".into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn show(seed: u64, draw: impl Fn(&Game, &View) -> String) -> bool {
    let played = play(seed);
    let names = played.honest.iter().map(|&who| (who, "honest".into()));
    let view = View {
        now: played.game.resolved_at().unwrap_or_default(),
        title: format!("Random game {seed}"),
        names: names.collect(),
    };
    print!("{}", draw(&played.game, &view));
    true
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("not a number: {word}"))
}

/// What many games came to.
#[derive(Default)]
struct Tally {
    outcomes: BTreeMap<&'static str, u64>,
    accepted: BTreeMap<&'static str, u64>,
    refused: BTreeMap<String, u64>,
    violations: Vec<String>,
    claims: u64,
    most_claims: usize,
}

impl Tally {
    fn count(&mut self, seed: u64, played: &Played) {
        if let Err(violation) = judge(played) {
            self.violations.push(format!("seed {seed}: {violation}"));
        }
        let outcome = match played.game.status() {
            GameStatus::InProgress => "in progress",
            GameStatus::ChallengerWins => "challenger wins",
            GameStatus::DefenderWins => "defender wins",
        };
        *self.outcomes.entry(outcome).or_default() += 1;
        let claims = played.game.claims().len();
        self.claims += claims as u64;
        self.most_claims = self.most_claims.max(claims);
        let script = &played.script;
        for call in script.calls.iter().chain(&script.payouts) {
            match call.error() {
                Some(error) => *self.refused.entry(error.to_string()).or_default() += 1,
                None => *self.accepted.entry(call.name()).or_default() += 1,
            }
        }
    }
}

fn games(count: &str, seed: &str) -> Result<bool, String> {
    let (count, first) = (number(count)?, number(seed)?);
    let (next, tally) = (AtomicU64::new(0), Mutex::new(Tally::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let seed = first.wrapping_add(index);
                    let played = play(seed);
                    if let Ok(mut tally) = tally.lock() {
                        tally.count(seed, &played);
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().map_err(|_| "a game panicked")?;
    report(count, &tally);
    Ok(tally.violations.is_empty())
}

fn report(count: u64, tally: &Tally) {
    let mean = tally.claims / count.max(1);
    println!("{count} games: {:?}", tally.outcomes);
    println!(
        "claims in a game: {mean} on average, {} at most",
        tally.most_claims
    );
    println!("accepted: {:?}", tally.accepted);
    println!("refused: {:?}", tally.refused);
    println!("violations: {}", tally.violations.len());
    for violation in tally.violations.iter().take(20) {
        println!("  {violation}");
    }
}
