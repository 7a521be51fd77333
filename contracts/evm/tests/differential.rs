//! Random steps: emulator and contract lead to the same state, or both refuse.
//!
//! `CARRONADE_STEPS` is how many; the binary `differential` does the same from other seeds.

use carronade_contracts::cases::{Case, Disagreement, compare};
use carronade_contracts::dice::Dice;
use carronade_contracts::random::random;
use carronade_contracts::stepper::Stepper;

#[test]
fn random_steps_agree() {
    let steps = std::env::var("CARRONADE_STEPS").map_or(5_000, |text| text.parse().unwrap());
    let (mut stepper, mut dice, mut executed) = (Stepper::new(), Dice::new(11), 0);
    for _ in 0..steps {
        let done = compare(&mut stepper, &random(&mut dice));
        executed += u64::from(done.unwrap_or_else(|difference| panic!("{difference}")));
    }
    let (most, least) = (steps * 9 / 10, steps / 2);
    assert!(
        (least..=most).contains(&executed),
        "{executed} of {steps} were executed"
    );
}

/// The comparison itself: a contract that steps to another state shows.
#[test]
fn a_disagreement_is_found() {
    let (mut stepper, mut dice) = (Stepper::new(), Dice::new(5));
    stepper.vm = stepper.oracle;
    let found = (0..20).any(|_| {
        let case: Case = random(&mut dice);
        let done: Result<bool, Box<Disagreement>> = compare(&mut stepper, &case).map_err(Box::new);
        done.is_err()
    });
    assert!(found);
}
