//! The prebuilt guests in `elf/`, large ones packed, or those in `$CARRONADE_GUEST_ELF`: the VM can
//! load them, has all their instructions, and they tell nothing of the machine that built them.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use carronade_program::fmt::Hex;
use flate2::read::GzDecoder;
use object::elf::{
    EM_MIPS, FileHeader64, PF_X, PT_GNU_STACK, PT_LOAD, PT_MIPS_ABIFLAGS, ProgramHeader64,
};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{BigEndian, Object, ObjectSymbol};
use sha2::{Digest, Sha256};

const BE: BigEndian = BigEndian;

fn folder() -> PathBuf {
    std::env::var_os("CARRONADE_GUEST_ELF").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("elf"),
        Into::into,
    )
}

/// Name and content of each guest.
fn guests() -> Vec<(String, Vec<u8>)> {
    let mut guests: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let content = fs::read(&path).unwrap();
            match name.strip_suffix(".gz") {
                Some(name) => Some((name.to_owned(), unpacked(&content))),
                None => name.ends_with(".elf").then_some((name, content)),
            }
        })
        .collect();
    guests.sort();
    assert!(guests.len() >= 2, "guests are missing");
    guests
}

fn unpacked(content: &[u8]) -> Vec<u8> {
    let mut elf = Vec::new();
    GzDecoder::new(content).read_to_end(&mut elf).unwrap();
    elf
}

fn segments(elf: &[u8]) -> Vec<ProgramHeader64<BigEndian>> {
    let header = FileHeader64::<BigEndian>::parse(elf).unwrap();
    header.program_headers(BE, elf).unwrap().to_vec()
}

/// Instruction words of the executable segments.
fn code(elf: &[u8]) -> Vec<u32> {
    segments(elf)
        .iter()
        .filter(|segment| segment.p_type(BE) == PT_LOAD && segment.p_flags(BE).contains(PF_X))
        .flat_map(|segment| segment.data(BE, elf).unwrap().chunks_exact(4))
        .map(|word| u32::from_be_bytes(word.try_into().unwrap()))
        .collect()
}

/// Whether the VM executes `word` as MIPS64 release 1 means it. Forms that the VM takes for
/// something else without complaint, such as rotations, are refused too.
fn vm_has(word: u32) -> bool {
    let field = |shift: u32| word >> shift & 31;
    let (rs, rt, rd, sa) = (field(21), field(16), field(11), field(6));
    match (word >> 26, word & 63) {
        (0, 0x02 | 0x3a | 0x3e) => rs == 0,
        (0, 0x06 | 0x16) => sa == 0,
        (0, 0x0f | 0x11 | 0x13 | 0x18..=0x1f) => rd == 0,
        (0, fun) => {
            !matches!(fun, 0x01 | 0x05 | 0x0d | 0x0e | 0x15 | 0x28 | 0x29)
                && !matches!(fun, 0x30..=0x37 | 0x39 | 0x3d)
        }
        (0x01, _) => matches!(rt, 0 | 1 | 0x10 | 0x11),
        (0x1c, fun) => matches!(fun, 0x02 | 0x20 | 0x21 | 0x24 | 0x25),
        (opcode, _) => {
            !matches!(opcode, 0x10..=0x17 | 0x1d..=0x1f | 0x2f | 0x31..=0x33)
                && !matches!(opcode, 0x35 | 0x36 | 0x39..=0x3b | 0x3d | 0x3e)
        }
    }
}

/// What the compiler puts where control never arrives, once or more: `sigrie` or `break`.
fn is_filler(word: u32) -> bool {
    word >> 16 == 0x0417 || word & 0xfc00_003f == 0x0d
}

/// Whether the word at `index` is such a filler behind a jump and its delay slot.
fn is_unreachable(code: &[u32], index: usize) -> bool {
    let other = code[..=index].iter().rposition(|word| !is_filler(*word));
    is_filler(code[index]) && other.is_some_and(|slot| slot > 0 && is_jump(code[slot - 1]))
}

