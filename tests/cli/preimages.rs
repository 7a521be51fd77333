//! `--stop-at-preimage*` against the rules of the reference.

use crate::support::*;
use serde_json::Value;

/// Stops the oracle guest with these flags: the last state, and the log line.
fn stop(flags: &[&str]) -> (Value, String) {
    let sandbox = Sandbox::new();
    let ran = sandbox.run_oracle(flags).expect(0);
    (
        sandbox.witness("out.bin.gz"),
        ran.line("\"Stopping at preimage read\"").to_owned(),
    )
}

fn step(state: &Value) -> u64 {
    state["step"].as_u64().unwrap()
}

/// The key and offset in a witness.
fn read(state: &Value) -> (String, u64) {
    let witness = const_hex::decode(state["witness"].as_str().unwrap()).unwrap();
    (
        const_hex::encode(&witness[32..64]),
        u64::from_be_bytes(witness[64..72].try_into().unwrap()),
    )
}

#[test]
fn types_stop_at_the_first_read_of_their_kind() {
    let (any, line) = stop(&["--stop-at-preimage-type", "any"]);
    assert!(
        line.ends_with("msg=\"Stopping at preimage read\" module=vm"),
        "{line}"
    );
    let (local, line) = stop(&["--stop-at-preimage-type", "local"]);
    assert_eq!(any, local);
    assert_eq!(any["exited"], false);
    let before = step(&local) - 1;
    assert!(
        line.ends_with(&format!("keyPrefix=01 offset=0 step={before}")),
        "{line}"
    );
    let (sha, line) = stop(&["--stop-at-preimage-type=sha256"]);
    assert!(line.contains("keyPrefix=04 offset=0"), "{line}");
    assert!(step(&sha) > step(&local) && read(&sha).0.starts_with("04"));
    for never in ["keccak", "blob", "precompile", ""] {
        let (last, line) = stop(&["--stop-at-preimage-type", never]);
        assert_eq!((&last["exited"], line.as_str()), (&Value::Bool(true), ""));
    }
}

#[test]
fn prefixes_ask_for_offset_and_step() {
    let key = "0x0100000000000000000000000000000000000000000000000000000000000001";
    let (first, _) = stop(&["--stop-at-preimage", key]);
    assert_eq!(read(&first).0, key[2..]);
    let (later, line) = stop(&["--stop-at-preimage", &format!("{key}@8")]);
    assert!(
        line.contains("offset=8") && step(&later) > step(&first),
        "{line}"
    );
    let (second, _) = stop(&[
        "--stop-at-preimage",
        &format!("04@0@{}", step(&later) + 100_000),
    ]);
    assert!(step(&second) > step(&later) + 100_000);
    // The prefix flag wins over the type flag, and an empty prefix stops at nothing.
    let (last, _) = stop(&["--stop-at-preimage", "", "--stop-at-preimage-type", "any"]);
    assert_eq!(last["exited"], true);
}

#[test]
fn sizes_count_the_length_prefix() {
    // The local values have 8 and 32 bytes.
    let (first, line) = stop(&["--stop-at-preimage-larger-than", "15"]);
    assert_eq!(read(&first).0, "01".to_owned() + &"0".repeat(62));
    assert!(line.ends_with("size=16 min=15"), "{line}");
    let (second, line) = stop(&["--stop-at-preimage-larger-than", "16"]);
    assert!(
        line.ends_with("size=40 min=16") && step(&second) > step(&first),
        "{line}"
    );
    // With a type, both must hold.
    let flags = [
        "--stop-at-preimage-larger-than",
        "16",
        "--stop-at-preimage-type",
        "sha256",
    ];
    let (both, line) = stop(&flags);
    assert!(
        line.contains("keyPrefix=04 size=") && step(&both) > step(&second),
        "{line}"
    );
    let (last, _) = stop(&["--stop-at-preimage-larger-than", "1000000"]);
    assert_eq!(last["exited"], true);
    let (negative, _) = stop(&["--stop-at-preimage-larger-than", "-1"]);
    assert_eq!(negative, first);
}

#[test]
fn the_reading_step_can_be_proven() {
    let (state, _) = stop(&["--stop-at-preimage-type", "sha256"]);
    let sandbox = Sandbox::new();
    let at = format!("={}", step(&state) - 1);
    sandbox
        .run_oracle(&[
            "--proof-at",
            &at,
            "--stop-at",
            &format!("={}", step(&state)),
        ])
        .expect(0);
    let name = format!("proof-{}.json", step(&state) - 1);
    let proof = sandbox.json(&name);
    assert_eq!(proof["post"], state["witnessHash"]);
    assert_eq!(proof["oracle-key"], "0x".to_owned() + &read(&state).0);
    assert!(
        proof.get("oracle-offset").is_none(),
        "an offset of 0 is left out"
    );
    sandbox.call(&["verify", "--input", &name]).expect(0);
}
