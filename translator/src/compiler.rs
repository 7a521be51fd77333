//! From a region to bytes of native code.

use crate::emit::{Assumptions, emit};
use crate::flow::Flow;
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::FunctionBuilderContext;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Cranelift, set up for this machine.
pub struct Compiler {
    quick: OwnedTargetIsa,
    thorough: OwnedTargetIsa,
    context: Context,
    scratch: FunctionBuilderContext,
}

/// Why there is no native code.
#[derive(Debug)]
pub struct CompileError(String);

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CompileError {}

fn error(error: impl fmt::Display) -> CompileError {
    CompileError(error.to_string())
}

/// Native code that may lie anywhere: it reaches everything through its context.
#[derive(Debug, Clone)]
pub struct NativeCode {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Leaders where control may enter, and where in the bytes; the region's start first.
    pub entries: Vec<(u64, u32)>,
}

/// The settings that matter to the code. They are part of the key of kept code.
const SETTINGS: [(&str, &str); 4] = [
    (
        "enable_verifier",
        if cfg!(debug_assertions) {
            "true"
        } else {
            "false"
        },
    ),
    ("preserve_frame_pointers", "true"),
    ("unwind_info", "false"),
    ("enable_probestack", "false"),
];

/// From how many instructions in a block on, on average, optimisation is worth half as much
/// again of the time to translate: it makes long computations a third faster, and branches
/// and calls hardly at all.
const LONG_BLOCKS: usize = 16;

fn isa(opt_level: &str) -> Result<OwnedTargetIsa, CompileError> {
    let mut flags = settings::builder();
    flags.set("opt_level", opt_level).map_err(error)?;
    for (name, value) in SETTINGS {
        flags.set(name, value).map_err(error)?;
    }
    let isa = cranelift_native::builder().map_err(error)?;
    isa.finish(settings::Flags::new(flags)).map_err(error)
}

impl Compiler {
    /// A compiler for the processor that this runs on.
    ///
    /// # Errors
    /// When Cranelift does not know it, or it is not x86-64.
    pub fn new() -> Result<Self, CompileError> {
        if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
            return Err(error("native code is made for x86-64 Linux only"));
        }
        Ok(Self {
            quick: isa("none")?,
            thorough: isa("speed")?,
            context: Context::new(),
            scratch: FunctionBuilderContext::new(),
        })
    }

    /// All that code depends on besides the region and its assumptions: the sources of the
    /// translator and the machine, the version of Cranelift, its settings, the features of
    /// the processor.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let features = self.quick.isa_flags();
        let features: Vec<String> = features.iter().map(ToString::to_string).collect();
        let version = cranelift_codegen::VERSION;
        let sources = env!("SOURCES");
        format!("{sources} {version} {SETTINGS:?} {}", features.join(" "))
    }

    /// Translates a region.
    ///
    /// # Errors
    /// When Cranelift refuses or panics, which would be a mistake of ours or its own, but
    /// must not cost anyone a run: the interpreter can do without.
    pub fn compile(
        &mut self,
        flow: &Flow,
        assumptions: &Assumptions<'_>,
    ) -> Result<NativeCode, CompileError> {
        let attempt = AssertUnwindSafe(|| self.try_compile(flow, assumptions));
        catch_unwind(attempt).unwrap_or_else(|_| {
            // Whatever was left half done is not used again.
            self.context = Context::new();
            self.scratch = FunctionBuilderContext::new();
            Err(error("Cranelift panicked"))
        })
    }

    fn try_compile(
        &mut self,
        flow: &Flow,
        assumptions: &Assumptions<'_>,
    ) -> Result<NativeCode, CompileError> {
        let isa = if flow.block_length() >= LONG_BLOCKS {
            &self.thorough
        } else {
            &self.quick
        };
        self.context.clear();
        let frontend = isa.frontend_config();
        emit(
            &mut self.context.func,
            &mut self.scratch,
            frontend,
            flow,
            assumptions,
        );
        let mut control = ControlPlane::default();
        let compiled = self.context.compile(&**isa, &mut control);
        let compiled = compiled.map_err(|failure| error(failure.inner))?;
        if !compiled.buffer.relocs().is_empty() {
            return Err(error("the code depends on where it lies"));
        }
        Ok(with_entries(compiled.code_buffer(), flow))
    }
}

/// Puts what sets the third argument, the number of the entry, before the function: a
/// stub for each entry, the first of which falls through.
fn with_entries(body: &[u8], flow: &Flow) -> NativeCode {
    const STUB: usize = 10;
    const FIRST: usize = 2;
    let pcs = flow.nodes.iter().filter(|node| node.entry);
    let pcs: Vec<u64> = pcs.map(|node| node.block.pc).collect();
    let start = (STUB * (pcs.len() - 1) + FIRST).next_multiple_of(16);
    let mut bytes = Vec::with_capacity(start + body.len());
    let mut entries = vec![(pcs[0], (start - FIRST) as u32)];
    for (number, pc) in pcs.iter().enumerate().skip(1) {
        entries.push((*pc, bytes.len() as u32));
        bytes.push(0xba); // mov edx, imm32
        bytes.extend((number as u32).to_le_bytes());
        bytes.push(0xe9); // jmp rel32
        bytes.extend(((start - bytes.len() - 4) as u32).to_le_bytes());
    }
    bytes.resize(start - FIRST, 0xcc);
    bytes.extend([0x31, 0xd2]); // xor edx, edx
    bytes.extend(body);
    NativeCode { bytes, entries }
}
