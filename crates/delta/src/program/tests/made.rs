//! Images in which every kind of reference stands once, with what it refers to moved by `shift` or not.
//!
//! The first half of the code stays, the second moves by `shift`, the data by twice as much.

use std::ops::Range;

use crate::Run;

/// How far the second half of the code moves.
pub(super) const SHIFT: u64 = 0x60;
/// Code that stays; code that moves; data; tables; where the tables of sections stand.
const STAY: u64 = 0x1000;
const MOVE: u64 = 0x1800;
const DATA: u64 = 0x3000;
const HEAD: u64 = 0x6000;
const END: u64 = 0x6800;
/// Tables that begin at one place in both builds and whose entries move: symbols, strings, relocations.
const SYMBOLS: u64 = 0x4a40;
const STRINGS: u64 = 0x4c00;
const RELOCATIONS: u64 = 0x4e40;
/// Variables without bytes, which move within their section by half as much.
const ZEROS: u64 = 0x8000;

/// An image and the places of its references.
pub(super) struct Made {
    pub(super) bytes: Vec<u8>,
    pub(super) references: Vec<(&'static str, Range<usize>)>,
    shift: u64,
}

/// What an encoder would find out about two builds.
pub(super) fn runs(new_len: usize) -> Vec<Run> {
    let run = |old: u64, shift: u64, end: u64| Run {
        new: (old + shift) as u32,
        old: old as u32,
        len: end.saturating_sub(old) as u32,
    };
    let mut runs = vec![run(0, 0, MOVE), run(MOVE, SHIFT, DATA - 0x800), run(DATA, 2 * SHIFT, HEAD - 0x800)];
    runs.push(run(HEAD, 0, new_len as u64));
    runs
}

impl Made {
    fn new(shift: u64) -> Self {
        Self { bytes: vec![0; END as usize], references: Vec::new(), shift }
    }

    /// An address in the moving code, and one in the data.
    fn code(&self, at: u64) -> u64 {
        MOVE + self.shift + at
    }

    fn data(&self, at: u64) -> u64 {
        DATA + 2 * self.shift + at
    }

    fn zeros(&self, at: u64) -> u64 {
        ZEROS + self.shift / 2 + at
    }

