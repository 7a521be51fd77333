//! Step matchers: `never`, `always`, `=N`, `%N` (`cannon/cmd/matcher.go`), and, which the
//! reference does not have, several with commas between them.

use std::str::FromStr;

/// Which steps something happens at. The step counter is compared before the step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matcher {
    /// No step.
    Never,
    /// Every step.
    Always,
    /// One step.
    At(u64),
    /// Step 0 and every multiple. Never 0 itself.
    Every(u64),
    /// Each step that one of these matches.
    Any(Vec<Matcher>),
}

/// Why a matcher cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// Neither a word nor `=N` nor `%N`.
    #[error("unrecognized step matcher {0:?}: use never, always, =N or %N")]
    Unknown(String),
    /// Not a number of 64 bits.
    #[error("step matcher {0:?}: not a 64-bit number")]
    Number(String),
    /// `%0`, at which the reference divides by zero.
    #[error("step matcher {0:?}: the interval must not be 0")]
    ZeroInterval(String),
}

impl Matcher {
    /// Whether a step matches.
    #[must_use]
    pub fn matches(&self, step: u64) -> bool {
        match self {
            Matcher::Never => false,
            Matcher::Always => true,
            Matcher::At(at) => step == *at,
            Matcher::Every(interval) => step.is_multiple_of(*interval),
            Matcher::Any(matchers) => matchers.iter().any(|matcher| matcher.matches(step)),
        }
    }

    /// The single steps that are asked for, ascending.
    #[must_use]
    pub fn single_steps(&self) -> Vec<u64> {
        let mut steps = match self {
            Matcher::At(at) => vec![*at],
            Matcher::Any(matchers) => matchers.iter().flat_map(Self::single_steps).collect(),
            Matcher::Never | Matcher::Always | Matcher::Every(_) => Vec::new(),
        };
        steps.sort_unstable();
        steps.dedup();
        steps
    }

    /// The first matching step after `step`, or the largest number.
    #[must_use]
    pub fn next_after(&self, step: u64) -> u64 {
        match self {
            Matcher::Always => step.saturating_add(1),
            Matcher::At(at) if *at > step => *at,
            Matcher::Every(interval) => (step / interval)
                .checked_add(1)
                .and_then(|times| times.checked_mul(*interval))
                .unwrap_or(u64::MAX),
            Matcher::Any(matchers) => {
                let next = matchers.iter().map(|matcher| matcher.next_after(step));
                next.min().unwrap_or(u64::MAX)
            }
            Matcher::Never | Matcher::At(_) => u64::MAX,
        }
    }
}

impl FromStr for Matcher {
    type Err = MatcherError;

    fn from_str(text: &str) -> Result<Self, MatcherError> {
        let number = |digits| go_number(digits).ok_or_else(|| MatcherError::Number(text.into()));
        if text.contains(',') {
            let matchers = text.split(',').map(str::parse);
            return Ok(Matcher::Any(matchers.collect::<Result<_, _>>()?));
        }
        match (text, text.split_at_checked(1)) {
            ("" | "never", _) => Ok(Matcher::Never),
            ("always", _) => Ok(Matcher::Always),
            (_, Some(("=", at))) => number(at).map(Matcher::At),
            (_, Some(("%", interval))) => match number(interval)? {
                0 => Err(MatcherError::ZeroInterval(text.into())),
                interval => Ok(Matcher::Every(interval)),
            },
            _ => Err(MatcherError::Unknown(text.into())),
        }
    }
}

/// An unsigned number as Go reads it with base 0: `0x`, `0o`, `0b` or a bare leading `0`
/// for octal, and single underscores between digits or after the prefix.
#[must_use]
pub fn go_number(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    // Only a prefix may stand before the first underscore without a digit.
    let digits = if base == 10 {
        digits
    } else {
        digits.strip_prefix('_').unwrap_or(digits)
    };
    let well_formed = digits
        .split('_')
        .all(|group| !group.is_empty() && group.chars().all(|c| c.is_digit(base)));
    if well_formed {
        u64::from_str_radix(&digits.replace('_', ""), base).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_read_as_the_reference_reads_them() {
        for (text, want) in [
            ("", Matcher::Never),
            ("never", Matcher::Never),
            ("always", Matcher::Always),
            ("=123", Matcher::At(123)),
            ("=0", Matcher::At(0)),
            ("%1000000000", Matcher::Every(1_000_000_000)),
            ("=0x_1F", Matcher::At(31)),
            ("=0b101", Matcher::At(5)),
            ("=0o17", Matcher::At(15)),
            ("=017", Matcher::At(15)),
            ("=1_000", Matcher::At(1000)),
            ("=18446744073709551615", Matcher::At(u64::MAX)),
            (
                "=5,%10",
                Matcher::Any(vec![Matcher::At(5), Matcher::Every(10)]),
            ),
        ] {
            assert_eq!(text.parse(), Ok(want), "{text}");
        }
        for text in [
            "sometimes",
            "=",
            "%",
            "%0",
            "%0x0",
            "=-1",
            "=+1",
            "=1__0",
            "=_1",
            "=1_",
            "=0x",
            "=09",
            "= 1",
            "=18446744073709551616",
            "123",
            "é",
            "=é",
            "=0b2",
            "=1;=2",
            "=1,2",
        ] {
            assert!(text.parse::<Matcher>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_next_match_is_the_first_after() {
        for matcher in [
            Matcher::Never,
            Matcher::Always,
            Matcher::At(7),
            Matcher::Every(5),
            Matcher::Any(vec![Matcher::At(7), Matcher::Every(5), Matcher::Never]),
        ] {
            for step in 0..20 {
                let next = matcher.next_after(step);
                assert!((step + 1..next.min(30)).all(|step| !matcher.matches(step)));
                assert!(next == u64::MAX || matcher.matches(next));
            }
        }
        assert_eq!(Matcher::Every(3).next_after(u64::MAX - 1), u64::MAX);
    }
}
