//! Roots of a memory of 1 GiB of random pages: CPU time from scratch and after some pages
//! changed, and how that compares to the hashes it is made of, to one hash after the other,
//! and to two threads. The last is wall time: a machine that is busy makes it look worse.

mod support;

use carronade_emulator::hash::{Hash, keccak256};
use carronade_emulator::keccak::{Kernel, LANES, Pair};
use carronade_emulator::memory::{Memory, Page};
use criterion::measurement::{Measurement, WallTime};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::hint::black_box;
use support::CpuTime;

/// Where Go's heap begins.
const FIRST_PAGE: u64 = 0xC0_0000_0000 >> 12;
/// Hashes within a page.
const HASHES: f64 = 127.0;
/// Sizes of updates.
const UPDATES: [u64; 3] = [100, 1_000, 10_000];
/// How often the table measures each of its figures; it shows medians.
const ROUNDS: usize = 5;

/// Numbers that look random and are quick to make.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn fill(&mut self, page: &mut Page) {
        for word in page.as_chunks_mut().0 {
            *word = self.next().to_le_bytes();
        }
    }
}

/// A memory of random pages, and what changes it.
struct Subject {
    memory: Memory,
    pages: u64,
    numbers: Numbers,
}

impl Subject {
    fn new(pages: u64) -> Self {
        let (mut memory, mut numbers) = (Memory::new(), Numbers(0x9e37_79b9_7f4a_7c15));
        for page in 0..pages {
            numbers.fill(memory.page_mut(FIRST_PAGE + page));
        }
        Self {
            memory,
            pages,
            numbers,
        }
    }

    /// Lets the tree forget what it knows of all pages.
    fn dirty_all(&mut self) {
        for page in 0..self.pages {
            self.memory.page_mut(FIRST_PAGE + page);
        }
    }

    /// Changes some pages wherever they lie.
    fn dirty(&mut self, count: u64) {
        for _ in 0..count {
            let page = FIRST_PAGE + self.numbers.next() % self.pages;
            self.numbers.fill(self.memory.page_mut(page));
        }
    }
}

/// 1 GiB of pages; little when it is only tried whether the bench runs.
fn pages() -> u64 {
    let trying = std::env::args().any(|word| word == "--test");
    if trying { 1 << 14 } else { 1 << 18 }
}

fn pool(threads: usize) -> ThreadPool {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("threads can be started")
}

/// As many hashes as there are lanes.
fn hash_lanes(kernel: Kernel, pairs: &[Pair; LANES]) -> [Hash; LANES] {
    kernel.hash(&pairs.each_ref())
}

/// The root of a page, one hash after the other.
fn scalar_root(page: &Page) -> Hash {
    let mut level: Vec<Hash> = page.chunks(64).map(keccak256).collect();
    while level.len() > 1 {
        let pairs = level.as_chunks::<2>().0.iter();
        level = pairs.map(|pair| keccak256(pair.as_flattened())).collect();
    }
    level[0]
}

fn kernels(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("keccak of pairs");
    let pairs = [[7; 64]; LANES];
    group.throughput(Throughput::Elements(LANES as u64));
    for kernel in Kernel::ALL
        .into_iter()
        .filter(|kernel| kernel.is_available())
    {
        group.bench_function(format!("{kernel:?}"), |bencher| {
            bencher.iter(|| hash_lanes(kernel, black_box(&pairs)));
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("one, sha3", |bencher| {
        bencher.iter(|| keccak256(black_box(&pairs[0])));
    });
}

fn roots(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("root");
    group.sample_size(10);
    let mut subject = Subject::new(pages());
    group.throughput(Throughput::Elements(subject.pages));
    group.bench_function("from scratch, per page", |bencher| {
        let setup = || Subject::new(pages());
        bencher.iter_batched_ref(
            setup,
            |subject| subject.memory.root(),
            BatchSize::PerIteration,
        );
    });
    subject.memory.root();
    for count in UPDATES {
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("{count} pages changed, per page"), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut total = CpuTime.zero();
                for _ in 0..iterations {
                    subject.dirty(count);
                    let start = CpuTime.start();
                    black_box(subject.memory.root());
                    total += CpuTime.end(start);
                }
                total
            });
        });
    }
    drop(group);
    table(subject);
}

/// Seconds that something takes.
fn seconds<M: Measurement, T>(measure: &M, act: impl FnOnce() -> T) -> f64 {
    let start = measure.start();
    black_box(act());
    measure.to_f64(&measure.end(start)) / 1e9
}

/// Seconds of one hash in the kernel.
fn hash_seconds() -> f64 {
    const CALLS: usize = 200_000;
    let (kernel, mut pairs) = (Kernel::best(), [[7; 64]; LANES]);
    let time = seconds(&CpuTime, || {
        for call in 0..CALLS {
            pairs[call % LANES][0] ^= 1;
            black_box(hash_lanes(kernel, black_box(&pairs)));
        }
    });
    time / (CALLS * LANES) as f64
}

/// Seconds of hashing a page one hash after the other, from a part of the memory.
fn scalar_seconds(subject: &Subject) -> f64 {
    let pages = subject.pages / 64;
    let time = seconds(&CpuTime, || {
        for page in 0..pages {
            let page = subject.memory.page(FIRST_PAGE + page);
            black_box(scalar_root(page.expect("it exists")));
        }
    });
    time / pages as f64
}

/// The figures side by side, measured in turns.
fn table(mut subject: Subject) {
    let (pages, pools) = (subject.pages as f64, [1, 2].map(pool));
    let mut figures: [Vec<f64>; 5] = Default::default();
    for _ in 0..ROUNDS {
        figures[0].push(hash_seconds());
        figures[1].push(scalar_seconds(&subject));
        for (pool, figure) in pools.iter().zip([3, 4]) {
            subject.dirty_all();
            let (mut wall, root) = (0.0, || subject.memory.root());
            let cpu = seconds(&CpuTime, || {
                wall = seconds(&WallTime, || pool.install(root))
            });
            figures[figure].push(wall);
            if figure == 3 {
                figures[2].push(cpu);
            }
        }
    }
    let [hash, scalar, cold, one, two] = figures.map(median);
    println!("\n{pages} pages, {:?}, medians of {ROUNDS}", Kernel::best());
    println!(
        "one hash in the kernel                {:8.1} ns",
        hash * 1e9
    );
    println!("root from scratch, CPU                {cold:8.3} s");
    let ideal = hash * pages * HASHES;
    println!(
        "  against its hashes in the kernel    {:8.2}   (goal: at most 1.25)",
        cold / ideal
    );
    let slower = scalar * pages / cold;
    println!("  one hash after the other against it {slower:8.2}   (goal: at least 6)");
    println!("two threads, wall                     {two:8.3} s");
    println!(
        "  one thread against two              {:8.2}   (goal: at least 1.8)",
        one / two
    );
    for count in UPDATES {
        let times = (0..4 * ROUNDS).map(|_| {
            subject.dirty(count);
            seconds(&CpuTime, || subject.memory.root())
        });
        let time = median(times.collect());
        let goal = 12e-6 * count as f64 + 2e-3 * pages / f64::from(1 << 18);
        println!(
            "root after {count:6} changed pages, CPU   {:8.3} ms",
            time * 1e3
        );
        println!(
            "  against its goal                    {:8.2}   (goal: at most 1)",
            time / goal
        );
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = kernels, roots
}
criterion_main!(benches);
