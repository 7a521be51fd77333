//! Addresses that lead anywhere: native code may touch what the interpreter touches, and
//! nothing else of this process.

use crate::harness::{CODE, Start, Trace, numbers, root, run, statistics};
use carronade_emulator::machine::Machine;
use carronade_emulator::memory::WINDOWS;
use carronade_translator::Exit;

/// Where the program finds the addresses that it accesses.
const TABLE: u64 = 0x6000_0000;

const LOADS: [&str; 13] = [
    "lb", "lbu", "lh", "lhu", "lw", "lwu", "ld", "lwl", "lwr", "ldl", "ldr", "ll", "lld",
];
const STORES: [&str; 10] = [
    "sb", "sh", "sw", "sd", "swl", "swr", "sdl", "sdr", "sc", "scd",
];

/// Memory of this process that no guest may reach.
struct Canary(Vec<Vec<u64>>);

impl Canary {
    fn new() -> Self {
        Self(
            (0..4)
                .map(|n| vec![0x5ca1_ab1e_0000_0000 + n; 40_000])
                .collect(),
        )
    }

    fn addresses(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|part| part.as_ptr() as u64 + 160_000)
    }

    fn check(&self) {
        for (n, part) in (0..).zip(&self.0) {
            assert!(part.iter().all(|word| *word == 0x5ca1_ab1e_0000_0000 + n));
        }
    }
}

/// Addresses just where something ends or begins.
fn edges() -> Vec<u64> {
    let mut edges: Vec<u64> = (0..64).map(|bit| 1 << bit).collect();
    edges.push(0);
    for window in WINDOWS {
        edges.extend([window.start, window.start + window.length]);
    }
    edges.extend([
        (1 << 40) + (1 << 16),
        (1 << 44) + (1 << 40),
        (1 << 47) - (1 << 35),
    ]);
    edges.extend([3 << 40, 0xffff_8000_0000_0000, 0x8000_0000_0000_0000]);
    edges
}

const NEAR: [i64; 24] = [
    0, 1, 2, 3, 4, 7, 8, 12, 15, 16, 4088, 4095, 4096, 8192, 32760, 32767, 32768, 32769, 32776,
    65528, 65535, 65536, 65537, 131072,
];

/// Addresses of all kinds; `aliases` are those of this process, less where memory lies.
fn addresses(random: &mut impl FnMut() -> u64, aliases: &[u64], count: usize) -> Vec<u64> {
    let edges = edges();
    let mut pick = |from: usize| random() as usize % from;
    let mut found = Vec::new();
    while found.len() < count {
        let near = NEAR[pick(NEAR.len())] * [1, -1][pick(2)];
        let address = match pick(10) {
            0..4 => edges[pick(edges.len())].wrapping_add_signed(near),
            4 => edges[64 + pick(edges.len() - 64)].wrapping_add_signed(near),
            5 => aliases[pick(aliases.len())].wrapping_add_signed(near % 64),
            6 => 0x7000_0000 + 4096 * pick(32) as u64 - [1, 2, 4, 8, 16][pick(5)],
            7 => (1 << 44) + 4096 * pick(32) as u64 - [1, 2, 4, 8, 16][pick(5)],
            8 => (1 << 47) - 4096 * pick(32) as u64 - [1, 2, 4, 8, 16][pick(5)],
            _ => (pick(1 << 32) as u64) << 32 | pick(1 << 32) as u64,
        };
        // Code and table are not to change here.
        if address.abs_diff(CODE) > 1 << 20 && address.abs_diff(TABLE) > 1 << 20 {
            found.push(address);
        }
    }
    found
}

/// An access over `$a0` and what keeps its result.
fn access(random: &mut impl FnMut() -> u64) -> String {
    const FAR: [i16; 12] = [
        -32768, -32767, -32760, 32767, 32760, 32764, 4088, 4095, 4096, -4096, -1, 1,
    ];
    let at = match random() % 4 {
        0 => 0,
        1 => 8 * (random() % 16) as i16 - 64,
        2 => FAR[random() as usize % FAR.len()],
        _ => random() as i16,
    };
    let op = random() as usize;
    match random() % 2 {
        0 => format!(
            "{} $t0, {at}($a0)\ndaddu $s1, $s1, $t0\n",
            LOADS[op % LOADS.len()]
        ),
        _ => format!(
            "or $t1, $s1, $zero\n{} $t1, {at}($a0)\ndaddu $s1, $s1, $t1\n",
            STORES[op % STORES.len()]
        ),
    }
}

