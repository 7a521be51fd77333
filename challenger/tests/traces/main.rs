//! The trace side: nodes that answer and lie, programs in the machine, games played to the
//! bottom with the step executed by the contract.

mod outputs;
mod play;
mod preimages;
mod program;
mod quick;
mod served;
