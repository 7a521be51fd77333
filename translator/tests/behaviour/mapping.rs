//! What the system sees of native code.

use crate::harness::{Start, run, statistics};
use std::fs;

/// The memory of this process that may be executed, by its permissions; none of it has a
/// file when it is native code of guests.
fn executable() -> Vec<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let permissions = maps.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let (permissions, name) = (fields.nth(1)?, fields.nth(3));
        assert!(
            !(permissions.contains('w') && permissions.contains('x')),
            "{line}"
        );
        (permissions.contains('x') && name.is_none()).then(|| permissions.to_owned())
    });
    permissions.collect()
}

#[test]
fn nothing_is_writable_and_executable() {
    // Some three hundred functions, made one after the other as they become hot.
    let mut text = "loop:\n".to_owned();
    for n in 0..300 {
        text += &format!("jal f{n}\nnop\n");
    }
    text += "addiu $s3, $s3, 1\nbne $s3, $s4, loop\nnop\nsyscall\n";
    for n in 0..300 {
        text += &format!("f{n}: daddiu $s1, $s1, {n}\njr $ra\nnop\n");
    }
    let start = Start::program(&text)
        .with("s3", 0)
        .with("s4", 3)
        .with("v0", 5205);
    let mut machine = start.machine(Some(1));
    while !machine.state().exited {
        let next = machine.state().step + 100;
        assert_eq!(run(&mut machine, next), None);
        executable();
    }
    assert!(statistics(&machine).regions > 300);
    assert!(!executable().is_empty());
}
