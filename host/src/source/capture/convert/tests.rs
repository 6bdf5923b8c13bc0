use super::*;
use saker_capture::{ParamBuffer, Params};
use std::collections::{BTreeMap, BTreeSet};

/// An event and what it became: its type or that of the call it begins, and its parameters.
type Made = (EventType, Option<u16>, Vec<Vec<u8>>);

fn buffer(params: &[&[u8]]) -> ParamBuffer {
    let mut buffer = ParamBuffer::new();
    params.iter().for_each(|param| assert!(buffer.push(param)));
    buffer
}

fn event(tid: i64, code: u16, params: Params<'_>) -> Event<'_> {
    Event {
        cpu: 0,
        flags: 0,
        time: 0,
        tid,
        code,
        params,
    }
}

fn convert(
    converter: &mut Converter,
    tid: i64,
    code: u16,
    params: &[&[u8]],
) -> (Outcome, Option<Made>) {
    let buffer = buffer(params);
    let mut made = None;
    let outcome = converter.convert(&event(tid, code, buffer.params()), |converted| {
        let params = converted.params.iter().map(|param| param.to_vec());
        made = Some((converted.kind, converted.beginning, params.collect()));
    });
    (outcome, made)
}

/// What it became, which is an event.
fn made(
    converter: &mut Converter,
    tid: i64,
    code: u16,
    params: &[&[u8]],
) -> (EventType, Vec<Vec<u8>>) {
    match convert(converter, tid, code, params) {
        (Outcome::Written, Some((kind, None, params))) => (kind, params),
        other => panic!("{code} with {} became {other:?}", params.len()),
    }
}

fn i64s<const N: usize>(values: [i64; N]) -> [[u8; 8]; N] {
    values.map(i64::to_le_bytes)
}

/// The type of the parameter that a part takes of a call's beginning, if it takes one.
fn taken(part: &Part) -> Option<u8> {
    match part {
        Part::Enter(index) | Part::EnterOrEmpty(index) => Some(*index),
        Part::Old(_, _) | Part::Empty | Part::Unset => None,
    }
}

#[test]
fn rows_stand_in_order_and_once() {
    let keys = table::ROWS.iter().map(|row| (row.code, row.params));
    assert!(keys.is_sorted_by(|one, other| one < other));
    let codes: BTreeSet<u16> = table::ROWS.iter().map(|row| row.code).collect();
    assert_eq!((table::ROWS.len(), codes.len()), (253, 224));
}

#[test]
fn every_row_fits_the_events() {
    let is_beginning = |row: &&Row| matches!(row.action, Action::Store | Action::StoreAndPass);
    let kept: BTreeSet<u16> = table::ROWS
        .iter()
        .filter(is_beginning)
        .map(|row| row.code)
        .collect();
    let mut wrong = Vec::new();
    for row in table::ROWS {
        let at = (row.code, row.params);
        let from = wire(row.code).expect("the code is Falco's");
        assert_eq!(from.flags & UNUSED, 0, "{at:?}");
        assert!(
            usize::from(row.params) <= from.params.len(),
            "{at:?} has more than there are"
        );
        let (to, parts) = match &row.action {
            Action::Store | Action::Pass | Action::StoreAndPass => {
                assert!(!is_end(row.code), "{at:?} is no beginning");
                assert_eq!(usize::from(row.params), from.params.len(), "{at:?}");
                assert!(from.params.len() <= beginnings_max(), "{at:?}");
                continue;
            }
            Action::Describe(to) => {
                let names: Vec<&str> = from.params.iter().map(|param| param.name).collect();
                assert_eq!(names, ["id", "type", "name", "image"]);
                assert_eq!(wire(*to).map(|to| to.params.len()), Some(1));
                continue;
            }
            Action::Append(parts) => (row.code, parts),
            Action::Become(to, parts) => (*to, parts),
        };
        let target = wire(to).expect("the code is Falco's");
        assert_eq!(from.event, target.event, "{at:?} becomes another event");
        assert_eq!(is_end(row.code), is_end(to), "{at:?}");
        let mut place = if to == row.code {
            usize::from(row.params)
        } else {
            0
        };
        for part in parts.iter() {
            let param = |place: usize| {
                let param = target.params.get(place);
                param.unwrap_or_else(|| panic!("{at:?}: {to} has no parameter {place}"))
            };
            match *part {
                Part::Enter(index) | Part::EnterOrEmpty(index) => {
                    assert!(is_end(row.code), "{at:?} is no end");
                    // Whatever is kept for that end has the code below its own.
                    assert!(kept.contains(&(row.code - 1)), "{at:?}");
                    let enter = wire(row.code - 1).expect("the code is Falco's");
                    let enter = &enter.params[usize::from(index)];
                    let param = param(place);
                    wrong.extend(misfit(at, enter, param));
                    place += 1;
                }
                Part::Old(first, last) => {
                    assert_ne!(to, row.code, "{at:?} has it already");
                    assert!(first <= last && last < row.params, "{at:?}");
                    for index in first..=last {
                        let old = &from.params[usize::from(index)];
                        wrong.extend(misfit(at, old, param(place)));
                        place += 1;
                    }
                }
                Part::Empty | Part::Unset => {
                    param(place);
                    place += 1;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn beginnings_max() -> usize {
    super::super::beginnings::PARAMS_MAX
}

/// What a parameter becomes has its name and its type, but for these.
fn misfit(at: (u16, u8), from: &Param, to: &Param) -> Option<String> {
    let apart = [
        // The size that was asked for became what the process has.
        ((11, 1), "size", "vm_size"),
        // It has two since, and which one it is about must be said.
        ((125, 1), "fd", "oldfd"),
        // A result that was a descriptor or an error is either; a number got names.
        ((297, 1), "res_or_fd", "fd"),
        ((297, 1), "cmd", "cmd"),
    ];
    if apart.contains(&(at, from.name, to.name)) {
        return None;
    }
    let is_path = |param: &Param| {
        matches!(
            param.kind,
            ParamType::Text | ParamType::Path | ParamType::RelativePath
        )
    };
    let is_flags = |param: &Param| matches!(param.kind, ParamType::Flags | ParamType::Enum);
    let is_alike = from.kind == to.kind
        || is_path(from) && is_path(to)
        || from.width == to.width
        || is_flags(from) && is_flags(to);
    if is_alike && from.name == to.name {
        return None;
    }
    Some(format!(
        "{at:?}: {} {:?} is {} {:?}",
        from.name, from.kind, to.name, to.kind
    ))
}

/// Every row is followed to its end, with and without what the call was given: what comes out is
/// a current event with all its parameters, or a beginning.
#[test]
fn every_row_leads_to_a_current_event() {
    let mut ends = BTreeMap::new();
    for row in table::ROWS {
        let params: Vec<[u8; 8]> = (0..row.params).map(|index| [index; 8]).collect();
        let params: Vec<&[u8]> = params.iter().map(|param| &param[..]).collect();
        for with_beginning in [false, true] {
            let mut converter = Converter::new();
            if with_beginning && is_end(row.code) {
                begin(&mut converter, row.code - 1);
            }
            let (outcome, made) = convert(&mut converter, 1, row.code, &params);
            assert_eq!(converter.mismatched(), 0, "{} {}", row.code, row.params);
            match (outcome, made) {
                (Outcome::Merged, None) => {
                    assert!(!is_end(row.code), "{}", row.code);
                }
                (Outcome::Written, Some((kind, Some(code), params))) => {
                    assert_eq!(code + 1, kind.code(), "{}", row.code);
                    let wire = wire(code).expect("it is Falco's");
                    assert_eq!(params.len(), wire.params.len(), "{}", row.code);
                }
                (Outcome::Written, Some((kind, None, params))) => {
                    let event = wire(row.code).and_then(|wire| wire.event);
                    assert_eq!(event, Some(kind), "{}", row.code);
                    assert_eq!(params.len(), kind.params().len(), "{}", row.code);
                    *ends.entry(kind).or_insert(0) += 1;
                }
                other => panic!("{} {}: {other:?}", row.code, row.params),
            }
        }
    }
    assert!(ends.len() > 90, "{}", ends.len());
}

/// Keeps the beginning of the call whose beginning has that code now, if there is one to keep.
fn begin(converter: &mut Converter, code: u16) {
    let Some(row) = table::ROWS.iter().rfind(|row| row.code == code) else {
        return;
    };
    let params: Vec<[u8; 8]> = (0..row.params).map(|index| [0xa0 | index; 8]).collect();
    let params: Vec<&[u8]> = params.iter().map(|param| &param[..]).collect();
    convert(converter, 1, code, &params);
}

/// Each parameter that a row takes of a beginning arrives at its place.
#[test]
fn what_a_call_was_given_becomes_part_of_its_end() {
    for row in table::ROWS.iter().filter(|row| is_end(row.code)) {
        let (Action::Append(parts) | Action::Become(_, parts)) = &row.action else {
            continue;
        };
        let taken: Vec<u8> = parts.iter().filter_map(taken).collect();
        if taken.is_empty() {
            continue;
        }
        let mut converter = Converter::new();
        begin(&mut converter, row.code - 1);
        let params: Vec<&[u8]> = vec![&[1]; row.params.into()];
        let (kind, made) = self::made(&mut converter, 1, row.code, &params);
        for index in taken {
            let arrived = made
                .iter()
                .filter(|param| param.first() == Some(&(0xa0 | index)));
            assert_eq!(arrived.count(), 1, "{} {} {index}", row.code, kind.name());
        }
        assert!(converter.beginnings.get(1).is_none(), "it is used up");
    }
}

#[test]
fn an_event_that_is_current_is_left_as_it_is() {
    let converter = Converter::new();
    for kind in EventType::ALL {
        let code = kind.code();
        let params = kind.params().len();
        assert_eq!(
            converter.current(code, params),
            Some(*kind),
            "{}",
            kind.name()
        );
        let is_managed = table::ROWS.iter().any(|row| row.code == code);
        let fewer = params
            .checked_sub(1)
            .and_then(|fewer| converter.current(code, fewer));
        assert!(!is_managed || fewer.is_none(), "{}", kind.name());
    }
    let all = (0..CODES).filter(|code| {
        let params = wire(*code as u16).map_or(0, |wire| wire.params.len());
        converter.current(*code as u16, params).is_some()
    });
    assert_eq!(all.count(), EventType::COUNT);
}

#[test]
fn codes_in_which_nothing_is_are_unknown() {
    let mut converter = Converter::new();
    for code in [17, 147, 260, 268, 270, 454, 500, u16::MAX] {
        assert_eq!(
            convert(&mut converter, 1, code, &[]),
            (Outcome::Unknown, None),
            "{code}"
        );
    }
    // The beginnings whose ends say it all.
    for code in [14, 38, 60, 222, 334, 428] {
        assert_eq!(
            convert(&mut converter, 1, code, &[]),
            (Outcome::Merged, None),
            "{code}"
        );
    }
}

#[test]
fn a_close_without_its_beginning_is_of_descriptor_0() {
    let mut converter = Converter::new();
    let [zero, five] = i64s([0, 5]);
    let closed = made(&mut converter, 7, 5, &[&zero]);
    assert_eq!(
        closed,
        (EventType::Close, vec![zero.to_vec(), zero.to_vec()])
    );
    let begun = convert(&mut converter, 7, 4, &[&five]);
    assert_eq!(begun, (Outcome::Merged, None));
    let closed = made(&mut converter, 7, 5, &[&zero]);
    assert_eq!(closed.1, [zero.to_vec(), five.to_vec()]);
    // It has been used up.
    let closed = made(&mut converter, 7, 5, &[&zero]);
    assert_eq!(closed.1, [zero.to_vec(), zero.to_vec()]);
}

#[test]
fn an_end_that_meets_another_calls_beginning_lacks_its_own() {
    let mut converter = Converter::new();
    let [zero, five] = i64s([0, 5]);
    convert(&mut converter, 7, 6, &[&five, &[1, 0, 0, 0]]);
    // Falco gives up here.
    let closed = made(&mut converter, 7, 5, &[&zero]);
    assert_eq!(closed.1, [zero.to_vec(), zero.to_vec()]);
    assert_eq!(converter.mismatched(), 1);
    let read = made(&mut converter, 7, 7, &[&zero, b"data"]);
    assert_eq!(read.1[2..], [zero.to_vec(), vec![0; 4]]);
    assert_eq!(converter.mismatched(), 1);
}

#[test]
fn an_end_that_takes_nothing_leaves_what_is_kept() {
    let mut converter = Converter::new();
    let [zero, five] = i64s([0, 5]);
    convert(&mut converter, 7, 4, &[&five]);
    made(&mut converter, 7, 3, &[&five, b"/x\0", &[0; 4], &[0; 4]]);
    let closed = made(&mut converter, 7, 5, &[&zero]);
    assert_eq!(closed.1[1], five);
}

#[test]
fn a_connect_gets_all_it_lacks_from_its_beginning() {
    let mut converter = Converter::new();
    let [zero, five] = i64s([0, 5]);
    let address = [2, 127, 0, 0, 1, 80, 0];
    let begun = convert(&mut converter, 7, 22, &[&five, &address]);
    let beginning = vec![five.to_vec(), address.to_vec()];
    assert_eq!(
        begun,
        (
            Outcome::Written,
            Some((EventType::Connect, Some(22), beginning))
        )
    );
    let connected = made(&mut converter, 7, 23, &[&zero, b"tuple"]);
    assert_eq!(connected.1[2..], [five.to_vec(), address.to_vec()]);
    // Without a beginning, and with one that has no address.
    let connected = made(&mut converter, 7, 23, &[&zero, b"tuple"]);
    assert_eq!(connected.1[2..], [zero.to_vec(), vec![0]]);
    convert(&mut converter, 7, 22, &[&five]);
    let connected = made(&mut converter, 7, 23, &[&zero, b"tuple"]);
    assert_eq!(connected.1[2..], [five.to_vec(), vec![0]]);
}

#[test]
fn the_oldest_execve_becomes_the_newest() {
    let mut converter = Converter::new();
    // No beginning told the program before 2020.
    let (outcome, begun) = convert(&mut converter, 7, 12, &[]);
    let nameless = Some((EventType::Execve, Some(292), vec![vec![]]));
    assert_eq!((outcome, begun), (Outcome::Written, nameless));
    let params: Vec<[u8; 2]> = (0..8).map(|index| [index + 1, 0]).collect();
    let params: Vec<&[u8]> = params.iter().map(|param| &param[..]).collect();
    let (kind, made) = made(&mut converter, 7, 13, &params);
    assert_eq!((kind, made.len()), (EventType::Execve, 31));
    for (param, was) in made.iter().zip(&params) {
        assert_eq!(param, was);
    }
    assert!(made[8..].iter().all(Vec::is_empty));
}

#[test]
fn environments_keep_their_place_when_others_come_before() {
    let mut converter = Converter::new();
    convert(&mut converter, 7, 292, &[b"/bin/cat\0"]);
    let params: Vec<[u8; 1]> = (0..16).map(|index| [index]).collect();
    let params: Vec<&[u8]> = params.iter().map(|param| &param[..]).collect();
    let (kind, made) = made(&mut converter, 7, 231, &params);
    let env = kind.param("env").expect("an execve has one");
    assert_eq!(made[env], [15]);
    assert_eq!(
        kind.param("filename").map(|index| &made[index][..]),
        Some(&b"/bin/cat\0"[..])
    );
}

#[test]
fn nobody_has_an_id_that_nothing_tells() {
    let mut converter = Converter::new();
    let (kind, made) = made(&mut converter, 7, 27, &[&[1; 8], b"tuple", &[0]]);
    assert_eq!((kind, made.len()), (EventType::Accept, 5));
    let id = Param {
        kind: ParamType::Uid,
        width: Some(4),
        ..*EventType::Setuid.params().last().expect("it has an id")
    };
    assert_eq!(unset(&id), [0xff; 4]);
}

#[test]
fn a_parameter_that_is_taken_over_is_no_longer_than_its_type() {
    let mut converter = Converter::new();
    convert(&mut converter, 7, 296, &[&5i64.to_le_bytes()]);
    let result = [1, 9, 0, 0, 0, 0, 0, 0, 0];
    let (kind, made) = made(&mut converter, 7, 297, &[&result]);
    assert_eq!(kind, EventType::Bpf);
    assert_eq!(made, [result[..8].to_vec(), vec![5, 0, 0, 0]]);
}

#[test]
fn a_container_of_old_is_told_in_json() {
    let mut converter = Converter::new();
    let told = made(
        &mut converter,
        -1,
        228,
        &[
            b"3ad7b26ded6d\0",
            &1u32.to_le_bytes(),
            b"a \"b\"\\\x01\0",
            b"busybox\0",
        ],
    );
    let text = &told.1[0];
    let text = text.strip_suffix(b"\0").expect("it ends as strings do");
    let json: serde_json::Value = serde_json::from_slice(text).expect("it is JSON");
    let expected = serde_json::json!({
        "id": "3ad7b26ded6d", "type": 1, "name": "a \"b\"\\\u{1}", "image": "busybox"
    });
    assert_eq!((told.0, json), (EventType::Container, expected));
    let (_, plain) = made(&mut converter, -1, 272, &[b"{}\0"]);
    assert_eq!(plain, [b"{}\0".to_vec()]);
}

#[test]
fn no_number_of_parameters_is_too_odd() {
    let mut converter = Converter::new();
    for code in 0..=(CODES as u16 + 3) {
        for count in 0..=64usize {
            let params: Vec<&[u8]> = vec![&[7; 3]; count];
            if converter.current(code, count).is_some() {
                continue;
            }
            let (outcome, made) = convert(&mut converter, 1, code, &params);
            assert_eq!(outcome == Outcome::Written, made.is_some());
            let is_row = table::ROWS
                .iter()
                .any(|row| row.code == code && usize::from(row.params) == count);
            if matches!(outcome, Outcome::Written) {
                assert!(is_row, "{code} {count}");
            }
            if matches!(outcome, Outcome::Unconverted) {
                assert!(!is_row, "{code} {count}");
            }
        }
    }
}
