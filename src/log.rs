//! The log lines of `cannon`: on stderr, one line an event, in the form that its Go
//! libraries give them. Without a terminal on stdout that is `level=INFO msg=… key=value`
//! (slog's text form without the time), with one it is geth's `t=… lvl=info msg=…`.
//! `--json` makes each line a JSON object instead.

use crate::out::complain;
use indicatif::ProgressBar;
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::SystemTime;

/// How grave an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Part of normal work.
    Info,
    /// Work goes on, but something is odd.
    Warn,
    /// Something failed.
    Error,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A number.
    Number(u64),
    /// A number with a fraction.
    Float(f64),
    /// Yes or no.
    Bool(bool),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Value::Number(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Float(number)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

/// The form of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Raw,
    Terminal,
    Json,
}

/// Writes log lines, above the progress bar if there is one.
#[derive(Clone)]
pub struct Logger {
    form: Form,
    bar: Option<ProgressBar>,
}

/// A field of a log line.
pub type Field<'a> = (&'a str, Value);

impl Logger {
    /// A logger in the form that fits where stdout goes.
    #[must_use]
    pub fn new(json: bool) -> Self {
        let form = match (json, std::io::stdout().is_terminal()) {
            (true, _) => Form::Json,
            (false, true) => Form::Terminal,
            (false, false) => Form::Raw,
        };
        Self { form, bar: None }
    }

    /// The same logger, writing above a progress bar.
    #[must_use]
    pub fn above(&self, bar: ProgressBar) -> Self {
        Self {
            form: self.form,
            bar: Some(bar),
        }
    }

    /// Writes one line.
    pub fn log(&self, level: Level, message: &str, fields: &[Field<'_>]) {
        let line = match self.form {
            Form::Raw => text(&[("level", upper(level).into())], message, fields),
            Form::Terminal => {
                let head = [("t", timestamp().into()), ("lvl", lower(level).into())];
                text(&head, message, fields)
            }
            Form::Json => json(level, message, fields),
        };
        match &self.bar {
            Some(bar) => bar.suspend(|| complain(&line)),
            None => complain(&line),
        }
    }

    /// An event of the VM itself.
    pub fn vm(&self, message: &str, fields: &[Field<'_>]) {
        let mut all = vec![("module", "vm".into())];
        all.extend_from_slice(fields);
        self.log(Level::Info, message, &all);
    }
}

fn upper(level: Level) -> &'static str {
    match level {
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    }
}

fn lower(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

fn text(head: &[Field<'_>], message: &str, fields: &[Field<'_>]) -> String {
    let mut line = String::new();
    let message = [("msg", message.into())];
    for (key, value) in head.iter().chain(&message).chain(fields) {
        let space = if line.is_empty() { "" } else { " " };
        let _ = write!(line, "{space}{key}={}", plain(value));
    }
    line
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) if needs_quotes(text) => quote(text),
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Float(number) => go_float(*number),
        Value::Bool(value) => value.to_string(),
    }
}

/// Go's `log/slog` quotes empty text and text with spaces, quotes, `=` or unprintables.
fn needs_quotes(text: &str) -> bool {
    text.is_empty()
        || text
            .chars()
            .any(|c| c == '"' || c == '=' || c.is_whitespace() || c.is_control())
}

/// Go's `strconv.Quote`, for printable text and control characters.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_control() && (c as u32) < 0x80 => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Go's shortest form of a float (`strconv.FormatFloat(f, 'g', -1, 64)`): with an exponent
/// below 1e-4 and from 1e6 on.
fn go_float(number: f64) -> String {
    if !number.is_finite() {
        return if number.is_nan() {
            "NaN".into()
        } else if number > 0.0 {
            "+Inf".into()
        } else {
            "-Inf".into()
        };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number == 0.0 || (-4..6).contains(&exponent) {
        return format!("{number}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn json(level: Level, message: &str, fields: &[Field<'_>]) -> String {
    // By hand, for serde_json's map would sort the keys.
    let mut line = String::from("{");
    let head = [("level", upper(level).into()), ("msg", message.into())];
    for (key, value) in head.iter().chain(fields) {
        let comma = if line.len() > 1 { "," } else { "" };
        let value: serde_json::Value = match value {
            Value::Text(text) => text.as_str().into(),
            Value::Number(number) => (*number).into(),
            Value::Float(number) => (*number).into(),
            Value::Bool(value) => (*value).into(),
        };
        let _ = write!(line, "{comma}\"{key}\":{value}");
    }
    line + "}"
}

/// UTC, in geth's form: `2006-01-02T15:04:05+0000`.
fn timestamp() -> String {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days as i64);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+0000")
}

/// Year, month and day of a day number since 1970, counting years from March so that the
/// leap day comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = era * 400 + year + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_as_slog_writes_them() {
        let fields = [
            ("module", "vm".into()),
            ("step", 7u64.into()),
            ("mem", "1.7 MiB".into()),
        ];
        let line = text(&[("level", "INFO".into())], "Loaded input state", &fields);
        assert_eq!(
            line,
            "level=INFO msg=\"Loaded input state\" module=vm step=7 mem=\"1.7 MiB\""
        );
        assert_eq!(plain(&"a\"b\n\u{1}\\".into()), "\"a\\\"b\\n\\x01\\\\\"");
        assert_eq!(plain(&"".into()), "\"\"");
    }

    #[test]
    fn floats_look_as_go_writes_them() {
        for (number, text) in [
            (0.0, "0"),
            (1.5, "1.5"),
            (24_123_456.75, "2.412345675e+07"),
            (123_456.5, "123456.5"),
            (1e21, "1e+21"),
            (1e-5, "1e-05"),
        ] {
            assert_eq!(go_float(number), text);
        }
    }

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(11_016), (2000, 2, 29));
    }
}
