//! Proofs of single steps: recorded while a step runs, and verified from the proof alone.
//!
//! Layout of the proof data (`multithreaded/instrumented.go`, `MIPS64.sol`): the running
//! thread 298, root of the threads below it 32, then three branches of 1,920 bytes: the
//! instruction's, the first word accessed, the second word accessed.

use crate::bus::Bus;
use crate::cpu::{Fault, Trap, Width};
use crate::hash::Hash;
use crate::memory::{Memory, PROOF_BYTES, Stored, fold_branch};
use crate::oracle::{OracleError, PreimageOracle};
use crate::preimage::{PreimageReader, hex, key_type};
use crate::state::{State, StateVersion, THREAD_BYTES, Thread, WITNESS_BYTES, state_hash};
use crate::stats::Stats;
use crate::step::{self, NoOutput, Outside};
use std::fmt;

/// Bytes of the thread part of a proof.
const THREAD_PROOF: usize = THREAD_BYTES + 32;
/// Bytes of a whole proof.
pub const PROOF_DATA_BYTES: usize = THREAD_PROOF + 3 * PROOF_BYTES;

/// The pre-image that a step reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OracleData {
    /// Its key, as the guest asked for it.
    pub key: Hash,
    /// The pre-image with its 8-byte length prefix.
    pub value: Vec<u8>,
    /// Where the step reads, counted from the start of the prefix.
    pub offset: u64,
}

/// What proves one step on chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepWitness {
    /// The step counter before the step.
    pub step: u64,
    /// Hash of the state before.
    pub pre: Hash,
    /// Hash of the state after.
    pub post: Hash,
    /// Witness of the state before.
    pub state_data: Vec<u8>,
    /// Thread, threads below, branches; unused branches are zero.
    pub proof_data: Vec<u8>,
    /// The pre-image, if the step reads one.
    pub oracle: Option<OracleData>,
}

/// Memory that notes the branches of what a step touches.
pub struct Recorder<'a> {
    memory: &'a mut Memory,
    before: StepWitness,
    first: Option<Box<[u8; PROOF_BYTES]>>,
    second: Option<Box<[u8; PROOF_BYTES]>>,
}

impl<'a> Recorder<'a> {
    /// Starts with the state before the step.
    ///
    /// # Errors
    /// [`Fault::NoActiveThread`].
    pub fn begin(state: &State, memory: &'a mut Memory) -> Result<Self, Fault> {
        let state_data = state.witness(&memory.root());
        let thread = state.thread()?;
        let mut proof_data = Vec::with_capacity(PROOF_DATA_BYTES);
        proof_data.extend_from_slice(&thread.encode());
        proof_data.extend_from_slice(&state.active().root_below_top());
        proof_data.extend_from_slice(&memory.proof(thread.pc)[..]);
        let before = StepWitness {
            step: state.step,
            pre: state_hash(&state_data),
            post: [0; 32],
            state_data: state_data.to_vec(),
            proof_data,
            oracle: None,
        };
        Ok(Self {
            memory,
            before,
            first: None,
            second: None,
        })
    }

    /// Ends with the state after the step.
    #[must_use]
    pub fn finish(self, state: &State, reader: &PreimageReader) -> StepWitness {
        let mut witness = self.before;
        for branch in [self.first, self.second] {
            let unused = || Box::new([0; PROOF_BYTES]);
            witness
                .proof_data
                .extend_from_slice(&branch.unwrap_or_else(unused)[..]);
        }
        witness.post = state_hash(&state.witness(&self.memory.root()));
        witness.oracle = reader.last_read().map(|read| OracleData {
            key: read.key,
            value: reader.value().to_vec(),
            offset: read.offset,
        });
        witness
    }

    fn note(&mut self, address: u64) {
        // A step that loads and stores touches one word; its branch is that of the
        // memory before the store.
        if self.first.is_none() {
            self.first = Some(self.memory.proof(address));
        }
    }
}

impl Bus for Recorder<'_> {
    fn fetch(&mut self, pc: u64) -> Result<u32, Trap> {
        self.memory.fetch(pc)
    }

    fn load(&mut self, address: u64, width: Width) -> Result<u64, Trap> {
        self.note(address);
        Bus::load(self.memory, address, width)
    }

    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<Stored, Trap> {
        self.note(address);
        Bus::store(self.memory, address, width, value)
    }

    fn store_second(&mut self, address: u64, value: u64) -> Result<Stored, Trap> {
        self.second = Some(self.memory.proof(address));
        self.memory.store_second(address, value)
    }

    fn read_range(&self, address: u64, count: u64, sink: &mut dyn FnMut(&[u8])) {
        self.memory.read(address, count, sink);
    }
}

