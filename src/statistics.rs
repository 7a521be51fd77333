//! What an engine did: `--stats`.

use crate::cli::{Engine, StatsForm};
use crate::clock::Stopwatch;
use crate::log::{Field, Logger, Value};
use crate::out::complain;
use carronade_translator::{Exit, Statistics, Translator};
use serde_json::{Map, json};
use std::time::Duration;

/// Figures of a run, in groups.
#[derive(Debug, Clone)]
pub struct Figures {
    groups: Vec<(&'static str, Group)>,
}

type Group = Vec<(String, Value)>;

impl Figures {
    /// The figures of a run of an engine: steps in all and by the last machine, which had the
    /// translator, if one took part.
    #[must_use]
    pub fn new(
        engine: Engine,
        (steps, last): (u64, u64),
        watch: &Stopwatch,
        translator: Option<&Translator>,
    ) -> Self {
        let statistics = translator.map(Translator::statistics);
        let native = statistics.as_ref().map_or(0, |made| made.native_steps);
        let mut groups = vec![("run", run(engine, steps, (native, last), watch))];
        if let Some(made) = statistics {
            groups.push(("translator", translation(&made, watch.wall())));
            groups.push(("exits", exits(&made)));
            groups.push(("cache", cache(&made)));
        }
        Self { groups }
    }

    /// The figures as JSON: an object for each group.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let groups = self.groups.iter().map(|(name, fields)| {
            let fields = fields.iter().map(|(key, value)| {
                let value = match value {
                    Value::Text(text) => json!(text),
                    Value::Number(number) => json!(number),
                    Value::Float(number) => json!(number),
                    Value::Bool(value) => json!(value),
                };
                (key.clone(), value)
            });
            ((*name).to_owned(), fields.collect::<Map<_, _>>().into())
        });
        groups.collect::<Map<_, _>>().into()
    }

    /// Tells the figures on standard error.
    pub fn tell(&self, form: StatsForm, logger: &Logger) {
        match form {
            StatsForm::Json => complain(&self.json().to_string()),
            StatsForm::Text => {
                for (name, fields) in &self.groups {
                    let mut line: Vec<Field<'_>> = vec![("about", (*name).into())];
                    line.extend(
                        fields
                            .iter()
                            .map(|(key, value)| (key.as_str(), value.clone())),
                    );
                    logger.vm("Statistics", &line);
                }
            }
        }
    }
}

fn named<const N: usize>(fields: [(&str, Value); N]) -> Group {
    fields.map(|(key, value)| (key.to_owned(), value)).into()
}

fn run(engine: Engine, steps: u64, (native, last): (u64, u64), watch: &Stopwatch) -> Group {
    let (wall, cpu) = (watch.wall().as_secs_f64(), watch.cpu().as_secs_f64());
    let interpreted = last.saturating_sub(native);
    named([
        ("engine", engine.name().into()),
        ("steps", steps.into()),
        ("native_steps", native.into()),
        ("interpreted_steps", interpreted.into()),
        (
            "interpreted_share",
            share(interpreted as f64, last as f64).into(),
        ),
        ("seconds", rounded(wall).into()),
        ("cpu_seconds", rounded(cpu).into()),
        (
            "steps_per_cpu_second",
            share(steps as f64, cpu).round().into(),
        ),
    ])
}

/// The translator measures wall time, so its share is one of wall time.
fn translation(made: &Statistics, wall: Duration) -> Group {
    let compiling = made.compile_time.as_secs_f64();
    named([
        ("regions", made.regions.into()),
        ("instructions", made.instructions.into()),
        ("native_bytes", made.native_bytes.into()),
        ("arena_bytes", made.arena_bytes.into()),
        ("refused", made.refused.into()),
        ("dropped", made.dropped.into()),
        ("evictions", made.evictions.into()),
        ("compile_seconds", rounded(compiling).into()),
        ("compile_share", share(compiling, wall.as_secs_f64()).into()),
    ])
}

/// A hit is a region out of the cache, a miss one that had to be translated.
fn cache(made: &Statistics) -> Group {
    named([
        ("hits", made.cached.into()),
        ("misses", made.regions.into()),
        (
            "load_seconds",
            rounded(made.cache_time.as_secs_f64()).into(),
        ),
    ])
}

/// How often native code was left, by the names of the reasons.
fn exits(made: &Statistics) -> Group {
    let counts = Exit::ALL.into_iter().zip(made.exits);
    let named = counts.map(|(exit, count)| (format!("{exit:?}").to_lowercase(), count.into()));
    named.collect()
}

/// A part of a whole, with four decimals; 0 of nothing.
#[must_use]
pub fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 {
        rounded(part / whole)
    } else {
        0.0
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}