    fn put(&mut self, at: u64, bytes: &[u8]) {
        self.bytes[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    }

    fn refer(&mut self, name: &'static str, at: u64, bytes: &[u8]) {
        self.put(at, bytes);
        self.references.push((name, at as usize..at as usize + bytes.len()));
    }

    fn word(&mut self, at: u64, value: u64) {
        self.put(at, &(value as u32).to_le_bytes());
    }

    fn long(&mut self, at: u64, value: u64) {
        self.put(at, &value.to_le_bytes());
    }

    fn refer_word(&mut self, name: &'static str, at: u64, value: u64) {
        self.refer(name, at, &(value as u32).to_le_bytes());
    }

    fn refer_long(&mut self, name: &'static str, at: u64, value: u64) {
        self.refer(name, at, &value.to_le_bytes());
    }

    /// Code that stays refers to what moves, so that each operand changes.
    fn x86_code(&mut self) {
        self.bytes[STAY as usize..DATA as usize].fill(0x90);
        let mut at = STAY;
        let targets =
            [self.code(0x10), self.data(0x100), self.data(0x108), self.zeros(0x20), self.data(0x110)];
        let operands: [(&'static str, &[u8], u64, &[u8]); 9] = [
            ("call", &[0xe8], targets[0], &[]),
            ("local jump", &[0xe9], targets[0], &[]),
            ("local conditional jump", &[0x0f, 0x84], targets[0], &[]),
            ("load", &[0x48, 0x8b, 0x05], targets[1], &[]),
            ("compare with a byte", &[0x80, 0x3d], targets[2], &[0x07]),
            ("store of a half-word", &[0x66, 0xc7, 0x05], targets[1], &[1, 2]),
            ("store of a word", &[0xc7, 0x05], targets[1], &[1, 2, 3, 4]),
            ("variable without bytes", &[0x8b, 0x05], targets[3], &[]),
            ("vector load", &[0xc5, 0xf8, 0x10, 0x05], targets[4], &[]),
        ];
        for (name, opcode, target, immediate) in operands {
            self.put(at, opcode);
            at += opcode.len() as u64;
            self.put(at + 4, immediate);
            let end = at + 4 + immediate.len() as u64;
            self.refer_word(name, at, target.wrapping_sub(end));
            at = end;
        }
        for _ in 0..2 {
            self.put(at, &[0x8b, 0x05]);
            self.word(at + 2, self.zeros(0x20).wrapping_sub(at + 6));
            at += 6;
        }
    }
}

/// Section headers from `HEAD`: name, type, flags, address, bytes, link, entry.
fn elf(made: &mut Made, machine: u16, sections: &[(u32, u64, u64, u64, u32, u64)]) {
    made.put(0, &[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    made.put(16, &[3, 0]);
    made.put(18, &machine.to_le_bytes());
    made.refer_long("entry", 24, made.code(0));
    made.long(32, 64);
    made.long(40, HEAD);
    made.put(54, &[56, 0, 2, 0, 64, 0, sections.len() as u8 + 1, 0]);
    for (index, (kind, flags, at, size, memory)) in
        [(1, 5, 0, HEAD, 0x4000 + HEAD), (0x6474_e550, 4, made.data(0x900), 0x100, 0x100)]
            .into_iter()
            .enumerate()
    {
        let header = 64 + 56 * index as u64;
        made.word(header, kind);
        made.word(header + 4, flags);
        for (field, value) in [(8, at), (16, at), (24, at), (32, size), (40, memory)] {
            made.long(header + field, value);
        }
    }
    for (index, (kind, flags, at, size, link, entry)) in sections.iter().enumerate() {
        let header = HEAD + 64 * (index as u64 + 1);
        made.word(header + 4, u64::from(*kind));
        made.long(header + 8, *flags);
        made.long(header + 16, *at);
        made.long(header + 24, *at);
        made.long(header + 32, *size);
        made.word(header + 40, u64::from(*link));
        made.long(header + 56, *entry);
    }
}

fn sections(made: &Made) -> Vec<(u32, u64, u64, u64, u32, u64)> {
    vec![
        (1, 6, STAY, DATA - STAY - 0x800, 0, 0),
        (1, 3, made.data(0), 0x400, 0, 0),
        // Strings, symbols, relocations, dynamic section, packed relocations.
        (3, 2, STRINGS, 0x200, 0, 0),
        (11, 2, SYMBOLS, 0x1b0, 3, 24),
        (4, 0x42, RELOCATIONS, 0x1b0, 4, 24),
        (6, 3, made.data(0x600), 64, 3, 16),
        (19, 2, made.data(0x680), 24, 0, 8),
        (8, 3, ZEROS, 0x1000 + made.shift, 0, 0),
    ]
}

/// What the tables of an ELF image name: symbols, relocations, the dynamic section, frames.
fn elf_tables(made: &mut Made, relative: u64) {
    let data = made.data(0);
    for (name, at) in [("a", 0), ("bb", 1), ("ccc", 2)] {
        made.put(data + 0x100 + at * 8, name.as_bytes());
    }
    made.put(data + 0x1d01, b"symbol\0");
    let symbol = data + 0x1b00;
    made.refer_word("name", symbol, data + 0x1d01 - STRINGS);
    made.put(symbol + 4, &[0x12, 0, 1, 0]);
    made.refer_long("symbol", symbol + 8, made.code(0x10));
    made.refer_word("name", symbol + 24, data + 0x1d01 - STRINGS);
    made.put(symbol + 28, &[0x12, 0, 1, 0]);
    made.long(symbol + 32, STAY + 0x700);
    made.refer_long("length of a symbol", symbol + 40, made.code(0x30) - STAY - 0x700);
    let relocation = data + 0x1f00;
    made.refer_long("place of a relocation", relocation, data + 0x200);
    made.long(relocation + 8, relative);
    made.refer_long("addend", relocation + 16, made.code(0x20));
    made.refer_long("place of another", relocation + 24, data + 0x220);
    made.word(relocation + 32, relative - 1);
    made.refer_word("number of a symbol", relocation + 36, (symbol - SYMBOLS) / 24);
    made.refer_long("pointer", data + 0x200, made.code(0x20));
    made.long(data + 0x600, 5);
    made.refer_long("dynamic section", data + 0x608, data + 0x400);
    made.refer_long("packed relocation", data + 0x680, data + 0x208);
    made.long(data + 0x688, 0b101);
    made.refer_long("packed pointer", data + 0x208, made.code(0x30));
    made.refer_long("second packed pointer", data + 0x218, made.code(0x38));
    frames(made, data + 0x900, data + 0xa00);
}

fn frames(made: &mut Made, header: u64, frames: u64) {
    made.put(header, &[1, 0x1b, 0x03, 0x3b]);
    made.word(header + 4, frames - header - 4);
    made.word(header + 8, 1);
    let entry = frames + 24;
    made.refer_word("frame in the sorted table", header + 12, made.code(0x10).wrapping_sub(header));
    made.word(header + 16, entry - header);
    made.word(frames, 20);
    made.put(frames + 8, &[1, b'z', b'R', 0, 1, 0x78, 16, 1, 0x1b]);
    made.word(entry, 20);
    made.word(entry + 4, 28);
    made.refer_word("frame", entry + 8, made.code(0x10).wrapping_sub(entry + 8));
    made.word(entry + 12, 0x20);
    let second = entry + 24;
    made.word(second, 20);
    made.word(second + 4, 52);
    made.refer_word("second frame", second + 8, (STAY + 0x700).wrapping_sub(second + 8));
    made.refer_word("length of a frame", second + 12, made.code(0x30) - STAY - 0x700);
}

pub(super) fn x86_elf(shift: u64) -> Made {
    let mut made = Made::new(shift);
    made.x86_code();
    elf_tables(&mut made, 8);
    let stub = STAY + 0x400;
    made.put(stub, &[0xff, 0x25]);
    made.refer_word("slot", stub + 2, made.data(0x220) - stub - 6);
    made.put(stub + 6, &[0x68]);
    made.refer_word("length of the way to a relocation", stub + 7, (made.data(0x1f18) - RELOCATIONS) / 24);
    // A table of jumps, and the code that forms its address.
    let table = made.data(0x300);
    let lea = STAY + 0x200;
    made.put(lea, &[0x48, 0x8d, 0x05]);
    made.refer_word("address of a table", lea + 3, table - lea - 7);
    for (index, name) in ["first jump", "second jump"].into_iter().enumerate() {
        let at = table + 4 * index as u64;
        made.refer_word(name, at, made.code(0x40 + at - table).wrapping_sub(table));
    }
    let mut sections = sections(&made);
    sections.push((1, 6, stub, 16, 0, 16));
    sections.push((1, 6, stub + 16, DATA - 0x800 - stub - 16, 0, 0));
    sections[0].3 = 0x400;
    elf(&mut made, 62, &sections);
    made
}

pub(super) fn arm_elf(shift: u64) -> Made {
    let mut made = Made::new(shift);
    for at in (STAY..DATA).step_by(4) {
        made.word(at, 0xd503_201f);
    }
    elf_tables(&mut made, 1027);
    let mut at = STAY;
    let mut instruction = |made: &mut Made, name: &'static str, word: u64| {
        made.refer_word(name, at, word);
        at += 4;
    };
    let far = made.code(0x10);
    let distance = |place: u64| (far - place) / 4;
    instruction(&mut made, "call", 0x9400_0000 | distance(STAY));
    instruction(&mut made, "branch", 0x1400_0000 | distance(STAY + 4));
    instruction(&mut made, "local conditional branch", 0x5400_0000 | distance(STAY + 8) << 5);
    instruction(&mut made, "local compare and branch", 0xb400_0000 | distance(STAY + 12) << 5);
    instruction(&mut made, "local test and branch", 0x3600_0000 | distance(STAY + 16) << 5);
    instruction(&mut made, "near address", 0x1000_0000 | distance(STAY + 20) << 5);
    let pool = made.data(0x100) & !7;
    let pages = pool / 0x1000 - 1;
    made.word(STAY + 24, 0x9000_0003 | (pages % 4) << 29 | (pages / 4) << 5);
    made.refer_word("low bits added", STAY + 28, 0x9100_0000 | (pool & 0xfff) << 10 | 3 << 5 | 4);
    made.refer_word(
        "low bits of a load",
        STAY + 32,
        0xf940_0000 | (((pool + 8) & 0xfff) / 8) << 10 | 3 << 5 | 5,
    );
    let sections = sections(&made);
    elf(&mut made, 183, &sections);
    made
}

pub(super) fn pe(shift: u64) -> Made {
    let mut made = Made::new(shift);
    made.x86_code();
    let (base, data) = (0x1_8000_0000_u64, made.data(0));
    made.put(0, b"MZ");
    made.word(0x3c, 0x80);
    made.put(0x80, b"PE\0\0");
    made.put(0x84, &[0x64, 0x86, 3, 0]);
    made.put(0x94, &[0xf0, 0]);
    let optional = 0x98;
    made.put(optional, &[0x0b, 2]);
    made.refer_word("entry", optional + 16, made.code(0x10));
    made.long(optional + 24, base);
    made.word(optional + 60, 0x1000);
    made.word(optional + 108, 16);
    for (index, at, size) in [(0, 0x700, 40), (1, 0x600, 20), (3, 0x500, 12), (5, 0x400, 10)] {
        made.refer_word("directory", optional + 112 + index * 8, data + at);
        made.word(optional + 116 + index * 8, size);
    }
    let places =
        [(STAY, DATA - STAY - 0x800, 0x6000_0020), (data, 0x1000, 0x4000_0040), (ZEROS, 0, 0xc000_0080)];
    for (index, (at, size, flags)) in places.into_iter().enumerate() {
        let header = optional + 0xf0 + 40 * index as u64;
        made.put(header, &[b'.', b'a' + index as u8]);
        for (field, value) in [(8, size.max(0x1000)), (12, at), (16, size), (20, at), (36, flags)] {
            made.word(header + field, value);
        }
    }
    for (name, at) in [("a", 0), ("bb", 1), ("ccc", 2)] {
        made.put(data + 0x100 + at * 8, name.as_bytes());
    }
    made.refer_long("pointer", data + 0x200, base + made.code(0x20));
    made.word(data + 0x400, (data + 0x200) & !0xfff);
    made.word(data + 0x404, 10);
    made.refer(
        "length of the way into a page",
        data + 0x408,
        &(0xa000 | ((data + 0x200) & 0xfff) as u16).to_le_bytes(),
    );
    made.refer_word("begin of a function", data + 0x500, made.code(0x10));
    made.refer_word("end of a function", data + 0x504, made.code(0x30));
    made.refer_word("unwind codes", data + 0x508, data + 0x580);
    made.put(data + 0x580, &[0x09, 0, 0, 0]);
    made.refer_word("handler", data + 0x584, made.code(0x40));
    made.refer_word("imported functions", data + 0x600, data + 0x640);
    made.refer_word("library", data + 0x60c, data + 0x108);
    made.refer_long("imported name", data + 0x640, data + 0x110);
    made.word(data + 0x714, 1);
    made.refer_word("exported functions", data + 0x71c, data + 0x740);
    made.refer_word("exported function", data + 0x740, made.code(0x10));
    made
}
