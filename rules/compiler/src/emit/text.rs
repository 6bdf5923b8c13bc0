//! The module's functions over texts: substring, comparison, glob, automaton.
//!
//! A text is the address of its length in the window, bytes behind it; needles and patterns
//! lie in the own memory. Nothing reads beyond a text's end.

use super::{WINDOW, own8, own32, own64, window32};
use crate::ir::{Pattern, Piece};
use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};

const ONES: i64 = 0x0101_0101_0101_0101;
const HIGHS: i64 = 0x8080_8080_8080_8080_u64 as i64;
/// The bit in which ASCII letters of both cases differ.
const CASE: i64 = 0x20;

fn window8(offset: u64) -> MemArg {
    MemArg {
        offset,
        align: 0,
        memory_index: WINDOW,
    }
}

/// The needle's first byte and its last one, eight times each: what `find` looks for. `folded`
/// needles are in lower case.
pub(crate) fn edges(needle: &[u8], folded: bool) -> (i64, i64) {
    let case = if folded { CASE as u8 } else { 0 };
    let eight = |byte: Option<&u8>| i64::from_le_bytes([byte.copied().unwrap_or(0) | case; 8]);
    (eight(needle.first()), eight(needle.last()))
}

/// The locals with a needle's edges, and how far they are from each other; and one to use.
struct Needle {
    first: u32,
    last: u32,
    gap: u32,
    differ: u32,
}

/// Leaves the high bit of each candidate among the eight positions at `at`: where the first byte
/// stands, and the last one as far behind as it should. Bits above a true one may be false. If
/// `folded`, letters of both cases are equal, and some other bytes too.
fn candidates(sink: &mut InstructionSink<'_>, folded: bool, at: u32, needle: &Needle) {
    for (edge, gap) in [(needle.first, None), (needle.last, Some(needle.gap))] {
        sink.local_get(at);
        if let Some(gap) = gap {
            sink.local_get(gap).i32_add();
        }
        sink.i64_load(window8(0));
        if folded {
            sink.i64_const(ONES.wrapping_mul(CASE)).i64_or();
        }
        sink.local_get(edge).i64_xor();
    }
    // A byte of 0 in the difference gives a high bit.
    sink.i64_or().local_tee(needle.differ);
    sink.i64_const(ONES).i64_sub();
    sink.local_get(needle.differ).i64_const(-1).i64_xor();
    sink.i64_and().i64_const(HIGHS).i64_and();
}

/// `(text, needle, gap, first, last) -> i32`: whether the text contains the needle, of `gap` + 1
/// bytes, whose [`edges`] are given; `folded` takes letters of both cases for equal.
///
/// Eight positions at a time, and only for candidates. Most texts have none: what is to be done
/// where there is one is left to `seek`, the function of that name.
pub(crate) fn find(folded: bool, seek: u32) -> Function {
    const TEXT: u32 = 0;
    const NEEDLE: u32 = 1;
    const GAP: u32 = 2;
    const WITH: Needle = Needle {
        first: 3,
        last: 4,
        gap: GAP,
        differ: 6,
    };
    /// The last eight positions.
    const REST: u32 = 5;
    /// The next position.
    const AT: u32 = TEXT;
    let mut function = Function::new([(1, ValType::I32), (1, ValType::I64)]);
    let mut sink = function.instructions();
    sink.local_get(TEXT).i32_load(window32(0)).local_tee(REST);
    sink.local_get(GAP).i32_le_u().if_(BlockType::Empty);
    sink.i32_const(0).return_().end();
    sink.local_get(TEXT).local_get(REST).i32_add();
    sink.local_get(GAP).i32_sub().i32_const(4).i32_sub();
    sink.local_set(REST);
    sink.local_get(TEXT).i32_const(4).i32_add().local_set(AT);

    sink.block(BlockType::Empty);
    sink.local_get(AT).local_get(REST).i32_lt_u();
    sink.if_(BlockType::Empty);
    sink.loop_(BlockType::Empty);
    candidates(&mut sink, folded, AT, &WITH);
    sink.i64_eqz().i32_eqz().br_if(2);
    sink.local_get(AT).i32_const(8).i32_add().local_tee(AT);
    sink.local_get(REST).i32_lt_u().br_if(0).end();
    sink.end();
    // What was looked at before, or stands before the text in its row, does not count.
    candidates(&mut sink, folded, REST, &WITH);
    sink.local_get(AT).local_get(REST).i32_sub();
    sink.i32_const(3).i32_shl().i64_extend_i32_u();
    sink.i64_shr_u().i64_eqz().if_(BlockType::Empty);
    sink.i32_const(0).return_().end();
    sink.end();
    sink.local_get(AT).local_get(REST);
    sink.local_get(NEEDLE).local_get(GAP).call(seek).end();
    function
}

