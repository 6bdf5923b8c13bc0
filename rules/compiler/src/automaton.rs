//! Automata: `regex` and `pmatch` as tables that one look-up a byte walks through.
//!
//! The crate `regex-automata` builds them (of the regex crate's authors, and part of it); what
//! is left of them here is only which byte leads where, and where a text may end.

use regex_automata::dfa::{Automaton as _, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::{primitives::StateID, syntax};
use regex_automata::{Anchored, MatchKind};
use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

/// No automaton has more states.
const STATES_MAX: usize = 4096;
/// Bytes that building one may take.
const BUILD_BYTES_MAX: usize = 16 << 20;
/// Bytes that building all of a ruleset's may take together: some seconds of work, where the
/// patterns are made to be as much of it as they can. (Falco's rules take some hundred KiB.)
const BUILDS_BYTES_MAX: usize = 32 << 20;
/// The state from which no text is accepted any more.
const DEAD: u32 = 0;

/// Decides whether a whole text is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Automaton(Arc<Tables>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Tables {
    /// For people.
    shown: String,
    /// Bytes that lead alike from every state are of one class.
    class_of: [u8; 256],
    classes: usize,
    /// By state: whether a text may end there.
    accepts: Vec<bool>,
    /// By state and class.
    next: Vec<u32>,
    start: u32,
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
        if self.room == 0 {
            let most = BUILDS_BYTES_MAX >> 20;
            return Err(format!(
                "the patterns of all rules together take more than {most} MiB to build"
            ));
        }
        let (built, bytes) = build(pattern, shown);
        self.room = self.room.saturating_sub(bytes);
        self.built.insert(pattern.to_owned(), built.clone());
        built
    }
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
        let tables = &*self.0;
        let mut state = tables.start;
        for byte in text {
            let class = usize::from(tables.class_of[usize::from(*byte)]);
            state = tables.next[state as usize * tables.classes + class];
            if state == DEAD {
                return false;
            }
        }
        tables.accepts[state as usize]
    }

    /// As the compiled module reads it: the class of every byte, then by state a row of `u32`:
    /// whether a text may end there, and by class the offset of the next state's row. Offset 0
    /// is that of no row: nothing is accepted from there. And the offset of the first state's
    /// row.
    pub(crate) fn encode(&self) -> (Vec<u8>, u32) {
        let tables = &*self.0;
        let row_bytes = (1 + tables.classes) * 4;
        let row_at = |state: u32| match state {
            DEAD => 0,
            // The dead state has no row.
            other => (256 + (other as usize - 1) * row_bytes) as u32,
        };
        let mut bytes = tables.class_of.to_vec();
        for state in 1..tables.accepts.len() {
            bytes.extend_from_slice(&u32::from(tables.accepts[state]).to_le_bytes());
            for next in &tables.next[state * tables.classes..][..tables.classes] {
                bytes.extend_from_slice(&row_at(*next).to_le_bytes());
            }
        }
        (bytes, row_at(tables.start))
    }
}

impl std::fmt::Display for Automaton {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.shown)
    }
}

/// The automaton, and how many bytes it took to build it.
fn build(pattern: &str, shown: String) -> (Result<Automaton, String>, usize) {
    let syntax = syntax::Config::new().utf8(false).multi_line(true);
    // By itself first: in the parentheses below, `a)(b` would be right.
    if let Err(error) = syntax::parse_with(pattern, &syntax) {
        return failed(&error, false, pattern.len());
    }
    let thompson = thompson::Config::new()
        .utf8(false)
        .nfa_size_limit(Some(BUILD_BYTES_MAX));
    let nfa = thompson::Compiler::new()
        .syntax(syntax)
        .configure(thompson)
        .build(&format!(r"\A(?:{pattern})\z"));
    let nfa = match nfa {
        Ok(nfa) => nfa,
        Err(error) => return failed(&error, error.size_limit().is_some(), pattern.len()),
    };
    let bytes = pattern.len() + nfa.memory_usage();
    let config = dense::Config::new()
        .start_kind(regex_automata::dfa::StartKind::Anchored)
        .match_kind(MatchKind::All)
        .dfa_size_limit(Some(BUILD_BYTES_MAX))
        .determinize_size_limit(Some(BUILD_BYTES_MAX));
    let dfa = dense::Builder::new().configure(config).build_from_nfa(&nfa);
    match dfa {
        Ok(dfa) => {
            // A row of 256 is made of every state, up to the limit.
            let rows = (dfa.memory_usage() / 8).min(STATES_MAX * 256 * 4);
            let bytes = bytes + dfa.memory_usage() + rows;
            (tables(&dfa, shown), bytes)
        }
        Err(error) => failed(&error, error.is_size_limit_exceeded(), bytes),
    }
}

