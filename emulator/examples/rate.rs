use carronade_emulator::{image::load_elf, machine::*, oracle::*, state::StateVersion, step::*};
use std::time::Instant;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let until: u64 = a.get(2).map_or(u64::MAX, |s| s.parse().unwrap());
    let (state, memory) = load_elf(StateVersion::V8, &std::fs::read(&a[1]).unwrap()).unwrap();
    let mut m = Machine::new(state, memory, Box::new(NoOracle), Box::new(NoOutput));
    let t = Instant::now();
    let s = m.run(until, Watch::Nothing);
    let d = t.elapsed().as_secs_f64();
    println!("{s:?} {} steps {:.3}s {:.1} M/s", m.state().step, d, m.state().step as f64 / d / 1e6);
    let t = Instant::now();
    let (_, h) = m.witness();
    println!("{} root {:.1} ms pages {}", h.iter().map(|b| format!("{b:02x}")).collect::<String>(), t.elapsed().as_secs_f64()*1e3, m.memory().page_count());
}
