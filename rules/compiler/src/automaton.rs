//! Automata: `regex` and `pmatch` as tables that one look-up a byte walks through, from a text's
//! begin to its end, or back where the table would be too large so: `.*a.{12}` would have to
//! remember where the last thirteen `a` stood, and from the end it need not.
//!
//! The crate `regex-automata` builds them (of the regex crate's authors, and part of it); what
//! is left of them here is only which byte leads where, and where a text may end.

mod posix;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::{primitives::StateID, start, syntax};
use regex_automata::{Anchored, MatchKind};
use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

/// No automaton has more states.
const STATES_MAX: usize = 4096;
/// Bytes that reading one pattern may take, and bytes that making tables of it may take.
const NFA_BYTES_MAX: usize = 16 << 20;
const TABLES_BYTES_MAX: usize = 8 << 20;
/// Bytes that building all of a ruleset's may take together: some seconds of work, where the
/// patterns are made to be as much of it as they can. (Falco's rules take some hundred KiB.)
const BUILDS_BYTES_MAX: usize = 32 << 20;
/// The state from which no text is accepted any more.
const DEAD: u32 = 0;

/// Decides whether a whole text is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Automaton(Arc<Shown>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Shown {
    /// For people.
    shown: String,
    /// It begins with the last byte.
    is_backward: bool,
    tables: Tables,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Tables {
    /// Bytes that lead alike from every state are of one class.
    class_of: [u8; 256],
    classes: usize,
    /// By state: whether a text may end there.
    accepts: Vec<bool>,
    /// By state and class.
    next: Vec<u32>,
    start: u32,
}

/// An automaton as the compiled module reads it.
pub(crate) struct Encoded {
    /// The class of every byte, then by state a row of `u32`: whether a text may end there, and
    /// by class the offset of the next state's row. Offset 0 is that of no row: nothing is
    /// accepted from there.
    pub(crate) table: Vec<u8>,
    /// The offset of the first state's row.
    pub(crate) start: u32,
    /// It begins with the last byte.
    pub(crate) is_backward: bool,
}

/// The automata of a ruleset: each pattern is built once, and all of them together are bounded.
pub(crate) struct Automata {
    built: HashMap<String, Result<Automaton, String>>,
    room: usize,
}

impl Default for Automata {
    fn default() -> Automata {
        Automata {
            built: HashMap::new(),
            room: BUILDS_BYTES_MAX,
        }
    }
}

impl Automata {
    /// Of a regular expression in POSIX syntax as RE2 reads it, for whole texts. The error says
    /// what is wrong with it.
    pub(crate) fn regex(&mut self, pattern: &str) -> Result<Automaton, String> {
        let translated = posix::translate(pattern)?;
        let shown = format!("regex '{}'", pattern.escape_debug());
        self.build(&translated, shown)
    }

    /// Of paths, each of which stands for itself and everything below; their components are
    /// glob patterns.
    pub(crate) fn paths(&mut self, paths: &[Vec<u8>]) -> Result<Automaton, String> {
        let mut alternatives = Vec::new();
        let mut shown = String::from("pmatch (");
        for (at, path) in paths.iter().enumerate() {
            if at > 0 {
                shown.push_str(", ");
            }
            // Writing to a String does not fail.
            let _ = write!(shown, "{}", path.escape_ascii());
            alternatives.push(below(path));
        }
        shown.push(')');
        self.build(&format!("(?s-u:{})", alternatives.join("|")), shown)
    }

    fn build(&mut self, pattern: &str, shown: String) -> Result<Automaton, String> {
        if let Some(built) = self.built.get(pattern) {
            return built.clone();
        }
        let built = self.tables(pattern).map(|(tables, is_backward)| {
            Automaton(Arc::new(Shown {
                shown,
                is_backward,
                tables,
            }))
        });
        self.built.insert(pattern.to_owned(), built.clone());
        built
    }