fn failed(
    error: &dyn std::error::Error,
    too_large: bool,
    bytes: usize,
) -> (Result<Automaton, String>, usize) {
    if too_large {
        let most = BUILD_BYTES_MAX >> 20;
        let why = format!("building it takes more than {most} MiB");
        return (Err(why), BUILD_BYTES_MAX);
    }
    (Err(reason(error)), bytes)
}

fn tables(dfa: &dense::DFA<Vec<u32>>, shown: String) -> Result<Automaton, String> {
    let too_large = || format!("it needs more than {STATES_MAX} states");
    let start = dfa
        .universal_start_state(Anchored::Yes)
        .or_else(|| {
            let begin = regex_automata::util::start::Config::new().anchored(Anchored::Yes);
            dfa.start_state(&begin).ok()
        })
        .ok_or_else(|| "it cannot be built".to_owned())?;

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
            return Err("it cannot be built".to_owned());
        }
        let mut row = [DEAD; 256];
        for byte in 0..=u8::MAX {
            row[usize::from(byte)] = number(dfa.next_state(state, byte), &mut met);
        }
        rows.push(row);
        accepts.push(dfa.is_match_state(dfa.next_eoi_state(state)));
        if met.len() > STATES_MAX {
            return Err(too_large());
        }
    }

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
    let next = rows
        .iter()
        .flat_map(|row| leaders.iter().map(|byte| row[*byte]))
        .collect();
    Ok(Automaton(Arc::new(Tables {
        shown,
        class_of,
        classes: leaders.len(),
        accepts,
        next,
        start,
    })))
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

mod posix {
    //! POSIX syntax as RE2 reads it, to that of `regex-syntax`.

    use std::fmt::Write;

    /// No repetition has a greater count.
    const REPEAT_MAX: u32 = 1000;

    pub(super) fn translate(pattern: &str) -> Result<String, String> {
        let chars: Vec<char> = pattern.chars().collect();
        let mut out = String::new();
        let mut at = 0;
        // What the last thing was that repeats.
        let mut repeated = None;
        while let Some(&char) = chars.get(at) {
            at += 1;
            let before = repeated.take();
            match char {
                '\\' => at = escape(&chars, at, &mut out)?,
                '[' => at = class(&chars, at, &mut out)?,
                '(' if chars.get(at) == Some(&'?') => {
                    return Err("`(?` is not POSIX syntax".to_owned());
                }
                '{' => match counts(&chars[at..]) {
                    Some((least, most, len)) => {
                        if least.max(most.unwrap_or(0)) > REPEAT_MAX {
                            return Err(format!("it repeats more than {REPEAT_MAX} times"));
                        }
                        out.push('{');
                        out.extend(&chars[at..at + len]);
                        at += len;
                        repeated = Some(if least == 0 { '*' } else { '{' });
                    }
                    // Not a count: a brace.
                    None => out.push_str("\\{"),
                },
                '}' => out.push_str("\\}"),
                '?' if before == Some('+') => {
                    // `(x+)?`, where other syntaxes mean a lazy `x+`.
                    out.pop();
                    out.push('*');
                    repeated = Some('*');
                }
                '?' if before == Some('{') => {
                    return Err("`?` behind a count: put what is counted in brackets".to_owned());
                }
                '*' | '+' | '?' => {
                    out.push(char);
                    repeated = Some(char);
                }
                other => out.push(other),
            }
        }
        Ok(out)
    }

    fn literal(out: &mut String, char: char) {
        // Writing to a String does not fail.
        let _ = write!(out, "\\x{{{:X}}}", char as u32);
    }

    /// The character that an escape stands for, and where it ends.
    fn escaped(chars: &[char], at: usize) -> Result<(char, usize), String> {
        let Some(&char) = chars.get(at) else {
            return Err("it ends with a backslash".to_owned());
        };
        let next = at + 1;
        let found = match char {
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'x' => return hexadecimal(chars, next),
            '0' => return Ok(octal(chars, at)),
            '1'..='7' if matches!(chars.get(next), Some('0'..='7')) => {
                return Ok(octal(chars, at));
            }
            other if other.is_ascii_punctuation() => other,
            other => return Err(format!("`\\{other}` is not POSIX syntax")),
        };
        Ok((found, next))
    }