/// `(at, rest, needle, gap) -> i32`: whether the needle begins at one of the positions from `at`
/// on, up to the eighth at `rest`.
pub(crate) fn seek(folded: bool) -> Function {
    const AT: u32 = 0;
    const REST: u32 = 1;
    const NEEDLE: u32 = 2;
    const GAP: u32 = 3;
    // i32
    const EIGHT: u32 = 4;
    const HERE: u32 = 5;
    const DONE: u32 = 6;
    const BYTE: u32 = 7;
    // i64
    const WITH: Needle = Needle {
        first: 8,
        last: 9,
        gap: GAP,
        differ: 10,
    };
    const FOUND: u32 = 11;
    let mut function = Function::new([(4, ValType::I32), (4, ValType::I64)]);
    let mut sink = function.instructions();
    for (gap, into) in [(None, WITH.first), (Some(GAP), WITH.last)] {
        sink.local_get(NEEDLE);
        if let Some(gap) = gap {
            sink.local_get(gap).i32_add();
        }
        sink.i64_load8_u(own8(0));
        if folded {
            sink.i64_const(CASE).i64_or();
        }
        sink.i64_const(ONES).i64_mul().local_set(into);
    }
    sink.loop_(BlockType::Empty);
    // Those before `at` do not count.
    sink.local_get(AT).local_get(REST);
    sink.local_get(AT).local_get(REST).i32_lt_u().select();
    sink.local_set(EIGHT);
    candidates(&mut sink, folded, EIGHT, &WITH);
    sink.i64_const(-1);
    sink.local_get(AT).local_get(EIGHT).i32_sub();
    sink.i32_const(3).i32_shl().i64_extend_i32_u();
    sink.i64_shl().i64_and().local_tee(FOUND);
    sink.i64_eqz().i32_eqz().if_(BlockType::Empty);
    sink.loop_(BlockType::Empty);
    sink.local_get(EIGHT);
    sink.local_get(FOUND).i64_ctz().i64_const(3);
    sink.i64_shr_u().i32_wrap_i64();
    sink.i32_add().local_set(HERE);
    compare(&mut sink, folded, HERE, NEEDLE, GAP, DONE, BYTE);
    // The lowest candidate is done with.
    sink.local_get(FOUND).local_get(FOUND).i64_const(1);
    sink.i64_sub().i64_and().local_tee(FOUND);
    sink.i64_eqz().i32_eqz().br_if(0).end().end();
    sink.local_get(EIGHT).i32_const(8).i32_add().local_set(AT);
    sink.local_get(EIGHT)
        .local_get(REST)
        .i32_ne()
        .br_if(0)
        .end();
    sink.i32_const(0).end();
    function
}

/// Returns 1 from the function if the needle stands at `here`.
fn compare(
    sink: &mut InstructionSink<'_>,
    folded: bool,
    here: u32,
    needle: u32,
    gap: u32,
    done: u32,
    byte: u32,
) {
    sink.i32_const(0).local_set(done);
    sink.block(BlockType::Empty);
    sink.loop_(BlockType::Empty);
    sink.local_get(here)
        .local_get(done)
        .i32_add()
        .i32_load8_u(window8(0));
    if folded {
        // Lower case of a letter: bit 0x20, if the byte is between A and Z.
        sink.local_tee(byte).local_get(byte).i32_const(65).i32_sub();
        sink.i32_const(26)
            .i32_lt_u()
            .i32_const(5)
            .i32_shl()
            .i32_or();
    }
    sink.local_get(needle)
        .local_get(done)
        .i32_add()
        .i32_load8_u(own8(0));
    sink.i32_ne().br_if(1);
    sink.local_get(done).local_get(gap).i32_eq();
    sink.if_(BlockType::Empty).i32_const(1).return_().end();
    sink.local_get(done).i32_const(1).i32_add().local_set(done);
    sink.br(0);
    sink.end().end();
}