    /// The tables, and whether they begin with a text's last byte.
    fn tables(&mut self, pattern: &str) -> Result<(Tables, bool), String> {
        // By itself first: in the parentheses below, `a)(b` would be right.
        let syntax = syntax::parse_with(pattern, &syntax());
        syntax.map_err(|error| reason(&error))?;
        let pattern = format!(r"\A(?:{pattern})\z");
        for is_backward in [false, true] {
            if self.room == 0 {
                let most = BUILDS_BYTES_MAX >> 20;
                return Err(format!(
                    "the patterns of all rules together take more than {most} MiB to build"
                ));
            }
            let nfa = self.nfa(&pattern, is_backward)?;
            let (tables, bytes) = tables(&nfa);
            self.spend(bytes);
            if let Some(tables) = tables? {
                return Ok((tables, is_backward));
            }
        }
        let most = TABLES_BYTES_MAX >> 20;
        Err(format!(
            "it needs more than {STATES_MAX} states, or {most} MiB to build them"
        ))
    }

    fn nfa(&mut self, pattern: &str, is_backward: bool) -> Result<NFA, String> {
        let config = thompson::Config::new()
            .utf8(false)
            .reverse(is_backward)
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(NFA_BYTES_MAX));
        let nfa = thompson::Compiler::new()
            .syntax(syntax())
            .configure(config)
            .build(pattern);
        self.spend(match &nfa {
            Ok(nfa) => pattern.len() + nfa.memory_usage(),
            Err(error) => error.size_limit().unwrap_or(pattern.len()),
        });
        nfa.map_err(|error| match error.size_limit() {
            Some(most) => format!("building it takes more than {} MiB", most >> 20),
            None => reason(&error),
        })
    }

    fn spend(&mut self, bytes: usize) {
        self.room = self.room.saturating_sub(bytes);
    }
}

fn syntax() -> syntax::Config {
    syntax::Config::new().utf8(false).multi_line(true)
}

/// Bytes of paths that one automaton is made of, and stars in them that share a component with
/// other text: of such, each multiplies the states of those before.
const GROUP_BYTES_MAX: usize = 2048;
const GROUP_STARS_MAX: usize = 4;

/// How a list of paths is parted so that each part makes a small automaton.
pub(crate) fn groups(paths: &[Vec<u8>]) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let (mut start, mut bytes, mut stars) = (0, 0, 0);
    for (at, path) in paths.iter().enumerate() {
        let components = path.split(|byte| *byte == b'/');
        let own: usize = components
            .filter(|component| *component != b"*")
            .map(|component| memchr::memchr_iter(b'*', component).count())
            .sum();
        let is_full = bytes + path.len() > GROUP_BYTES_MAX || stars + own > GROUP_STARS_MAX;
        if is_full && at > start {
            groups.push(start..at);
            (start, bytes, stars) = (at, 0, 0);
        }
        bytes += path.len();
        stars += own;
    }
    if start < paths.len() {
        groups.push(start..paths.len());
    }
    groups
}

impl Automaton {
    /// Of a regular expression in POSIX syntax, for texts in which it is found anywhere. The
    /// error says what is wrong with it.
    pub fn finding(pattern: &str) -> Result<Automaton, String> {
        // By itself it may be wrong where in brackets it is not.
        let mut automata = Automata::default();
        automata.regex(pattern)?;
        automata.regex(&format!("(.|\n)*({pattern})(.|\n)*"))
    }

    /// Whether the whole text is accepted.
    pub fn accepts(&self, text: &[u8]) -> bool {
        let Shown {
            is_backward,
            tables,
            ..
        } = &*self.0;
        let mut state = tables.start;
        let mut step = |byte: &u8| {
            let class = usize::from(tables.class_of[usize::from(*byte)]);
            state = tables.next[state as usize * tables.classes + class];
            state != DEAD
        };
        let is_through = match is_backward {
            true => text.iter().rev().all(&mut step),
            false => text.iter().all(&mut step),
        };
        is_through && tables.accepts[state as usize]
    }

