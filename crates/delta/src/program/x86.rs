//! Lengths of x86-64 instructions, and where in them an operand counts from the next instruction.
//!
//! A linear sweep, not a disassembler: it needs to know prefixes, which opcodes carry a ModRM byte and how long their
//! immediates are. Bytes that are no instruction are stepped over one by one; the sweep falls into step again soon.

use super::bytes::u8_at;

/// An operand found by [`instruction`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    None,
    /// One byte, counted from the instruction's end: short jumps.
    Short,
    /// Four bytes at the instruction's end: calls and jumps.
    Near,
    /// Four bytes counted from the instruction's end, `trail` bytes after them: data beside the code.
    Beside {
        trail: u8,
    },
    /// Four bytes added to a register and a scaled index: in PE code without a base, often the RVA of a table.
    Indexed,
}

/// One instruction: its length, and where the operand lies in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) length: usize,
    pub(super) operand: Operand,
    /// First byte of the operand, from the instruction's first.
    pub(super) at: usize,
    /// The opcode as it stands in the one-byte map; 0 for others.
    pub(super) opcode: u8,
}

/// The instruction at the front of `code`; `None`: nothing that a compiler writes, or cut off.
pub(super) fn instruction(code: &[u8]) -> Option<Instruction> {
    let mut at = 0;
    let mut wide = false;
    let mut half = false;
    let mut opcode = *code.first()?;
    while PREFIXES.contains(&opcode) || opcode & 0xf0 == 0x40 {
        half |= opcode == 0x66;
        wide = opcode & 0xf8 == 0x48;
        at += 1;
        if at >= LENGTH_MAX {
            return None;
        }
        opcode = u8_at(code, at)?;
    }
    at += 1;
    let (map, opcode, at) = match opcode {
        0x0f => match u8_at(code, at)? {
            0x38 => (Map::Three8, u8_at(code, at + 1)?, at + 2),
            0x3a => (Map::ThreeA, u8_at(code, at + 1)?, at + 2),
            second => (Map::Two, second, at + 1),
        },
        0xc5 => (Map::Two, u8_at(code, at + 1)?, at + 2),
        0xc4 => (vector_map(u8_at(code, at)? & 0x1f)?, u8_at(code, at + 2)?, at + 3),
        0x62 => (vector_map(u8_at(code, at)? & 0x07)?, u8_at(code, at + 3)?, at + 4),
        opcode => (Map::One, opcode, at),
    };
    let shape = match map {
        Map::One => ONE[usize::from(opcode)],
        Map::Two => TWO[usize::from(opcode)],
        Map::Three8 => M,
        Map::ThreeA => M | B,
    };
    finish(code, Head { map, opcode, shape, wide, half, at })
}

struct Head {
    map: Map,
    opcode: u8,
    shape: u8,
    wide: bool,
    half: bool,
    at: usize,
}

fn finish(code: &[u8], head: Head) -> Option<Instruction> {
    let Head { map, opcode, shape, wide, half, mut at } = head;
    if shape == X {
        return None;
    }
    let named = if map == Map::One { opcode } else { 0 };
    let mut operand = Operand::None;
    let mut place = 0;
    let mut immediate = match shape & !M {
        0 => 0,
        B => 1,
        W => 2,
        Z if half => 2,
        Z | R => 4,
        V if wide => 8,
        V if half => 2,
        V => 4,
        A => 8,
        E => 3,
        S => 1,
        _ => return None,
    };
    if shape & M != 0 {
        let modrm = u8_at(code, at)?;
        if map == Map::One && opcode & 0xfe == 0xf6 && modrm & 0x38 < 0x10 {
            immediate = if opcode == 0xf6 {
                1
            } else if half {
                2
            } else {
                4
            };
        }
        at += 1;
        let memory = memory_operand(code, modrm, at)?;
        place = at + memory.displacement_at;
        at += memory.length;
        operand = match memory.form {
            Form::Beside => Operand::Beside { trail: immediate },
            Form::Indexed => Operand::Indexed,
            Form::Other => Operand::None,
        };
    } else if shape == S || shape == R {
        operand = if shape == S { Operand::Short } else { Operand::Near };
        place = at;
    }
    let length = at + usize::from(immediate);
    (length <= LENGTH_MAX && length <= code.len()).then_some(Instruction {
        length,
        operand,
        at: place,
        opcode: named,
    })
}

struct Memory {
    length: usize,
    displacement_at: usize,
    form: Form,
}

enum Form {
    Beside,
    Indexed,
    Other,
}