/// Whether control leaves here: `j`, `jal`, `jr`, `jalr`, `b`.
fn is_jump(word: u32) -> bool {
    matches!(word >> 26, 2 | 3) || matches!(word & 0xfc00_003f, 8 | 9) || word >> 16 == 0x1000
}

#[test]
fn the_vm_has_all_instructions() {
    for (name, elf) in guests() {
        let code = code(&elf);
        assert!(code.len() > 1000, "{name} has only {} words", code.len());
        for (index, &word) in code.iter().enumerate() {
            assert!(
                vm_has(word) || is_unreachable(&code, index),
                "{name}: word {index} is {word:#010x}"
            );
        }
    }
}

#[test]
fn instructions_that_the_vm_lacks_are_recognised() {
    // rotr, drotr32, rotrv, ext, seb, wsbh, rdhwr, teq, break, cache, pref, bltzl, beql, sigrie,
    // mul of release 6.
    let lacking = [
        0x0022_1082,
        0x0022_10be,
        0x0062_1046,
        0x7c43_1000,
        0x7c02_1420,
        0x7c02_10a0,
        0x7c03_e83b,
        0x0000_01f4,
        0x0000_000d,
        0xbc00_0000,
        0xcc00_0000,
        0x0402_0001,
        0x5000_0001,
        0x0417_0001,
        0x0062_1098,
    ];
    for word in lacking {
        assert!(!vm_has(word), "{word:#010x}");
    }
    // nop, srl, dsrl32, srlv, mult, syscall, sync, dclz, mul, bgezal, scd.
    let having = [
        0x0000_0000,
        0x0002_1082,
        0x0002_10be,
        0x0062_1006,
        0x0062_0018,
        0x0000_000c,
        0x0000_000f,
        0x7042_1024,
        0x7043_1002,
        0x0451_0001,
        0xf041_0000,
    ];
    for word in having {
        assert!(vm_has(word), "{word:#010x}");
    }
}

#[test]
fn the_vm_can_load_them() {
    for (name, elf) in guests() {
        let header = FileHeader64::<BigEndian>::parse(&*elf).unwrap();
        assert_eq!(header.e_machine(BE), EM_MIPS, "{name}");
        for segment in segments(&elf) {
            let kind = segment.p_type(BE);
            assert!(
                segment.p_vaddr(BE) + segment.p_memsz(BE) < 1 << 27,
                "{name}"
            );
            if !matches!(kind, PT_LOAD | PT_MIPS_ABIFLAGS | PT_GNU_STACK) {
                assert_eq!(
                    segment.p_filesz(BE),
                    segment.p_memsz(BE),
                    "{name}: {kind:#x}"
                );
            }
        }
    }
}

#[test]
fn they_are_no_larger_than_they_should_be_and_have_symbols() {
    for (name, elf) in guests() {
        let limit = match name.as_str() {
            "hello.elf" | "verifier.elf" => 300_000,
            _ => 6_000_000,
        };
        assert!(elf.len() < limit, "{name} has {} bytes", elf.len());
        let file = ElfFile64::<BigEndian>::parse(&*elf).unwrap();
        for wanted in ["_start", "carronade_main", "carronade_syscall"] {
            let found = file
                .symbols()
                .any(|s| s.name() == Ok(wanted) && s.size() > 0);
            assert!(found, "{name} lacks {wanted}");
        }
    }
}

#[test]
fn they_name_no_folder_of_the_building_machine() {
    let here = env!("CARGO_MANIFEST_DIR").as_bytes();
    let folders: [&[u8]; 6] = [b"/home/", b"/root/", b"/tmp/", b"/Users/", b".rustup", here];
    for (name, elf) in guests() {
        for folder in folders {
            assert!(!elf.windows(folder.len()).any(|w| w == folder), "{name}");
        }
    }
}

#[test]
fn their_sums_are_as_listed() {
    let sums: String = guests()
        .iter()
        .map(|(name, elf)| {
            let digest = Hex(&Sha256::digest(elf)).to_string();
            format!("{}  {name}\n", &digest[2..])
        })
        .collect();
    assert_eq!(
        fs::read_to_string(folder().join("SHA256SUMS")).unwrap(),
        sums
    );
}