    pub(crate) fn encode(&self) -> Encoded {
        let tables = &self.0.tables;
        let row_bytes = (1 + tables.classes) * 4;
        let row_at = |state: u32| match state {
            DEAD => 0,
            // The dead state has no row.
            other => (256 + (other as usize - 1) * row_bytes) as u32,
        };
        let mut table = tables.class_of.to_vec();
        for state in 1..tables.accepts.len() {
            table.extend_from_slice(&u32::from(tables.accepts[state]).to_le_bytes());
            for next in &tables.next[state * tables.classes..][..tables.classes] {
                table.extend_from_slice(&row_at(*next).to_le_bytes());
            }
        }
        Encoded {
            table,
            start: row_at(tables.start),
            is_backward: self.0.is_backward,
        }
    }
}

impl std::fmt::Display for Automaton {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.shown)
    }
}

/// The automaton, none if it is too large; and how many bytes it took to build it.
fn tables(nfa: &NFA) -> (Result<Option<Tables>, String>, usize) {
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .match_kind(MatchKind::All)
        .dfa_size_limit(Some(TABLES_BYTES_MAX))
        .determinize_size_limit(Some(TABLES_BYTES_MAX));
    let dfa = dense::Builder::new().configure(config).build_from_nfa(nfa);
    match dfa {
        Ok(dfa) => {
            // A row of 256 is made of every state, up to the limit.
            let rows = (dfa.memory_usage() / 8).min(STATES_MAX * 256 * 4);
            (read(&dfa), dfa.memory_usage() + rows)
        }
        Err(error) if error.is_size_limit_exceeded() => (Ok(None), TABLES_BYTES_MAX),
        Err(error) => (Err(reason(&error)), 0),
    }
}

/// None: it has more states than it may.
fn read(dfa: &dense::DFA<Vec<u32>>) -> Result<Option<Tables>, String> {
    let unheard = || "it cannot be built".to_owned();
    let begin = start::Config::new().anchored(Anchored::Yes);
    let start = dfa.start_state(&begin).map_err(|_| unheard())?;

    // Numbers in the order in which states are met; 0 for the dead one.
    let mut number_of: HashMap<StateID, u32> = HashMap::new();
    let mut met: Vec<StateID> = Vec::new();
    let mut rows: Vec<[u32; 256]> = vec![[DEAD; 256]];
    let mut accepts = vec![false];
    let mut number = |state: StateID, met: &mut Vec<StateID>| match dfa.is_dead_state(state) {
        true => DEAD,
        false => *number_of.entry(state).or_insert_with(|| {
            met.push(state);
            met.len() as u32
        }),
    };
    let start = number(start, &mut met);
    let mut at = 0;
    while let Some(&state) = met.get(at) {
        at += 1;
        if dfa.is_quit_state(state) {
            return Err(unheard());
        }
        let mut row = [DEAD; 256];
        for byte in 0..=u8::MAX {
            row[usize::from(byte)] = number(dfa.next_state(state, byte), &mut met);
        }
        rows.push(row);
        accepts.push(dfa.is_match_state(dfa.next_eoi_state(state)));
        if met.len() > STATES_MAX {
            return Ok(None);
        }
    }

    let (class_of, leaders) = classes(&rows);
    Ok(Some(Tables {
        class_of,
        classes: leaders.len(),
        accepts,
        next: (rows.iter())
            .flat_map(|row| leaders.iter().map(|byte| row[*byte]))
            .collect(),
        start,
    }))
}

/// Bytes that lead alike in every row are of one class: the class of each byte, and a byte of
/// each class.
fn classes(rows: &[[u32; 256]]) -> ([u8; 256], Vec<usize>) {
    let mut class_of = [0; 256];
    let mut columns: HashMap<Vec<u32>, u8> = HashMap::new();
    let mut leaders: Vec<usize> = Vec::new();
    for byte in 0..256 {
        let column: Vec<u32> = rows.iter().map(|row| row[byte]).collect();
        class_of[byte] = *columns.entry(column).or_insert_with(|| {
            leaders.push(byte);
            (leaders.len() - 1) as u8
        });
    }
    (class_of, leaders)
}

/// The last line of what the innermost error has to say.
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

