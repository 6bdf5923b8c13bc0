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

/// `(text, needle, count) -> i32`: whether the text contains the needle, which is not empty;
/// `folded` takes letters of both cases for equal, the needle being in lower case.
///
/// Eight positions at a time: a position is a candidate if the needle's first byte stands
/// there and its last byte as far behind as it should; only candidates are compared.
pub(crate) fn find(folded: bool) -> Function {
    const TEXT: u32 = 0;
    const NEEDLE: u32 = 1;
    const COUNT: u32 = 2;
    // i32
    const AT: u32 = 3;
    const STOP: u32 = 4;
    const GAP: u32 = 5;
    const HERE: u32 = 6;
    const DONE: u32 = 7;
    const BYTE: u32 = 8;
    // i64
    const FIRST: u32 = 9;
    const LAST: u32 = 10;
    const FOUND: u32 = 11;
    let mut function = Function::new([(6, ValType::I32), (3, ValType::I64)]);
    let mut sink = function.instructions();

    // Shorter than the needle: no.
    sink.local_get(TEXT).i32_load(window32(0)).local_tee(STOP);
    sink.local_get(COUNT).i32_lt_u().if_(BlockType::Empty);
    sink.i32_const(0).return_().end();
    // An empty needle is everywhere.
    sink.local_get(COUNT).i32_eqz().if_(BlockType::Empty);
    sink.i32_const(1).return_().end();
    sink.local_get(COUNT).i32_const(1).i32_sub().local_set(GAP);
    sink.local_get(TEXT).i32_const(4).i32_add().local_tee(AT);
    // STOP: behind the last position where the needle could begin.
    sink.local_get(STOP)
        .i32_add()
        .local_get(GAP)
        .i32_sub()
        .local_set(STOP);
    let spread = |sink: &mut InstructionSink<'_>, into: u32| {
        sink.i64_load8_u(own8(0));
        if folded {
            sink.i64_const(CASE).i64_or();
        }
        sink.i64_const(ONES).i64_mul().local_set(into);
    };
    sink.local_get(NEEDLE);
    spread(&mut sink, FIRST);
    sink.local_get(NEEDLE).local_get(GAP).i32_add();
    spread(&mut sink, LAST);

    // Eight at a time; the last eight may have been looked at in part.
    sink.local_get(STOP).local_get(AT).i32_sub();
    sink.i32_const(8).i32_ge_s().if_(BlockType::Empty);
    sink.loop_(BlockType::Empty);
    let differ = |sink: &mut InstructionSink<'_>, with: u32| {
        sink.i64_load(window8(0));
        if folded {
            sink.i64_const(ONES.wrapping_mul(CASE)).i64_or();
        }
        sink.local_get(with).i64_xor();
    };
    sink.local_get(AT);
    differ(&mut sink, FIRST);
    sink.local_get(AT).local_get(GAP).i32_add();
    differ(&mut sink, LAST);
    sink.i64_or().local_tee(FOUND);
    // A byte of 0 in the difference gives a high bit; bits above a true one may be false.
    sink.i64_const(ONES).i64_sub();
    sink.local_get(FOUND).i64_const(-1).i64_xor().i64_and();
    sink.i64_const(HIGHS).i64_and().local_tee(FOUND);
    sink.i64_eqz().i32_eqz().if_(BlockType::Empty);
    sink.loop_(BlockType::Empty);
    sink.local_get(AT);
    sink.local_get(FOUND).i64_ctz().i64_const(3);
    sink.i64_shr_u().i32_wrap_i64();
    sink.i32_add().local_set(HERE);
    compare(&mut sink, folded, HERE, NEEDLE, COUNT, DONE, BYTE);
    // The lowest candidate is done with.
    sink.local_get(FOUND).local_get(FOUND).i64_const(1);
    sink.i64_sub().i64_and().local_tee(FOUND);
    sink.i64_eqz().i32_eqz().br_if(0).end().end();
    sink.local_get(AT).i32_const(8).i32_add().local_tee(AT);
    sink.i32_const(8)
        .i32_add()
        .local_get(STOP)
        .i32_le_u()
        .br_if(0);
    // None left?
    sink.local_get(AT)
        .local_get(STOP)
        .i32_lt_u()
        .if_(BlockType::Empty);
    sink.local_get(STOP)
        .i32_const(8)
        .i32_sub()
        .local_set(AT)
        .br(1);
    sink.end().end();
    sink.i32_const(0).return_().end();

    // Fewer than eight positions: one by one.
    sink.block(BlockType::Empty);
    sink.loop_(BlockType::Empty);
    sink.local_get(AT).local_get(STOP).i32_ge_u().br_if(1);
    compare(&mut sink, folded, AT, NEEDLE, COUNT, DONE, BYTE);
    sink.local_get(AT).i32_const(1).i32_add().local_set(AT);
    sink.br(0).end().end();
    sink.i32_const(0).end();
    function
}

/// Returns 1 from the function if the needle stands at `here`.
fn compare(
    sink: &mut InstructionSink<'_>,
    folded: bool,
    here: u32,
    needle: u32,
    count: u32,
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
    sink.local_get(done).i32_const(1).i32_add().local_tee(done);
    sink.local_get(count).i32_lt_u().br_if(0);
    sink.i32_const(1).return_();
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
/// row, accepts the whole text. The table is as `Automaton::encode` makes it.
pub(crate) fn walk() -> Function {
    const TEXT: u32 = 0;
    const TABLE: u32 = 1;
    const ROW: u32 = 2;
    const END: u32 = 3;
    let mut function = Function::new([(1, ValType::I32)]);
    let mut sink = function.instructions();
    sink.local_get(TEXT).i32_const(4).i32_add();
    sink.local_get(TEXT).i32_load(window32(0));
    sink.i32_add().local_set(END);
    sink.local_get(TEXT).i32_const(4).i32_add().local_set(TEXT);
    sink.block(BlockType::Empty);
    sink.loop_(BlockType::Empty);
    // No row: nothing is accepted any more.
    sink.local_get(ROW).i32_eqz().if_(BlockType::Empty);
    sink.i32_const(0).return_().end();
    sink.local_get(TEXT).local_get(END).i32_ge_u().br_if(1);
    sink.local_get(TABLE).local_get(ROW).i32_add();
    sink.local_get(TABLE);
    sink.local_get(TEXT).i32_load8_u(window8(0)).i32_add();
    sink.i32_load8_u(own8(0)).i32_const(2).i32_shl().i32_add();
    sink.i32_load(own32(4)).local_set(ROW);
    sink.local_get(TEXT).i32_const(1).i32_add().local_set(TEXT);
    sink.br(0).end().end();
    sink.local_get(TABLE).local_get(ROW).i32_add();
    sink.i32_load(own32(0)).end();
    function
}
