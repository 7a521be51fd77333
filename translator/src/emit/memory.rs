//! Accesses to guest memory.
//!
//! An address is a register and a displacement of 16 bits. One check of the register lets
//! all accesses over it go straight to memory: that it points into the inner part of a
//! window, so that no displacement leads out, and has the alignment that they need. A store
//! also needs its page to be ready: two bytes of attributes are looked at for all the
//! stores of a block over one register. What has been checked holds for the value, not
//! the register, and wherever the check dominates.
//!
//! The attributes of pages only change between runs of native code, and by load-linked.

use super::Emitter;
use crate::flow::Flow;
use crate::footprint::Footprint;
use crate::runtime::{Context, Exit, LOWEST_NATIVE};
use crate::value::{High, Val, Wide};
use carronade_emulator::cpu::Width;
use carronade_emulator::isa::{Instruction, Opcode};
use carronade_emulator::memory::{PAGE_SHIFT, PAGE_SIZE, READY, RESERVED, WINDOWS};
use carronade_emulator::state::reservation;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use std::collections::HashMap;
use std::mem::offset_of;

/// How far around a checked address the accesses over its register may reach: twice the
/// reach of a displacement.
const REACH: u64 = 1 << 16;

/// The inner part of a window: a power of two of addresses, around which the window goes
/// on for at least [`REACH`].
struct Inner {
    start: u64,
    bits: u32,
    /// What to add to a guest address for its place in the mapping.
    shift: u64,
}

const fn inner(window: usize, start: u64, bits: u32) -> Inner {
    let window = WINDOWS[window];
    assert!(start >= window.start + REACH);
    assert!(start + (1 << bits) + REACH <= window.start + window.length);
    Inner {
        start,
        bits,
        shift: window.offset.wrapping_sub(window.start),
    }
}

// What displacements reach from here is still above the word that nobody watches.
const LOW: Inner = inner(0, LOWEST_NATIVE + REACH, 40);
const HEAP: Inner = inner(1, 1 << 44, 40);
const STACK: Inner = inner(2, (1 << 47) - (1 << 35), 35);
const INNERS: [&Inner; 3] = [&LOW, &HEAP, &STACK];

/// The inner window of an address, as an index into [`INNERS`].
fn window_of(address: u64) -> Option<usize> {
    INNERS
        .iter()
        .position(|inner| address.wrapping_sub(inner.start) >> inner.bits == 0)
}

/// What is known of the values that addresses are made from.
pub(super) struct Facts {
    of: HashMap<Value, Fact>,
    /// Counts what may change attributes of pages.
    epoch: usize,
    /// Whether the region has load-linked or store-conditional.
    reserves: bool,
}

#[derive(Clone, Copy)]
struct Fact {
    node: usize,
    /// Native address of what the value points to.
    native: Value,
    /// The value plus this displacement is a multiple of 2 to the power of `aligned`.
    displacement: i64,
    aligned: u32,
    stores: Option<Stores>,
}

/// Displacements between which all pages are ready.
#[derive(Clone, Copy)]
struct Stores {
    node: usize,
    epoch: usize,
    first: i64,
    last: i64,
}

impl Facts {
    pub(super) fn new(flow: &Flow) -> Self {
        let mut code = flow.nodes.iter().flat_map(|node| &node.block.code);
        Self {
            of: HashMap::new(),
            epoch: 0,
            reserves: code.any(|i| reserves(i.opcode())),
        }
    }

    /// At the start of a node.
    pub(super) fn enter_node(&mut self) {
        if self.reserves {
            self.epoch += 1;
        }
    }
}

fn reserves(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::ll | Opcode::lld | Opcode::sc | Opcode::scd)
}

/// What an instruction does to memory.
struct Access {
    width: Width,
    stores: bool,
    /// Whether the address is meant to be rounded down.
    rounds: bool,
}