    fn octal(chars: &[char], at: usize) -> (char, usize) {
        let digits = chars[at..].iter().take(3);
        let digits: Vec<u32> = digits.map_while(|digit| digit.to_digit(8)).collect();
        let number = digits.iter().fold(0, |number, digit| number * 8 + digit);
        (
            char::from_u32(number).unwrap_or_default(),
            at + digits.len(),
        )
    }

    fn hexadecimal(chars: &[char], at: usize) -> Result<(char, usize), String> {
        let wrong = || "`\\x` needs two digits, or more in braces".to_owned();
        let (digits, end): (String, usize) = match chars.get(at) {
            Some('{') => {
                let digits: String = chars[at + 1..]
                    .iter()
                    .take_while(|digit| digit.is_ascii_hexdigit())
                    .take(7)
                    .collect();
                let end = at + 1 + digits.len();
                if chars.get(end) != Some(&'}') {
                    return Err(wrong());
                }
                (digits, end + 1)
            }
            _ => (chars[at..].iter().take(2).collect(), at + 2),
        };
        let number = u32::from_str_radix(&digits, 16).map_err(|_| wrong())?;
        if end > chars.len() {
            return Err(wrong());
        }
        Ok((char::from_u32(number).ok_or_else(wrong)?, end))
    }

    fn escape(chars: &[char], at: usize, out: &mut String) -> Result<usize, String> {
        let (char, end) = escaped(chars, at)?;
        literal(out, char);
        Ok(end)
    }

    /// A set in square brackets, behind the opening one.
    fn class(chars: &[char], mut at: usize, out: &mut String) -> Result<usize, String> {
        let unclosed = || "a `[` is not closed".to_owned();
        out.push('[');
        if chars.get(at) == Some(&'^') {
            out.push('^');
            at += 1;
        }
        let begin = at;
        loop {
            let char = *chars.get(at).ok_or_else(unclosed)?;
            if char == ']' && at > begin {
                out.push(']');
                return Ok(at + 1);
            }
            if char == '[' && chars.get(at + 1) == Some(&':') {
                let name: String = chars[at + 2..]
                    .iter()
                    .take_while(|char| **char != ':')
                    .collect();
                let end = at + 2 + name.chars().count();
                if chars.get(end + 1) != Some(&']') {
                    return Err(unclosed());
                }
                let known = [
                    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower",
                    "print", "punct", "space", "upper", "word", "xdigit",
                ];
                if !known.contains(&name.trim_start_matches('^')) {
                    return Err(format!("no set is called `[:{name}:]`"));
                }
                let _ = write!(out, "[:{name}:]");
                at = end + 2;
                continue;
            }
            let (first, next) = member(chars, at)?;
            at = next;
            literal(out, first);
            let is_range =
                chars.get(at) == Some(&'-') && chars.get(at + 1).is_some_and(|char| *char != ']');
            if is_range {
                let (last, next) = member(chars, at + 1)?;
                if last < first {
                    return Err(format!("the range `{first}-{last}` is empty"));
                }
                at = next;
                out.push('-');
                literal(out, last);
            }
        }
    }

    fn member(chars: &[char], at: usize) -> Result<(char, usize), String> {
        match chars.get(at) {
            Some('\\') => escaped(chars, at + 1),
            Some(char) => Ok((*char, at + 1)),
            None => Err("a `[` is not closed".to_owned()),
        }
    }

    /// Least and greatest count, and how long they are with the closing brace.
    fn counts(chars: &[char]) -> Option<(u32, Option<u32>, usize)> {
        let end = chars.iter().take(24).position(|char| *char == '}')?;
        let text: String = chars[..end].iter().collect();
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().unwrap_or(u32::MAX))
        };
        let (least, most) = match text.split_once(',') {
            None => (number(&text)?, None),
            Some((least, "")) => (number(least)?, None),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        };
        Some((least, most, end + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn holds(automaton: &Automaton, text: &[u8]) -> bool {
        let answer = automaton.accepts(text);
        // The same from the tables that modules read.
        let (bytes, start) = automaton.encode();
        let word = |at: u32| {
            let at = at as usize;
            u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
        };
        let mut row = start;
        for byte in text {
            if row != 0 {
                row = word(row + 4 + u32::from(bytes[usize::from(*byte)]) * 4);
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
            ("é.", &["éü"], &["é", "e."]),
            ("a.b", &["a\tb"], &["a\nb"]),
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
            ("a\\", "backslash"),
            ("a{1001}", "1000"),
            ("*a", "repetition"),
            (r"\1", r"`\1`"),
            ("(.{50}a){200}", "more than"),
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