/// A path, and everything below, as a pattern: `*` and `?` stand for nothing beyond a slash.
fn below(path: &[u8]) -> String {
    let mut out = String::new();
    let byte = |out: &mut String, byte: u8| {
        let _ = write!(out, r"\x{byte:02X}");
    };
    let mut any = false;
    for component in path.split(|byte| *byte == b'/') {
        if component.is_empty() {
            continue;
        }
        if any || path.first() == Some(&b'/') {
            out.push_str("/+");
        }
        any = true;
        for piece in crate::glob::pieces(component) {
            use crate::ir::Piece;
            match piece {
                Piece::Byte(own) => byte(&mut out, own),
                Piece::Any => out.push_str("[^/]"),
                Piece::Star => out.push_str("[^/]*"),
                Piece::Class { negated, ranges } => {
                    out.push_str(if negated { "[^/" } else { "[" });
                    for (first, last) in ranges.iter().filter(|(first, last)| first <= last) {
                        byte(&mut out, *first);
                        out.push('-');
                        byte(&mut out, *last);
                    }
                    out.push(']');
                }
            }
        }
    }
    match (any, path.first()) {
        (true, _) => out.push_str("(?:/.*)?"),
        // The root: every absolute path is below it.
        (false, Some(_)) => out.push_str("/.*"),
        // Nothing is nowhere.
        (false, None) => out.push_str("[^\\x00-\\xFF]"),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn holds(automaton: &Automaton, text: &[u8]) -> bool {
        let answer = automaton.accepts(text);
        // The same from the tables that modules read.
        let Encoded {
            table: bytes,
            start,
            is_backward,
        } = automaton.encode();
        let word = |at: u32| {
            let at = at as usize;
            u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
        };
        let mut row = start;
        let mut text = text.to_vec();
        if is_backward {
            text.reverse();
        }
        for byte in text {
            if row != 0 {
                row = word(row + 4 + u32::from(bytes[usize::from(byte)]) * 4);
            }
        }
        assert_eq!(row != 0 && word(row) == 1, answer);
        answer
    }

    #[test]
    fn regular_expressions_accept_whole_texts_in_posix_syntax() {
        for (pattern, yes, no) in [
            (
                "^[s]{1}ysca[l]{2}$",
                &["syscall"][..],
                &["syscal", "xsyscall"][..],
            ),
            ("syscal.*", &["syscall", "syscal"], &["asyscall"]),
            (".*yscal", &["syscal"], &["syscall"]),
            ("a|bc", &["a", "bc"], &["ab", "abc"]),
            ("", &[""], &["a"]),
            ("[[:digit:]]+[]x]", &["1]", "12x"], &["]", "1"]),
            ("[^]]", &["a"], &["]"]),
            ("[a&&b-]+", &["a&b-"], &["c"]),
            (r"[\[a\]]{2}", &["[]", "a["], &["a"]),
            (r"\.\x41\x{42}\103\0", &[".ABC\0"], &["xABC"]),
            ("a{,2}", &["a{,2}"], &["aa"]),
            ("x{2,}", &["xx", "xxxx"], &["x"]),
            // Stacked, not lazy.
            ("(ab)+?", &["", "abab"], &["a"]),
            ("a*?b**", &["", "aabb"], &["ba"]),
            ("a{2}?", &["", "aa"], &["a", "aaa"]),
            ("(a{2}?){2}??", &["", "aa", "aaaa"], &["a", "aaa"]),
            // Sets whose dashes, colons and brackets are characters.
            ("[-a]+[]-_]+[a-]", &["-]^-", "a_a"], &["b]a"]),
            ("[[:a]+", &["[:a"], &["]"]),
            // Braces that hold no count.
            ("a{01}", &["a{01}"], &["a"]),
            ("a{1,1000000000}", &["a{1,1000000000}"], &["a"]),
            ("é.", &["éü"], &["é", "e."]),
            ("a.b", &["a\tb"], &["a\nb"]),
            (r"a\ b\_", &["a b_"], &["ab_"]),
            (
                "((a{10}){10}b?){0,10}",
                &["", "aaaaaaaaaa".repeat(10).leak()],
                &["a"],
            ),
            ("(a{600})(b{600}|c)", &[], &["ab"]),
            // Those that are walked through from the end.
            (".*a.{12}", &["xa0123456789ab"], &["a", "0123456789abc"]),
            (
                ".*X.{40}é$",
                &["aX0123456789012345678901234567890123456789é"],
                &["X", "é"],
            ),
            (
                "(.|\n)*^a.{14}$\n?",
                &["a01234567890123", "b\na01234567890123\n"],
                &["ba01234567890123", "a01234567890123\nb"],
            ),
        ] {
            let automaton = Automata::default()
                .regex(pattern)
                .unwrap_or_else(|e| panic!("{pattern}: {e}"));
            for text in yes {
                assert!(holds(&automaton, text.as_bytes()), "{pattern} {text:?}");
            }
            for text in no {
                assert!(!holds(&automaton, text.as_bytes()), "{pattern} {text:?}");
            }
        }
    }

    #[test]
    fn a_regular_expression_can_be_looked_for_anywhere() {
        for (pattern, yes, no) in [
            ("/data", &["/data", "/mnt/database"][..], &["/dat"][..]),
            ("^/proc*", &["/proc/1", "/pro"], &["/x/proc"]),
            ("a|b$", &["xay", "yb"], &["by"]),
            ("b", &["a\nb\nc"], &["a\nc"]),
            ("", &["", "x"], &[]),
        ] {
            let automaton = Automaton::finding(pattern).expect("it is one");
            for text in yes {
                assert!(holds(&automaton, text.as_bytes()), "{pattern} {text:?}");
            }
            for text in no {
                assert!(!holds(&automaton, text.as_bytes()), "{pattern} {text:?}");
            }
        }
        for wrong in ["*", "("] {
            assert!(Automaton::finding(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_re2_refuses_in_posix_syntax_is_refused_and_said() {
        for (pattern, what) in [
            (r"\d+", r"`\d`"),
            (r"a\b", r"`\b`"),
            ("(?i)a", "(?"),
            ("a(b", "unclosed"),
            ("a)b", "unopened"),
            ("a)(b", "unopened"),
            ("[a", "not closed"),
            ("[[:nope:]]", "[:nope:]"),
            ("[b-a]", "empty"),
            ("[a-c-e]", "range"),
            ("[a-b--]", "range"),
            ("[[:^^alpha:]]", "[:^^alpha:]"),
            ("a{2,1}", "invalid"),
            ("a\\", "backslash"),
            ("a{1001}", "1000"),
            ("(a{1000}){2}", "1000"),
            ("((a{10}b){10}c|d){11}", "1000"),
            ("*a", "repetition"),
            (r"\1", r"`\1`"),
            (".*a.{20}b.*", "more than 4096 states"),
        ] {
            let error = Automata::default().regex(pattern).unwrap_err();
            assert!(error.contains(what), "{pattern}: {error}");
        }
    }

    #[test]
    fn a_path_stands_for_itself_and_what_is_below() {
        let paths = |paths: &[&str]| {
            let paths: Vec<Vec<u8>> = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
            Automata::default().paths(&paths).unwrap()
        };
        let automaton = paths(&["/etc", "/opt/*/sub", "/var/di[rx]/", "rel"]);
        for yes in [
            "/etc",
            "/etc/",
            "/etc/a/b",
            "/opt/x/sub/y",
            "/var/dir",
            "/var/dix/q",
            "rel/a",
        ] {
            assert!(holds(&automaton, yes.as_bytes()), "{yes}");
        }
        for no in [
            "/",
            "",
            "/etcetera",
            "/opt/x/y/sub",
            "/opt/sub",
            "/var/dit",
            "/rel",
            "etc",
        ] {
            assert!(!holds(&automaton, no.as_bytes()), "{no}");
        }
        assert!(holds(&paths(&["/"]), b"/anything\xff\n"));
        assert!(!holds(&paths(&[""]), b"/"));
    }
}