/// `(address in the window, data, count) -> i32`: whether both hold the same bytes.
pub(crate) fn same() -> Function {
    const TEXT: u32 = 0;
    const DATA: u32 = 1;
    const COUNT: u32 = 2;
    let mut function = Function::new([]);
    let mut sink = function.instructions();
    for (step, long) in [(8, true), (1, false)] {
        sink.block(BlockType::Empty);
        sink.loop_(BlockType::Empty);
        sink.local_get(COUNT).i32_const(step).i32_lt_u().br_if(1);
        sink.local_get(TEXT);
        match long {
            true => sink.i64_load(window8(0)),
            false => sink.i32_load8_u(window8(0)),
        };
        sink.local_get(DATA);
        match long {
            true => sink.i64_load(MemArg {
                align: 0,
                ..own64(0)
            }),
            false => sink.i32_load8_u(own8(0)),
        };
        match long {
            true => sink.i64_ne(),
            false => sink.i32_ne(),
        };
        sink.if_(BlockType::Empty).i32_const(0).return_().end();
        for (local, by) in [(TEXT, step), (DATA, step), (COUNT, -step)] {
            sink.local_get(local)
                .i32_const(by)
                .i32_add()
                .local_set(local);
        }
        sink.br(0).end().end();
    }
    sink.i32_const(1).end();
    function
}

/// Kinds of pieces in a pattern's encoding.
const BYTE: u32 = 0;
const ANY: u32 = 1;
const STAR: u32 = 2;
const CLASS: u32 = 3;
/// `kind u32 | byte, or offset of a class's 256 bits among the data, u32`
const PIECE_BYTES: i32 = 8;

/// The pieces as `glob` reads them. `place` puts a class's bits into the data.
pub(crate) fn pieces(pattern: &Pattern, mut place: impl FnMut(&[u8]) -> u32) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in &pattern.0 {
        let (kind, operand) = match piece {
            Piece::Byte(byte) => (BYTE, u32::from(*byte)),
            Piece::Any => (ANY, 0),
            Piece::Star => (STAR, 0),
            Piece::Class { .. } => {
                let mut bits = [0u8; 32];
                for byte in 0..=u8::MAX {
                    if piece.takes(byte) {
                        bits[usize::from(byte / 8)] |= 1 << (byte % 8);
                    }
                }
                (CLASS, place(&bits))
            }
        };
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&operand.to_le_bytes());
    }
    out
}