/// A loop over a table of addresses, with some accesses over each.
fn program(random: &mut impl FnMut() -> u64) -> String {
    let mut text = "loop: ld $a0, 0($s0)\n".to_owned();
    for _ in 0..1 + random() % 6 {
        if random().is_multiple_of(4) {
            // Accesses in several blocks over one base, some of them on one way only.
            let (skip, only) = (format!("skip{}", text.len()), access(random));
            text += &format!("andi $t2, $s1, 4\nbne $t2, $zero, {skip}\nnop\n{only}");
            text += &format!("daddiu $s1, $s1, 5\n{skip}:\n");
        }
        text += &access(random);
    }
    text += "daddiu $s0, $s0, 8\nbne $s0, $s2, loop\ndaddiu $s1, $s1, 3\nsyscall\n";
    text
}

fn start(text: &str, table: &[u64]) -> Start {
    let end = TABLE + 8 * table.len() as u64;
    let start = Start::program(text).words(TABLE, table);
    // The system call at the end is exit_group.
    start.with("s0", TABLE).with("s2", end).with("v0", 5205)
}

/// Runs with and without native code, with a look at the root on the way: steps, and those
/// that ran natively.
fn compare(start: &Start, what: &str) -> (u64, u64) {
    let mut plain = start.machine(None);
    assert_eq!(run(&mut plain, u64::MAX), None, "{what}");
    let steps = plain.state().step;
    let mut native = start.machine(Some(1));
    for until in [steps / 2, steps] {
        assert_eq!(run(&mut native, until), None, "{what}");
        if what.ends_with('7') {
            root(&mut native);
        }
    }
    assert_eq!(native.state(), plain.state(), "{what}");
    assert_eq!(native.debug_info(), plain.debug_info(), "{what}");
    let ran = statistics(&native).native_steps;
    same_memory(plain, native, what);
    (steps, ran)
}

fn same_memory(plain: Machine, native: Machine, what: &str) {
    let (_, mut plain) = plain.into_parts();
    let (_, mut native) = native.into_parts();
    let pages = plain.page_indexes();
    assert_eq!(native.page_indexes(), pages, "{what}: the pages");
    for page in pages {
        assert!(
            plain.page(page) == native.page(page),
            "{what}: page {page:#x}"
        );
    }
    if what.ends_with('7') {
        assert_eq!(plain.root(), native.root(), "{what}: the root");
    }
}

/// Addresses that would be of this process if one forgot the bounds of the windows.
fn aliases(canary: &Canary, start: &Start) -> Vec<u64> {
    let on_stack = [0u64; 512];
    let mut memory = start.memory();
    let (bytes, attributes) = memory.flat().expect("there is room for a reservation");
    let places = canary.addresses().chain([
        on_stack.as_ptr() as u64 + 2048,
        attributes as u64,
        attributes as u64 + 4096,
        bytes as u64 - 8,
        bytes as u64,
    ]);
    let mut aliases = Vec::new();
    for place in places {
        aliases.push(place);
        for window in WINDOWS {
            let from = (bytes as u64)
                .wrapping_add(window.offset)
                .wrapping_sub(window.start);
            aliases.push(place.wrapping_sub(from));
        }
    }
    aliases
}

#[test]
fn any_address_in_code_made_for_any_window() {
    let canary = Canary::new();
    let (mut steps, mut native) = (0, 0);
    for seed in 0..120 {
        let mut random = numbers(seed);
        let text = program(&mut random);
        // The next reservation mostly lies where this one lay.
        let aliases = aliases(&canary, &start(&text, &[]));
        let table = addresses(&mut random, &aliases, 150);
        let (all, some) = compare(&start(&text, &table), &format!("seed {seed}"));
        steps += all;
        native += some;
    }
    canary.check();
    assert!(native > steps / 5, "{native} of {steps} steps");
}

#[test]
fn any_address_in_code_made_for_one_window() {
    let canary = Canary::new();
    let (mut steps, mut native) = (0, 0);
    for seed in 1000..1300 {
        let mut random = numbers(seed);
        let text = program(&mut random);
        let aliases = aliases(&canary, &start(&text, &[]));
        // Fewer than make code wander, among others of the window of the first.
        let window = [0x7000_0000, (1 << 44) + 0x10_0000, (1 << 47) - 0x10_0000][seed as usize % 3];
        let mut table: Vec<u64> = (0..40).map(|_| window + random() % 0x8000).collect();
        for address in addresses(&mut random, &aliases, 14) {
            let at = 2 + random() as usize % (table.len() - 2);
            table.insert(at, address);
        }
        let (all, some) = compare(&start(&text, &table), &format!("seed {seed}"));
        steps += all;
        native += some;
    }
    canary.check();
    assert!(native > steps / 5, "{native} of {steps} steps");
}