fn memory_operand(code: &[u8], modrm: u8, at: usize) -> Option<Memory> {
    let mode = modrm >> 6;
    let register = modrm & 7;
    if mode == 3 {
        return Some(Memory { length: 0, displacement_at: 0, form: Form::Other });
    }
    if register == 5 && mode == 0 {
        return Some(Memory { length: 4, displacement_at: 0, form: Form::Beside });
    }
    let with_sib = register == 4;
    let no_base = with_sib && mode == 0 && u8_at(code, at)? & 7 == 5;
    let displacement = match mode {
        1 => 1,
        2 => 4,
        _ if no_base => 4,
        _ => 0,
    };
    let indexed = displacement == 4 && mode == 2;
    Some(Memory {
        length: usize::from(with_sib) + displacement,
        displacement_at: usize::from(with_sib),
        form: if indexed { Form::Indexed } else { Form::Other },
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Map {
    One,
    Two,
    Three8,
    ThreeA,
}

fn vector_map(number: u8) -> Option<Map> {
    match number {
        1 => Some(Map::Two),
        2 | 5 | 6 => Some(Map::Three8),
        3 => Some(Map::ThreeA),
        _ => None,
    }
}

/// The architecture allows no longer instruction.
const LENGTH_MAX: usize = 15;

const PREFIXES: [u8; 11] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];

/// What follows an opcode: nothing; a ModRM byte; and one of the immediates.
const N: u8 = 0;
const M: u8 = 0x80;
/// One byte.
const B: u8 = 1;
/// Two bytes.
const W: u8 = 2;
/// Four bytes, two with the operand-size prefix.
const Z: u8 = 3;
/// As Z, eight with REX.W.
const V: u8 = 4;
/// An address of eight bytes.
const A: u8 = 5;
/// Two bytes and one.
const E: u8 = 6;
/// A short jump's distance.
const S: u8 = 7;
/// A near jump's distance.
const R: u8 = 8;
/// Not in 64-bit code.
const X: u8 = 0x7f;
const MB: u8 = M | B;
const MZ: u8 = M | Z;

#[rustfmt::skip]
const ONE: [u8; 256] = [
    M, M, M, M, B, Z, X, X,  M, M, M, M, B, Z, X, X,
    M, M, M, M, B, Z, X, X,  M, M, M, M, B, Z, X, X,
    M, M, M, M, B, Z, X, X,  M, M, M, M, B, Z, X, X,
    M, M, M, M, B, Z, X, X,  M, M, M, M, B, Z, X, X,
    X, X, X, X, X, X, X, X,  X, X, X, X, X, X, X, X,
    N, N, N, N, N, N, N, N,  N, N, N, N, N, N, N, N,
    X, X, X, M, X, X, X, X,  Z, MZ, B, MB, N, N, N, N,
    S, S, S, S, S, S, S, S,  S, S, S, S, S, S, S, S,
    MB, MZ, X, MB, M, M, M, M,  M, M, M, M, M, M, M, M,
    N, N, N, N, N, N, N, N,  N, N, X, N, N, N, N, N,
    A, A, A, A, N, N, N, N,  B, Z, N, N, N, N, N, N,
    B, B, B, B, B, B, B, B,  V, V, V, V, V, V, V, V,
    MB, MB, W, N, X, X, MB, MZ,  E, N, W, N, N, B, X, N,
    M, M, M, M, X, X, X, N,  M, M, M, M, M, M, M, M,
    S, S, S, S, B, B, B, B,  R, R, X, S, N, N, N, N,
    X, N, X, X, N, N, M, M,  N, N, N, N, N, N, M, M,
];

#[rustfmt::skip]
const TWO: [u8; 256] = [
    M, M, M, M, X, N, N, N,  N, N, X, N, X, M, N, MB,
    M, M, M, M, M, M, M, M,  M, M, M, M, M, M, M, M,
    M, M, M, M, X, X, X, X,  M, M, M, M, M, M, M, M,
    N, N, N, N, N, N, X, N,  X, X, X, X, X, X, X, X,
    M, M, M, M, M, M, M, M,  M, M, M, M, M, M, M, M,
    M, M, M, M, M, M, M, M,  M, M, M, M, M, M, M, M,
    M, M, M, M, M, M, M, M,  M, M, M, M, M, M, M, M,
    MB, MB, MB, MB, M, M, M, N,  M, M, M, M, M, M, M, M,
    R, R, R, R, R, R, R, R,  R, R, R, R, R, R, R, R,
    M, M, M, M, M, M, M, M,  M, M, M, M, M, M, M, M,
    N, N, N, M, MB, M, X, X,  N, N, N, M, MB, M, M, M,
    M, M, M, M, M, M, M, M,  M, M, MB, M, M, M, M, M,
    M, M, MB, M, MB, MB, MB, M,  N, N, N, N, N, N, N, N,
    M, M, M, M, M, M, M, M,  M, M, M, M, M, M, M, M,
    M, M, M, M, M, M, M, M,  M, M, M, M, M, M, M, M,
    M, M, M, M, M, M, M, M,  M, M, M, M, M, M, M, M,
];
