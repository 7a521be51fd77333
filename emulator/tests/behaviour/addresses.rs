//! Loads, stores and code at the borders of the flat reservation and of the space.

use crate::harness::Start;

const TIB: u64 = 1 << 40;
const GIB: u64 = 1 << 30;
const BORDERS: [u64; 9] = [
    2 * TIB,
    16 * TIB,
    18 * TIB,
    128 * TIB - 64 * GIB,
    128 * TIB,
    0x8000_0000,
    0x1_0000_0000,
    1 << 63,
    0,
];

#[test]
fn all_widths_work_on_both_sides_of_every_border() {
    for border in BORDERS {
        let text = "sd $t1, -8($t0)\nsd $t1, 0($t0)
            sb $t2, -1($t0)\nsh $t2, 2($t0)\nsw $t2, 4($t0)\nsw $t2, -8($t0)
            lb $a0, -1($t0)\nlhu $a1, 0($t0)\nlwu $a2, 4($t0)\nld $a3, -8($t0)\nld $a4, 0($t0)";
        let start = Start::program(text)
            .with("t0", border)
            .with("t1", 0x1122_3344_5566_7788);
        let end = start.with("t2", 0xa1a2_a3a4_f5f6_f7f8).run(11);
        let values = ["a0", "a1", "a2", "a3", "a4"].map(|name| end.register(name));
        let low = 0xf5f6_f7f8_5566_77f8;
        let high = 0x1122_f7f8_f5f6_f7f8;
        assert_eq!(
            values,
            [-8i64 as u64, 0x1122, 0xf5f6_f7f8, low, high],
            "{border:x}"
        );
        assert_eq!(end.word(border.wrapping_sub(8)), low);
        assert_eq!(end.word(border), high);
    }
}

#[test]
fn unaligned_accesses_stay_within_their_unit() {
    for border in BORDERS {
        let text = "sdr $t1, -1($t0)\nsdl $t1, 0($t0)\nswl $t1, 5($t0)\nswr $t1, -6($t0)
            ldl $a0, -3($t0)\nldr $a1, 2($t0)\nlwl $a2, -1($t0)\nlwr $a3, 0($t0)";
        let start = Start::program(text)
            .with("t0", border)
            .with("t1", 0x1122_3344_5566_7788);
        let end = start
            .with("a0", 0)
            .with("a1", 0)
            .with("a2", 0)
            .with("a3", 0)
            .run(8);
        // Behind the swr are 66 77 88 and the old rest; behind the swl the old first byte.
        assert_eq!(
            end.word(border.wrapping_sub(8)),
            0x6677_8844_5566_7788,
            "{border:x}"
        );
        assert_eq!(end.word(border), 0x1122_3344_5555_6677, "{border:x}");
        let values = ["a0", "a1", "a2", "a3"].map(|name| end.register(name));
        let lwl = 0xffff_ffff_8800_0000;
        assert_eq!(
            values,
            [0x6677_8800_0000_0000, 0x11_2233, lwl, 0x11],
            "{border:x}"
        );
    }
}

#[test]
fn base_and_offset_wrap_around() {
    for (base, offset, at) in [
        (u64::MAX, 1, 0),
        (0, -8, u64::MAX - 7),
        (7, -8, u64::MAX - 7),
        (u64::MAX - 7, 8, 0),
        (u64::MAX, 32767, 0x7ff8),
        (0, -32768, u64::MAX - 0x7fff),
        (1 << 63, -1, (1 << 63) - 8),
    ] {
        let text = format!("sd $t1, {offset}($t0)\nld $t2, {offset}($t0)");
        let end = Start::program(&text).with("t0", base).with("t1", 77).run(2);
        assert_eq!(
            (end.word(at), end.register("t2")),
            (77, 77),
            "{offset}({base:x})"
        );
    }
}

#[test]
fn code_runs_across_every_border() {
    for border in BORDERS {
        let text = "addiu $t2, $zero, 5\naddiu $t3, $zero, 6\naddiu $s0, $zero, 7\nsd $s0, 0($t0)
            nop\nnop";
        let end = Start::at(border.wrapping_sub(8), text)
            .with("t0", border.wrapping_add(8))
            .run(6);
        assert_eq!(["t2", "t3", "s0"].map(|name| end.register(name)), [5, 6, 7]);
        // The store wrote zeros and 7 over what runs next: a nop and `srav $0, $0, $0`.
        assert_eq!(end.word(border.wrapping_add(8)), 7);
    }
}

#[test]
fn pages_of_zeros_exist_but_do_not_show_in_the_root() {
    for border in BORDERS {
        let end = Start::program("sb $zero, 0($t0)").with("t0", border).run(1);
        let without = Start::program("sb $zero, 0($t0)")
            .with("t0", 0x1_0100)
            .run(1);
        assert_eq!(end.root, without.root, "{border:x}");
        assert!(end.memory.page(border >> 12).is_some());
        // A load makes no page.
        let end = Start::program("lb $t1, 0($t0)").with("t0", border).run(1);
        assert!(end.memory.page(border >> 12).is_none());
    }
}