/// Why a proof is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The state data is not 188 bytes long.
    StateLength(usize),
    /// The exited byte is neither 0 nor 1.
    ExitedByte,
    /// `step` is not the state data's.
    Step,
    /// `pre` is not the hash of the state data.
    PreState,
    /// `post` is not the hash of the state after the step, which is given.
    PostState(Hash),
    /// The proof data ends too early.
    ProofLength(usize),
    /// Thread and root do not hash to the active stack.
    Thread,
    /// The branch of the instruction does not lead to the memory root.
    InstructionBranch,
    /// The branch of the memory word does not lead to the memory root.
    MemoryBranch,
    /// The branch of the second word does not lead to the root after the first store.
    SecondMemoryBranch,
    /// The step reads a pre-image, and the proof has none, or another one.
    OracleKey,
    /// The pre-image's length prefix or its hash is wrong.
    OracleValue,
    /// The step reads the pre-image at another offset.
    OracleOffset,
    /// The proof has a pre-image that the step does not read.
    UnusedOracle,
    /// The machine refuses the step itself.
    Fault(Fault),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::StateLength(length) => {
                return write!(f, "state-data has {length} bytes, not {WITNESS_BYTES}");
            }
            Self::PostState(hash) => {
                return write!(f, "post does not match: the step leads to {}", hex(hash));
            }
            Self::ProofLength(length) => {
                return write!(f, "proof-data is too short for the step: {length} bytes");
            }
            Self::Fault(fault) => return write!(f, "the machine refuses the step: {fault}"),
            Self::ExitedByte => "the exited byte of state-data is neither 0 nor 1",
            Self::Step => "step is not the one in state-data",
            Self::PreState => "pre is not the hash of state-data",
            Self::Thread => "the thread in proof-data is not the one that runs",
            Self::InstructionBranch => "the instruction's branch does not lead to the memory root",
            Self::MemoryBranch => "the memory branch does not lead to the memory root",
            Self::SecondMemoryBranch => "the second memory branch does not lead to the memory root",
            Self::OracleKey => "oracle-key is not the pre-image that the step reads",
            Self::OracleValue => "oracle-value is not the pre-image of its key",
            Self::OracleOffset => "oracle-offset is not where the step reads",
            Self::UnusedOracle => "the step reads no pre-image, but the proof has one",
        };
        f.write_str(text)
    }
}

impl std::error::Error for Refusal {}

/// Memory of which only three branches are known.
pub struct ProvenMemory<'a> {
    root: Hash,
    proof_data: &'a [u8],
}

impl ProvenMemory<'_> {
    fn branch(&self, number: usize) -> Result<&[u8; PROOF_BYTES], Refusal> {
        let from = THREAD_PROOF + number * PROOF_BYTES;
        let rest = self.proof_data.get(from..).unwrap_or_default();
        rest.first_chunk()
            .ok_or(Refusal::ProofLength(self.proof_data.len()))
    }

    /// The 8-byte word at an address, if its branch leads to the root.
    fn word(&self, number: usize, address: u64, otherwise: Refusal) -> Result<u64, Refusal> {
        let branch = self.branch(number)?;
        let leaf = leaf_of(branch);
        if fold_branch(address, &leaf, branch) != self.root {
            return Err(otherwise);
        }
        let at = address as usize & 0x18;
        Ok(leaf[at..at + 8]
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte)))
    }

    fn set_word(&mut self, number: usize, address: u64, value: u64) -> Result<(), Refusal> {
        let branch = self.branch(number)?;
        let mut leaf = leaf_of(branch);
        let at = address as usize & 0x18;
        leaf[at..at + 8].copy_from_slice(&value.to_be_bytes());
        self.root = fold_branch(address, &leaf, branch);
        Ok(())
    }
}

fn leaf_of(branch: &[u8; PROOF_BYTES]) -> Hash {
    let mut leaf = [0; 32];
    leaf.copy_from_slice(&branch[..32]);
    leaf
}

impl From<Refusal> for Trap {
    fn from(refusal: Refusal) -> Self {
        Trap::Refused(refusal)
    }
}

/// How far a unit of `width` at an address is from the right end of its 8-byte word, and
/// the mask of its bits there.
fn place(address: u64, width: Width) -> (u64, u64) {
    let aligned = address & 7 & !(width.bytes() - 1);
    let shift = (8 - width.bytes() - aligned) * 8;
    (shift, u64::MAX >> (64 - 8 * width.bytes()) << shift)
}

impl Bus for ProvenMemory<'_> {
    fn fetch(&mut self, pc: u64) -> Result<u32, Trap> {
        let word = self.word(0, pc, Refusal::InstructionBranch)?;
        Ok((word >> place(pc, Width::Word).0) as u32)
    }

    fn load(&mut self, address: u64, width: Width) -> Result<u64, Trap> {
        let word = self.word(1, address, Refusal::MemoryBranch)?;
        let (shift, mask) = place(address, width);
        Ok((word & mask) >> shift)
    }

    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<Stored, Trap> {
        let word = self.word(1, address, Refusal::MemoryBranch)?;
        let (shift, mask) = place(address, width);
        self.set_word(1, address, word & !mask | value << shift & mask)?;
        Ok(Stored::Data)
    }

    fn store_second(&mut self, address: u64, value: u64) -> Result<Stored, Trap> {
        self.word(2, address, Refusal::SecondMemoryBranch)?;
        self.set_word(2, address, value)?;
        Ok(Stored::Data)
    }

    fn read_range(&self, _: u64, _: u64, _: &mut dyn FnMut(&[u8])) {}
}

