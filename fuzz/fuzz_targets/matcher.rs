//! Step matchers: no text panics, and what is read behaves as its own definition says.

#![no_main]

use carronade_fuzz::matcher::Matcher;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (u64, &str)| {
    let (step, text) = data;
    let Ok(matcher) = text.parse::<Matcher>() else {
        return;
    };
    let next = matcher.next_after(step);
    assert!(next > step || step == u64::MAX, "{text}: {next} after {step}");
    assert!(next == u64::MAX || matcher.matches(next), "{text}: {next}");
    let between = (step.saturating_add(1)..next).take(64);
    assert!(between.into_iter().all(|step| !matcher.matches(step)), "{text}: before {next}");
    match matcher {
        Matcher::At(at) => assert_eq!(format!("={at}").parse(), Ok(matcher)),
        Matcher::Every(interval) => assert_eq!(format!("%{interval}").parse(), Ok(matcher)),
        Matcher::Any(matchers) => assert!(matchers.len() > 1),
        Matcher::Never | Matcher::Always => {}
    }
});