fn access(opcode: Opcode) -> Option<Access> {
    use Opcode as O;
    let (width, stores, rounds) = match opcode {
        O::lb | O::lbu => (Width::Byte, false, false),
        O::lh | O::lhu => (Width::Half, false, false),
        O::lw | O::lwu => (Width::Word, false, false),
        O::ld => (Width::Double, false, false),
        O::lwl | O::lwr => (Width::Word, false, true),
        O::ldl | O::ldr => (Width::Double, false, true),
        O::sb => (Width::Byte, true, false),
        O::sh => (Width::Half, true, false),
        O::sw => (Width::Word, true, false),
        O::sd => (Width::Double, true, false),
        O::swl | O::swr => (Width::Word, true, true),
        O::sdl | O::sdr => (Width::Double, true, true),
        // A store-conditional sees to its page itself.
        O::ll | O::sc => (Width::Word, false, false),
        O::lld | O::scd => (Width::Double, false, false),
        _ => return None,
    };
    Some(Access {
        width,
        stores,
        rounds,
    })
}

fn displacement(i: Instruction) -> i64 {
    i.immediate() as i64
}

/// A native address: a value and a displacement.
#[derive(Clone, Copy)]
struct Place {
    base: Value,
    offset: i32,
}

impl Emitter<'_> {
    pub(super) fn load_guest(&mut self, address: Val, width: Width) -> Val {
        let place = self.place(address, width);
        let flags = MemFlagsData::trusted().with_alias_region(Some(self.guest_memory));
        let raw = self
            .builder
            .ins()
            .load(integer(width), flags, place.base, place.offset);
        match width {
            Width::Byte => Val::from(self.builder.ins().uextend(types::I64, raw)),
            Width::Half => {
                let value = self.builder.ins().bswap(raw);
                Val::from(self.builder.ins().uextend(types::I64, value))
            }
            Width::Word => {
                let word = self.builder.ins().bswap(raw);
                let full = self.builder.ins().uextend(types::I64, word);
                let (word, high, shift) = (Some(word), High::Zero, None);
                Val::Wide(Wide {
                    full,
                    word,
                    high,
                    shift,
                })
            }
            Width::Double => Val::from(self.builder.ins().bswap(raw)),
        }
    }

    pub(super) fn store_guest(&mut self, address: Val, width: Width, value: Val) {
        let place = self.place(address, width);
        self.write_guest(place, width, value);
    }

    fn write_guest(&mut self, place: Place, width: Width, value: Val) {
        let value = match (value, width) {
            (value, Width::Double) => self.full(value),
            (
                Val::Wide(Wide {
                    word: Some(word), ..
                }),
                Width::Word,
            ) => word,
            (value, width) => {
                let full = self.full(value);
                self.builder.ins().ireduce(integer(width), full)
            }
        };
        let value = match width {
            Width::Byte => value,
            _ => self.builder.ins().bswap(value),
        };
        let flags = MemFlagsData::trusted().with_alias_region(Some(self.guest_memory));
        self.builder
            .ins()
            .store(flags, value, place.base, place.offset);
    }

    /// Where the access of the instruction at hand goes, all checks made.
    fn place(&mut self, address: Val, width: Width) -> Place {
        let i = self.code[self.at];
        let Some(kind) = access(i.opcode()) else {
            unreachable!("only loads and stores access memory")
        };
        if let Val::Imm(address) = address {
            return self.constant_place(address, width, kind.stores);
        }
        let base = self.register(i.rs() as usize);
        let base = self.full(base);
        let fact = self.checked_base(base, i, &kind);
        if kind.stores {
            self.check_stores(base, fact, i);
        }
        let at = displacement(i);
        let aligned = fact.aligned >= log2(width)
            && (at - fact.displacement).rem_euclid(width.bytes() as i64) == 0;
        if aligned {
            return Place {
                base: fact.native,
                offset: at as i32,
            };
        }
        let exact = self.builder.ins().iadd_imm_s(fact.native, at);
        let base = self
            .builder
            .ins()
            .band_imm_s(exact, -(width.bytes() as i64));
        Place { base, offset: 0 }
    }

    /// An access to an address that is known now.
    fn constant_place(&mut self, address: u64, width: Width, stores: bool) -> Place {
        let Some(window) = window_of(address) else {
            // The interpreter executes it; what follows here is never reached.
            let always = self.constant(1);
            self.side_exit_if(always, Exit::Window);
            let base = self.memory;
            return Place { base, offset: 0 };
        };
        let aligned = address & !(width.bytes() - 1);
        let place = aligned.wrapping_add(INNERS[window].shift);
        let base = self.builder.ins().iadd_imm_s(self.memory, place as i64);
        if stores {
            let attribute = self.attribute(base, 0);
            let other = self
                .builder
                .ins()
                .icmp_imm_s(IntCC::NotEqual, attribute, i64::from(READY));
            self.side_exit_if(other, Exit::Page);
        }
        Place { base, offset: 0 }
    }

    /// What is known of a base once the access at hand may use it.
    fn checked_base(&mut self, base: Value, i: Instruction, kind: &Access) -> Fact {
        let at = displacement(i);
        if let Some(fact) = self.fact(base) {
            let step = (at - fact.displacement).trailing_zeros().min(fact.aligned);
            if kind.rounds || step >= log2(kind.width) {
                return fact;
            }
        }
        let aligned = if kind.rounds {
            0
        } else {
            self.needed_alignment(i, at)
        };
        let native = self.check_base(base, at, aligned, i);
        let stores = self.fact(base).and_then(|fact| fact.stores);
        let fact = Fact {
            node: self.node,
            native,
            displacement: at,
            aligned,
            stores,
        };
        self.facts.of.insert(base, fact);
        fact
    }

    fn fact(&self, base: Value) -> Option<Fact> {
        let fact = self.facts.of.get(&base)?;
        self.flow.dominates(fact.node, self.node).then_some(*fact)
    }

    /// The accesses of this block, from the one at hand on, over the value that is its
    /// base now.
    fn accesses_ahead(&self, register: u8) -> impl Iterator<Item = (i64, Access)> {
        let mut written = false;
        let ahead = self.code[self.at..].iter().take_while(move |i| {
            let before = written;
            written |= Footprint::of(&[**i]).writes & (1 << register) != 0;
            !before
        });
        ahead
            .filter(move |i| i.rs() == register)
            .filter_map(|i| Some((displacement(*i), access(i.opcode())?)))
    }

    /// The alignment, as a power of two, that the accesses ahead need where it follows
    /// from that of the access at hand.
    fn needed_alignment(&self, i: Instruction, at: i64) -> u32 {
        let ahead = self.accesses_ahead(i.rs());
        let needs = ahead
            .filter(|(_, kind)| !kind.rounds)
            .filter_map(|(other, kind)| {
                let bits = log2(kind.width);
                ((other - at).trailing_zeros() >= bits).then_some(bits)
            });
        needs.max().unwrap_or_default()
    }

    /// Leaves unless base plus displacement is in an inner window and aligned: the native
    /// address of what the base points to.
    fn check_base(&mut self, base: Value, at: i64, aligned: u32, i: Instruction) -> Value {
        let guess = self.guess(i);
        if !self.assumptions.wide {
            let outside = self.outside(base, at, aligned, guess);
            self.side_exit_if(outside, Exit::Window);
            return self.native(base, guess);
        }
        let found = self.builder.create_block();
        let native = self.builder.append_block_param(found, types::I64);
        for window in 0..INNERS.len() {
            let next = self.builder.create_block();
            let outside = self.outside(base, at, aligned, window);
            let here = self.native(base, window);
            let here = [cranelift_codegen::ir::BlockArg::Value(here)];
            self.builder.ins().brif(outside, next, &[], found, &here);
            self.builder.switch_to_block(next);
        }
        let always = self.constant(1);
        self.side_exit_if(always, Exit::Window);
        let nowhere = [cranelift_codegen::ir::BlockArg::Value(self.memory)];
        self.builder.ins().jump(found, &nowhere);
        self.builder.switch_to_block(found);
        native
    }

    /// The window that a register most likely points into.
    fn guess(&self, i: Instruction) -> usize {
        let now = self.assumptions.registers[i.rs() as usize & 31];
        window_of(now).unwrap_or_default()
    }

    /// Not 0 if base plus displacement is outside a window, or not aligned.
    fn outside(&mut self, base: Value, at: i64, aligned: u32, window: usize) -> Value {
        let inner = INNERS[window];
        let distance = (at as u64).wrapping_sub(inner.start) as i64;
        let distance = self.builder.ins().iadd_imm_s(base, distance);
        if aligned == 0 {
            return self
                .builder
                .ins()
                .ushr_imm_u(distance, i64::from(inner.bits));
        }
        // Rotating brings the bits that an aligned address does not have to the top.
        let rotated = self.builder.ins().rotr_imm_u(distance, i64::from(aligned));
        self.builder
            .ins()
            .ushr_imm_u(rotated, i64::from(inner.bits - aligned))
    }

    fn native(&mut self, base: Value, window: usize) -> Value {
        let native = self.builder.ins().iadd(self.memory, base);
        match INNERS[window].shift {
            0 => native,
            shift => self.builder.ins().iadd_imm_s(native, shift as i64),
        }
    }

    /// Leaves unless the pages that this block stores to over a base are ready.
    fn check_stores(&mut self, base: Value, fact: Fact, i: Instruction) {
        let at = displacement(i);
        if let Some(stores) = fact.stores
            && self.flow.dominates(stores.node, self.node)
            && stores.epoch == self.facts.epoch
            && (stores.first..=stores.last).contains(&at)
        {
            return;
        }
        let (first, last) = self.stores_ahead(i, at);
        let attributes = self.attribute(fact.native, first);
        let ready = i64::from(READY);
        let mut wrong = self.builder.ins().bxor_imm_u(attributes, ready);
        if first != last {
            let attributes = self.attribute(fact.native, last);
            let other = self.builder.ins().bxor_imm_u(attributes, ready);
            wrong = self.builder.ins().bor(wrong, other);
        }
        self.side_exit_if(wrong, Exit::Page);
        let stores = Stores {
            node: self.node,
            epoch: self.facts.epoch,
            first,
            last,
        };
        let stores = Some(stores);
        self.facts.of.insert(base, Fact { stores, ..fact });
    }

    /// The displacements between which the block stores over a base: so close together
    /// that no page lies between those of the first and the last.
    fn stores_ahead(&self, i: Instruction, at: i64) -> (i64, i64) {
        let mut span = (at, at);
        let ahead = self.accesses_ahead(i.rs());
        for (at, _) in ahead.filter(|(_, kind)| kind.stores) {
            let wider = (span.0.min(at), span.1.max(at));
            if wider.1 - wider.0 < PAGE_SIZE as i64 {
                span = wider;
            }
        }
        span
    }

    /// The attribute byte of the page that a native address and a displacement lead to.
    fn attribute(&mut self, native: Value, at: i64) -> Value {
        self.attribute_and_place(native, at).0
    }

    fn attribute_and_place(&mut self, native: Value, at: i64) -> (Value, Value) {
        let address = self.builder.ins().iadd_imm_s(native, at);
        let page = self
            .builder
            .ins()
            .ushr_imm_u(address, i64::from(PAGE_SHIFT));
        let place = self.builder.ins().iadd(self.attributes, page);
        let flags = MemFlagsData::trusted().with_alias_region(Some(self.attribute_memory));
        (
            self.builder.ins().uload8(types::I64, flags, place, 0),
            place,
        )
    }

    fn store_attribute(&mut self, attribute: Value, place: Value) {
        let flags = MemFlagsData::trusted().with_alias_region(Some(self.attribute_memory));
        self.builder.ins().istore8(flags, attribute, place, 0);
    }

    /// How many steps are left after the instruction at hand.
    fn left_after(&mut self) -> Value {
        let spent = (self.spent + self.at + 1) as i64;
        self.builder.ins().iadd_imm_s(self.budget, -spent)
    }

    /// Loads and makes a reservation, if there is none. Its page is watched: native stores
    /// to it find that it is not ready.
    pub(super) fn load_reserving(&mut self, address: Val, width: Width) -> Val {
        let standing = self.field(offset_of!(Context, linked_address));
        let above = IntCC::UnsignedGreaterThanOrEqual;
        let standing = self
            .builder
            .ins()
            .icmp_imm_s(above, standing, LOWEST_NATIVE as i64);
        self.side_exit_if(standing, Exit::Reservation);
        let value = self.load_guest(address, width);
        let place = self.place(address, width);
        let (attribute, of) = self.attribute_and_place(place.base, i64::from(place.offset));
        let watched = self.builder.ins().bor_imm_u(attribute, i64::from(RESERVED));
        self.store_attribute(watched, of);
        let (kind, left) = (self.constant(kind(width)), self.left_after());
        let address = self.full(address);
        self.store_context(offset_of!(Context, linked), kind);
        self.store_context(offset_of!(Context, linked_address), address);
        self.store_context(offset_of!(Context, linked_left), left);
        let known = self.constant(u64::MAX);
        self.store_context(offset_of!(Context, link_known), known);
        self.count(offset_of!(Context, links));
        self.facts.epoch += 1;
        value
    }

    /// Stores if the reservation holds and the page is ready but for the watch on it; if
    /// not, the interpreter does what is to be done.
    pub(super) fn store_reserved(&mut self, address: Val, width: Width, register: u8) {
        let exact = self.full(address);
        let (linked, at) = (
            self.field(offset_of!(Context, linked)),
            self.field(offset_of!(Context, linked_address)),
        );
        let other_kind = self
            .builder
            .ins()
            .icmp_imm_s(IntCC::NotEqual, linked, kind(width) as i64);
        self.side_exit_if(other_kind, Exit::Reservation);
        let elsewhere = self.builder.ins().icmp(IntCC::NotEqual, at, exact);
        self.side_exit_if(elsewhere, Exit::Reservation);
        let place = self.place(address, width);
        let (attribute, of) = self.attribute_and_place(place.base, i64::from(place.offset));
        let watched = i64::from(READY | RESERVED);
        let other = self
            .builder
            .ins()
            .icmp_imm_s(IntCC::NotEqual, attribute, watched);
        self.side_exit_if(other, Exit::Page);
        let value = self.register(register as usize);
        self.write_guest(place, width, value);
        let ready = self.constant(u64::from(READY));
        self.store_attribute(ready, of);
        self.end_link();
        self.set_register(register as usize, Val::Imm(1));
    }

    /// After a store-conditional: no reservation, and its counters.
    fn end_link(&mut self) {
        let (none, left) = (self.constant(0), self.left_after());
        self.store_context(offset_of!(Context, linked), none);
        self.store_context(offset_of!(Context, linked_address), none);
        self.count(offset_of!(Context, successes));
        let before = self.field(offset_of!(Context, linked_left));
        let known = self.field(offset_of!(Context, link_known));
        let steps = self.builder.ins().isub(before, left);
        let steps = self.builder.ins().band(steps, known);
        let longest = self.field(offset_of!(Context, longest_link));
        let longest = self.builder.ins().umax(longest, steps);
        self.store_context(offset_of!(Context, longest_link), longest);
    }

    fn count(&mut self, field: usize) {
        let count = self.field(field);
        let count = self.builder.ins().iadd_imm_s(count, 1);
        self.store_context(field, count);
    }
}

/// The kind of reservation, as `Core::load_linked` of the emulator has it.
fn kind(width: Width) -> u64 {
    u64::from(match width {
        Width::Double => reservation::DOUBLE,
        _ => reservation::WORD,
    })
}

fn integer(width: Width) -> Type {
    match width {
        Width::Byte => types::I8,
        Width::Half => types::I16,
        Width::Word => types::I32,
        Width::Double => types::I64,
    }
}

fn log2(width: Width) -> u32 {
    width.bytes().trailing_zeros()
}
