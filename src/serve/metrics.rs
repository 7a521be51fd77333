//! Figures about the server, in the text format that Prometheus reads.

use carronade_trace::Progress;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Upper bounds of the histogram's buckets, in seconds: a known hash takes a millisecond,
/// a far step hours.
const BOUNDS: [f64; 8] = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0];

/// Figures about requests.
#[derive(Default)]
pub struct Metrics(Mutex<Figures>);

#[derive(Default)]
struct Figures {
    requests: BTreeMap<(&'static str, &'static str), u64>,
    seconds: BTreeMap<&'static str, Histogram>,
}

#[derive(Default)]
struct Histogram {
    /// How many took at most as long as each bound.
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Metrics {
    /// A request begins; what it is dropped with is how it ended.
    pub fn begin(&self, kind: &'static str) -> Measured<'_> {
        Measured {
            metrics: self,
            kind,
            began: Instant::now(),
            outcome: "cancelled",
        }
    }

    /// All figures.
    #[must_use]
    pub fn text(&self, queue: usize, progress: Progress) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.lock().write(&mut out);
        let Progress {
            step,
            executed,
            checkpoints,
        } = progress;
        for (name, kind, help, value) in [
            ("queue_length", "gauge", "Questions that wait", queue as u64),
            (
                "steps_executed_total",
                "counter",
                "Steps executed for all answers",
                executed,
            ),
            ("step", "gauge", "Step that the machine stands before", step),
            (
                "checkpoints",
                "gauge",
                "Checkpoints in the store",
                checkpoints as u64,
            ),
        ] {
            let _ = head(&mut out, name, kind, help);
            let _ = writeln!(out, "carronade_{name} {value}");
        }
        out
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(out, "# HELP carronade_{name} {help}")?;
    writeln!(out, "# TYPE carronade_{name} {kind}")
}

impl Figures {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        head(out, "requests_total", "counter", "Requests that ended")?;
        for ((kind, outcome), count) in &self.requests {
            let labels = format!("kind=\"{kind}\",outcome=\"{outcome}\"");
            writeln!(out, "carronade_requests_total{{{labels}}} {count}")?;
        }
        head(
            out,
            "request_seconds",
            "histogram",
            "How long requests took",
        )?;
        for (kind, histogram) in &self.seconds {
            histogram.write(out, kind)?;
        }
        Ok(())
    }
}

impl Histogram {
    fn add(&mut self, seconds: f64) {
        for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(seconds <= bound);
        }
        self.count += 1;
        self.sum += seconds;
    }

    fn write(&self, out: &mut String, kind: &str) -> std::fmt::Result {
        let name = "carronade_request_seconds";
        let bounds = BOUNDS.map(|bound| bound.to_string());
        let bounds = bounds.iter().map(String::as_str).chain(["+Inf"]);
        for (bound, count) in bounds.zip(self.buckets.iter().chain([&self.count])) {
            writeln!(
                out,
                "{name}_bucket{{kind=\"{kind}\",le=\"{bound}\"}} {count}"
            )?;
        }
        writeln!(out, "{name}_sum{{kind=\"{kind}\"}} {}", self.sum)?;
        writeln!(out, "{name}_count{{kind=\"{kind}\"}} {}", self.count)
    }
}

/// A request under way.
pub struct Measured<'a> {
    metrics: &'a Metrics,
    kind: &'static str,
    began: Instant,
    outcome: &'static str,
}

impl Measured<'_> {
    /// The request ends with an answer of such a status.
    pub fn finish(mut self, status: u16) {
        self.outcome = match status {
            200 => "ok",
            400 => "bad_request",
            404 => "not_found",
            409 => "conflict",
            422 => "vm_panic",
            503 => "unavailable",
            _ => "error",
        };
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        let seconds = self.began.elapsed().as_secs_f64();
        let mut figures = self.metrics.lock();
        let key = (self.kind, self.outcome);
        *figures.requests.entry(key).or_default() += 1;
        figures.seconds.entry(self.kind).or_default().add(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_kind_and_outcome() {
        let metrics = Metrics::default();
        metrics.begin("hash").finish(200);
        drop(metrics.begin("hash"));
        let progress = Progress {
            step: 5,
            executed: 7,
            checkpoints: 2,
        };
        let text = metrics.text(3, progress);
        for line in [
            "carronade_requests_total{kind=\"hash\",outcome=\"cancelled\"} 1",
            "carronade_requests_total{kind=\"hash\",outcome=\"ok\"} 1",
            "carronade_request_seconds_bucket{kind=\"hash\",le=\"10\"} 2",
            "carronade_request_seconds_bucket{kind=\"hash\",le=\"+Inf\"} 2",
            "carronade_request_seconds_count{kind=\"hash\"} 2",
            "carronade_queue_length 3",
            "carronade_steps_executed_total 7",
            "carronade_step 5",
            "carronade_checkpoints 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
