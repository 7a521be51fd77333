//! Translation of MIPS64 regions to native code. Not written yet: `run` interprets.
//!
//! A translator will implement [`carronade_emulator::cpu::Cpu`] over the values of its
//! intermediate code, so that the meanings of instructions stay written once.