/// The key types for which `PreimageOracle.sol` has a loader; no other pre-image can be
/// there on chain.
const LOADABLE: [u8; 5] = [
    key_type::LOCAL,
    key_type::KECCAK256,
    key_type::SHA256,
    key_type::BLOB,
    key_type::PRECOMPILE,
];

/// An oracle that has the pre-image of the proof and no other.
struct WitnessOracle<'a>(Option<&'a OracleData>);

impl PreimageOracle for WitnessOracle<'_> {
    fn hint(&mut self, _: &[u8]) -> Result<(), OracleError> {
        Ok(())
    }

    fn preimage(&mut self, key: Hash) -> Result<Vec<u8>, OracleError> {
        let loadable = LOADABLE.contains(&key[0]);
        let data = self
            .0
            .filter(|data| data.key == key && loadable)
            .ok_or(Refusal::OracleKey)?;
        let (length, value) = data.value.split_first_chunk().ok_or(Refusal::OracleValue)?;
        if u64::from_be_bytes(*length) != value.len() as u64 {
            return Err(Refusal::OracleValue.into());
        }
        Ok(value.to_vec())
    }
}

/// Verifies a step from its proof alone, as the contract does, and every other field of
/// the proof as well: the hash of the state after the step.
///
/// Bytes of branches that the step does not use are not looked at, as on chain; the
/// reference's own proofs have leftovers there. That a local, blob or precompile
/// pre-image is the true one only the chain can tell. State data of a length other than
/// 188 is refused; the contract takes it within its 32-byte padding, but no state has it.
///
/// # Errors
/// Why the proof is refused.
pub fn verify(version: StateVersion, proof: &StepWitness) -> Result<Hash, Refusal> {
    let length = proof.state_data.len();
    let state_data: &[u8; WITNESS_BYTES] = proof
        .state_data
        .as_slice()
        .try_into()
        .map_err(|_| Refusal::StateLength(length))?;
    let (mut state, root) = State::from_witness(version, state_data).ok_or(Refusal::ExitedByte)?;
    if state_hash(state_data) != proof.pre {
        return Err(Refusal::PreState);
    }
    if state.step != proof.step {
        return Err(Refusal::Step);
    }
    // Calldata is padded with zeros to whole words, and the contract asks no more.
    let mut proof_data = proof.proof_data.clone();
    proof_data.resize(proof_data.len().next_multiple_of(32), 0);
    if !state.exited {
        take_thread(&mut state, &proof_data)?;
    }
    let mut memory = ProvenMemory {
        root,
        proof_data: &proof_data,
    };
    let mut reader = PreimageReader::default();
    let mut outside = Outside {
        oracle: &mut WitnessOracle(proof.oracle.as_ref()),
        reader: &mut reader,
        output: &mut NoOutput,
        stats: &mut Stats::default(),
    };
    step::step(&mut state, &mut memory, &mut outside).map_err(refusal)?;
    check_oracle(proof.oracle.as_ref(), &reader)?;
    let post = state_hash(&state.witness(&memory.root));
    if post == proof.post {
        Ok(post)
    } else {
        Err(Refusal::PostState(post))
    }
}

/// Puts the thread of the proof on the active stack, whose root it must explain.
fn take_thread(state: &mut State, proof_data: &[u8]) -> Result<(), Refusal> {
    let stack = state.active_mut();
    if stack.is_empty() {
        return Err(Refusal::Fault(Fault::NoActiveThread));
    }
    let short = Refusal::ProofLength(proof_data.len());
    let (thread, rest) = proof_data.split_first_chunk().ok_or(short.clone())?;
    let expected = stack.root();
    stack.base = *rest.first_chunk().ok_or(short)?;
    stack.threads.push(Thread::decode(thread));
    if stack.root() == expected {
        Ok(())
    } else {
        Err(Refusal::Thread)
    }
}

fn refusal(trap: Trap) -> Refusal {
    match trap {
        Trap::Refused(refusal) => refusal,
        Trap::Fault(fault) => Refusal::Fault(fault),
        Trap::Preimage(error) => preimage_refusal(&error),
        Trap::Syscall | Trap::CodeWritten => unreachable!("a step handles both"),
    }
}

fn preimage_refusal(error: &crate::preimage::PreimageError) -> Refusal {
    use crate::preimage::PreimageError as E;
    match error {
        E::Oracle { source, .. } => source.downcast_ref().cloned().unwrap_or(Refusal::OracleKey),
        _ => Refusal::OracleValue,
    }
}

fn check_oracle(data: Option<&OracleData>, reader: &PreimageReader) -> Result<(), Refusal> {
    match (data, reader.last_read()) {
        (Some(_), None) => Err(Refusal::UnusedOracle),
        (Some(data), Some(read)) if data.offset != read.offset => Err(Refusal::OracleOffset),
        _ => Ok(()),
    }
}