#[test]
fn any_address_as_a_constant() {
    let canary = Canary::new();
    let mut native = 0;
    for seed in 0..6 {
        let mut random = numbers(seed);
        let aliases = aliases(&canary, &Start::program("nop"));
        let table = addresses(&mut random, &aliases, 60);
        // Functions, so that control comes back to native code after each.
        let mut text = "loop:\n".to_owned();
        for n in 0..table.len() {
            text += &format!("jal f{n}\nnop\n");
        }
        text += "daddiu $s3, $s3, 1\nbne $s3, $s4, loop\nnop\nsyscall\n";
        for (n, address) in table.iter().enumerate() {
            let (one, other) = (access(&mut random), access(&mut random));
            text += &format!("f{n}: li64 $a0, {address:#x}\n{one}{other}jr $ra\nnop\n");
        }
        let start = start(&text, &[]).with("s3", 0).with("s4", 3);
        native += compare(&start, &format!("constants 7{seed}7")).1;
    }
    canary.check();
    assert!(native > 3000, "{native}");
}

#[test]
fn code_that_wanders_is_made_anew() {
    let text = "loop: ld $a0, 0($s0)
        ld $t0, 8($a0)
        daddu $s1, $s1, $t0
        sd $s1, 16($a0)
        daddiu $s0, $s0, 8
        bne $s0, $s2, loop
        nop
        syscall";
    let windows = [0x7000_0000, (1 << 44) + 64, (1 << 47) - 4096, 0x7000_2000];
    let table: Vec<u64> = (0..400)
        .map(|n| windows[n % 4] + 8 * n as u64 % 64)
        .collect();
    let start = start(text, &table);
    let trace = Trace::new(&start, 5000);
    let mut machine = start.machine(Some(1));
    trace.run(&mut machine, trace.steps(), true, "wandering");
    let statistics = statistics(&machine);
    assert!(
        (1..40).contains(&statistics.exits[Exit::Window as usize]),
        "{statistics:?}"
    );
    assert!(
        statistics.native_steps > trace.steps() * 3 / 4,
        "{statistics:?}"
    );
}

#[test]
fn a_later_store_finds_its_page_not_ready() {
    // Over one base: the first store is to a page that is ready, the second is not, or the
    // other way round; pages come into being, or are clean after a root.
    for (first, second) in [
        (0, 8),
        (8, 0),
        (-8, 0),
        (0, 4095),
        (-2048, 2047),
        (-4088, 8),
        (-32768, 32767),
        (32767, -32768),
    ] {
        let text = format!(
            "loop: daddiu $a0, $a0, 2040
                sw $a0, {first}($a0)
                ld $t0, {second}($a0)
                sb $t0, {second}($a0)
                sd $a0, {first}($a0)
                daddiu $s3, $s3, 1
                bne $s3, $s4, loop
                nop
                syscall"
        );
        let start = start(&text, &[])
            .with("s3", 0)
            .with("s4", 40)
            .with("a0", 0x7000_0000);
        let trace = Trace::new(&start, 1000);
        trace.run_in_pieces(1);
    }
}

#[test]
fn low_addresses_end_reservations_too() {
    // The base is where native code may be, the store over it below.
    for (load, store, address) in [
        ("ll", "sc", 0x8000),
        ("lld", "scd", 0x8000),
        ("ll", "sc", 0x1_0008),
        ("lld", "scd", 0xfff8),
    ] {
        let text = format!(
            "loop: {load} $t0, 0($a1)
                jal other
                addiu $t2, $zero, 1
                {store} $t2, 0($a1)
                daddu $s1, $s1, $t2
                daddiu $s3, $s3, 1
                bne $s3, $s4, loop
                nop
                syscall
            other: sw $zero, 0($a0)
                sw $s3, {}($a0)
                jr $ra
                nop",
            address as i64 - 0x1_0000
        );
        let start = start(&text, &[]).with("s3", 0).with("s4", 6).with("s1", 0);
        let start = start.with("a0", 0x1_0000).with("a1", address);
        let trace = Trace::new(&start, 200);
        assert_eq!(trace.register("s1"), 0, "no store-conditional stores");
        trace.run_in_pieces(1);
    }
}

#[test]
fn stores_of_one_block_end_a_reservation() {
    // The page is ready at the first store, and watched at the second.
    for (load, store, between) in [
        ("ll", "sc", "sw $s3, 0($a0)"),
        ("ll", "sc", "sb $s3, 3($a0)"),
        ("lld", "scd", "sdl $s3, 2($a0)"),
        ("lld", "scd", "sw $s3, 4($a0)"),
    ] {
        let text = format!(
            "loop: sd $s3, 0($a0)
            sd $s3, 8($a0)
            {load} $t0, 0($a0)
            addiu $t2, $zero, 1
            {between}
            {store} $t2, 0($a0)
            daddu $s1, $s1, $t2
            daddiu $s3, $s3, 1
            bne $s3, $s4, loop
            nop
            syscall"
        );
        let start = start(&text, &[]).with("s3", 0).with("s4", 12);
        let start = start.with("s1", 0).with("a0", 0x7000_0000);
        let trace = Trace::new(&start, 400);
        assert_eq!(trace.register("s1"), 0, "no store-conditional stores");
        assert!(trace.run_in_pieces(1) > 0);
    }
}
