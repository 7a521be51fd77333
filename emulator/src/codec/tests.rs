use super::*;

fn sample() -> (State, Memory) {
    let mut memory = Memory::new();
    for page in [1u64, 0xC000000, 0x7_FFFF_FFFF, (1 << 52) - 1] {
        let bytes = memory.page_mut(page);
        bytes
            .iter_mut()
            .enumerate()
            .for_each(|(n, byte)| *byte = (n as u64 * page) as u8);
    }
    let mut state = State::new(StateVersion::V8, 0x1234, 0x1000_0000_0000);
    state.last_hint = vec![0, 0, 0, 9, 1];
    state.right.threads.push(Thread {
        id: 7,
        pc: 4,
        ..Thread::default()
    });
    (state, memory)
}

fn packed(packing: Packing) -> Vec<u8> {
    let (state, memory) = sample();
    let mut bytes = Vec::new();
    write_state(&mut bytes, packing, &state, &memory).unwrap();
    bytes
}

#[test]
fn states_survive_a_round_trip() {
    for packing in [Packing::Plain, Packing::Gzip] {
        let (state, mut memory) = sample();
        let (read, mut read_memory) = read_state(&packed(packing)[..], packing).unwrap();
        assert_eq!(read, state);
        assert_eq!(read_memory.page_indexes(), memory.page_indexes());
        assert_eq!(read_memory.root(), memory.root());
    }
}

#[test]
fn an_empty_state_has_419_bytes() {
    let state = State::new(StateVersion::V8, 0, 0);
    let mut bytes = Vec::new();
    write_state(&mut bytes, Packing::Plain, &state, &Memory::new()).unwrap();
    assert_eq!(bytes.len(), 419);
}

#[test]
fn every_cut_is_truncated_and_every_addition_oversized() {
    let bytes = packed(Packing::Plain);
    let head = 9;
    for cut in (0..head).chain(bytes.len() - 900..bytes.len()) {
        let error = read_state(&bytes[..cut], Packing::Plain).err().unwrap();
        assert!(
            matches!(error, StateError::Truncated(_)),
            "cut at {cut}: {error}"
        );
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(
        read_state(&longer[..], Packing::Plain),
        Err(StateError::Oversized)
    ));
}

#[test]
fn broken_gzip_is_said_to_be() {
    let bytes = packed(Packing::Gzip);
    for cut in [1, 10, 100, bytes.len() - 1] {
        let error = read_state(&bytes[..cut], Packing::Gzip).err().unwrap();
        assert!(
            matches!(error, StateError::Gzip(_)),
            "cut at {cut}: {error}"
        );
    }
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    assert!(read_state(&flipped[..], Packing::Gzip).is_err());
    assert!(matches!(
        read_state(&b"not gzip"[..], Packing::Gzip),
        Err(StateError::Gzip(_))
    ));
}

#[test]
fn large_states_are_packed_in_members_and_hints_ride_along() {
    let mut memory = Memory::new();
    for page in 0..5000u64 {
        memory.page_mut(page)[..8].copy_from_slice(&page.to_be_bytes());
    }
    let mut state = State::new(StateVersion::V7, 0, 0);
    state.replay_hint = (0..150_000u32).map(|n| n as u8).collect();
    let mut bytes = Vec::new();
    write_state(&mut bytes, Packing::Gzip, &state, &memory).unwrap();
    let (read, mut read_memory) = read_state(&bytes[..], Packing::Gzip).unwrap();
    assert_eq!(read, state);
    assert_eq!(read_memory.root(), memory.root());
    let mut plain = Vec::new();
    write_state(&mut plain, Packing::Plain, &state, &memory).unwrap();
    let mut unpacked = Vec::new();
    flate2::read::MultiGzDecoder::new(&bytes[..])
        .read_to_end(&mut unpacked)
        .unwrap();
    assert!(unpacked == plain, "the unpacked bytes are the plain ones");
}

#[test]
fn corrupt_fields_are_refused() {
    let (state, memory) = sample();
    let at = 1 + 8 + memory.page_count() * (8 + PAGE_SIZE) + 32 + 8 + 8 + 17 + 1;
    for (offset, what) in [(at, "exited"), (at + 17, "traverseRight")] {
        let mut bytes = packed(Packing::Plain);
        bytes[offset] = 2;
        let error = read_state(&bytes[..], Packing::Plain)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(what), "{error}");
    }
    let mut twice = packed(Packing::Plain);
    let second = 9 + 8 + PAGE_SIZE;
    twice.copy_within(9..17, second);
    assert!(
        read_state(&twice[..], Packing::Plain)
            .err()
            .unwrap()
            .to_string()
            .contains("twice")
    );
    let mut far = packed(Packing::Plain);
    far[9] = 1;
    assert!(
        read_state(&far[..], Packing::Plain)
            .err()
            .unwrap()
            .to_string()
            .contains("range")
    );
    for (version, words) in [(6, "multithreaded64-3"), (0, "32-bit"), (9, "unknown")] {
        let error = read_state(&[version][..], Packing::Plain)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(state.version, StateVersion::V8);
}