/// `(text, pieces, count) -> i32`: whether the whole text matches. On a mismatch only the last
/// star met takes one byte more: text times pieces at worst.
pub(crate) fn glob(data: u32) -> Function {
    const TEXT: u32 = 0;
    const PIECE: u32 = 1;
    const COUNT: u32 = 2;
    const END: u32 = 3;
    const PIECES_END: u32 = 4;
    const RETRY_PIECE: u32 = 5;
    const RETRY_TEXT: u32 = 6;
    const KIND: u32 = 7;
    const HERE: u32 = 8;
    const OPERAND: u32 = 9;
    let mut function = Function::new([(7, ValType::I32)]);
    let mut sink = function.instructions();
    sink.local_get(PIECE)
        .local_get(COUNT)
        .i32_const(PIECE_BYTES)
        .i32_mul();
    sink.i32_add().local_set(PIECES_END);
    sink.local_get(TEXT).i32_const(4).i32_add();
    sink.local_get(TEXT)
        .i32_load(window32(0))
        .i32_add()
        .local_set(END);
    sink.local_get(TEXT).i32_const(4).i32_add().local_set(TEXT);

    sink.block(BlockType::Empty);
    sink.loop_(BlockType::Empty); // next byte
    sink.local_get(TEXT).local_get(END).i32_ge_u().br_if(1);
    sink.block(BlockType::Empty); // mismatch
    sink.local_get(PIECE)
        .local_get(PIECES_END)
        .i32_ge_u()
        .br_if(0);
    sink.local_get(PIECE).i32_load(own32(0)).local_set(KIND);
    sink.local_get(PIECE).i32_load(own32(4)).local_set(OPERAND);
    // A star: remember where to come back to.
    sink.local_get(KIND).i32_const(STAR as i32).i32_eq();
    sink.if_(BlockType::Empty);
    sink.local_get(PIECE).i32_const(PIECE_BYTES).i32_add();
    sink.local_tee(PIECE).local_set(RETRY_PIECE);
    sink.local_get(TEXT).local_set(RETRY_TEXT);
    sink.br(2).end();
    sink.local_get(TEXT).i32_load8_u(window8(0)).local_set(HERE);
    sink.local_get(KIND).i32_const(BYTE as i32).i32_eq();
    sink.if_(BlockType::Empty);
    sink.local_get(HERE).local_get(OPERAND).i32_ne().br_if(1);
    sink.end();
    sink.local_get(KIND).i32_const(CLASS as i32).i32_eq();
    sink.if_(BlockType::Empty);
    sink.local_get(OPERAND)
        .local_get(HERE)
        .i32_const(3)
        .i32_shr_u()
        .i32_add();
    sink.i32_load8_u(own8(data));
    sink.local_get(HERE).i32_const(7).i32_and().i32_shr_u();
    sink.i32_const(1).i32_and().i32_eqz().br_if(1);
    sink.end();
    // It takes the byte.
    sink.local_get(PIECE)
        .i32_const(PIECE_BYTES)
        .i32_add()
        .local_set(PIECE);
    sink.local_get(TEXT).i32_const(1).i32_add().local_set(TEXT);
    sink.br(1).end();
    // Back to the last star, if there was one; addresses of the data are never 0.
    sink.local_get(RETRY_PIECE).i32_eqz();
    sink.if_(BlockType::Empty).i32_const(0).return_().end();
    sink.local_get(RETRY_PIECE).local_set(PIECE);
    sink.local_get(RETRY_TEXT).i32_const(1).i32_add();
    sink.local_tee(RETRY_TEXT).local_set(TEXT);
    sink.br(0).end().end();

    // Only stars may be left.
    sink.block(BlockType::Empty);
    sink.loop_(BlockType::Empty);
    sink.local_get(PIECE)
        .local_get(PIECES_END)
        .i32_ge_u()
        .br_if(1);
    sink.local_get(PIECE)
        .i32_load(own32(0))
        .i32_const(STAR as i32)
        .i32_ne();
    sink.if_(BlockType::Empty).i32_const(0).return_().end();
    sink.local_get(PIECE)
        .i32_const(PIECE_BYTES)
        .i32_add()
        .local_set(PIECE);
    sink.br(0).end().end();
    sink.i32_const(1).end();
    function
}

/// `(text, table, row) -> i32`: whether the automaton whose table lies there, beginning at that
/// row, accepts the whole text, or the text from its last byte to its first. The table is as
/// `Automaton::encode` makes it.
pub(crate) fn walk(is_backward: bool) -> Function {
    const TEXT: u32 = 0;
    const TABLE: u32 = 1;
    const ROW: u32 = 2;
    const AT: u32 = 3;
    const END: u32 = 4;
    let mut function = Function::new([(2, ValType::I32)]);
    let mut sink = function.instructions();
    sink.local_get(TEXT).i32_const(4).i32_add().local_set(AT);
    sink.local_get(AT).local_get(TEXT).i32_load(window32(0));
    sink.i32_add().local_set(END);
    if is_backward {
        sink.local_get(AT).local_get(END);
        sink.local_set(AT).local_set(END);
    }
    sink.block(BlockType::Empty);
    sink.loop_(BlockType::Empty);
    // No row: nothing is accepted any more.
    sink.local_get(ROW).i32_eqz().if_(BlockType::Empty);
    sink.i32_const(0).return_().end();
    sink.local_get(AT).local_get(END).i32_eq().br_if(1);
    if is_backward {
        sink.local_get(AT).i32_const(1).i32_sub().local_set(AT);
    }
    sink.local_get(TABLE).local_get(ROW).i32_add();
    sink.local_get(TABLE);
    sink.local_get(AT).i32_load8_u(window8(0)).i32_add();
    sink.i32_load8_u(own8(0)).i32_const(2).i32_shl().i32_add();
    sink.i32_load(own32(4)).local_set(ROW);
    if !is_backward {
        sink.local_get(AT).i32_const(1).i32_add().local_set(AT);
    }
    sink.br(0).end().end();
    sink.local_get(TABLE).local_get(ROW).i32_add();
    sink.i32_load(own32(0)).end();
    function
}
