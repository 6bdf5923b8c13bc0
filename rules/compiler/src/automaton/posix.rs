//! POSIX syntax as RE2 reads it, to that of `regex-syntax`.

use std::fmt::Write;

/// No repetition has a greater count, and none in each other have greater ones multiplied.
const REPEAT_MAX: u32 = 1000;

pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let chars: Vec<char> = pattern.chars().collect();
    let last_name = chars.windows(2).rposition(|pair| pair == NAME_END);
    let mut out = String::new();
    let mut at = 0;
    // What the last thing was that repeats.
    let mut repeated = None;
    // How often what stands last is repeated at most, counts multiplied; and the same of all in
    // each open group.
    let mut last = 1;
    let mut groups = vec![1];
    while let Some(&char) = chars.get(at) {
        at += 1;
        let before = repeated.take();
        if !matches!(char, '{' | '*' | '+' | '?') {
            last = 1;
        }
        match char {
            '\\' => at = escape(&chars, at, &mut out)?,
            '[' => at = class(&chars, at, last_name, &mut out)?,
            '(' if chars.get(at) == Some(&'?') => {
                return Err("`(?` is not POSIX syntax".to_owned());
            }
            '{' => match counts(&chars[at..]) {
                Some((least, most, len)) => {
                    let count = most.filter(|most| *most > 0).unwrap_or(least).max(1);
                    last = count.saturating_mul(last);
                    if least.max(last) > REPEAT_MAX {
                        return Err(format!("it repeats more than {REPEAT_MAX} times"));
                    }
                    if let Some(group) = groups.last_mut() {
                        *group = last.max(*group);
                    }
                    out.push('{');
                    out.extend(&chars[at..at + len]);
                    at += len;
                    repeated = Some(if least == 0 { '*' } else { '{' });
                }
                // Not a count: a brace.
                None => {
                    last = 1;
                    out.push_str("\\{");
                }
            },
            '}' => out.push_str("\\}"),
            '(' => {
                groups.push(1);
                out.push('(');
            }
            ')' => {
                last = groups.pop().unwrap_or(1);
                if let Some(group) = groups.last_mut() {
                    *group = last.max(*group);
                }
                out.push(')');
            }
            '?' if matches!(before, Some('+' | '{')) => {
                // `(x+)?` and `(x{2})?`, where other syntaxes mean one that takes little.
                out.push_str("{0,1}");
                repeated = Some('*');
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
        other if other.is_ascii() && !other.is_ascii_alphanumeric() => other,
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

/// What closes a named set, as in `[:name:]`.
const NAME_END: [char; 2] = [':', ']'];

/// A set in square brackets, behind the opening one. The last named set ends at `last_name`.
fn class(
    chars: &[char],
    mut at: usize,
    last_name: Option<usize>,
    out: &mut String,
) -> Result<usize, String> {
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
        if last_name.is_some_and(|last| at + 1 < last)
            && let Some(name) = named(&chars[at..])
        {
            let known = [
                "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print",
                "punct", "space", "upper", "word", "xdigit",
            ];
            if !known.contains(&name.strip_prefix('^').unwrap_or(&name)) {
                return Err(format!("no set is called `[:{name}:]`"));
            }
            let _ = write!(out, "[:{name}:]");
            at += "[::]".len() + name.chars().count();
            continue;
        }
        let (first, next) = member(chars, at)?;
        if char == '-' && at > begin && chars.get(next) != Some(&']') {
            return Err("a `-` in a set stands first, last or for a range".to_owned());
        }
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

/// The name in `[:name:]`. A `[:` that nothing closes is two characters.
fn named(chars: &[char]) -> Option<String> {
    let name = chars.strip_prefix(&['[', ':'])?;
    let end = name.windows(2).position(|pair| pair == NAME_END)?;
    Some(name[..end].iter().collect())
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
    // Two counts of nine digits and a comma are the longest.
    let end = chars.iter().take(20).position(|char| *char == '}')?;
    let text: String = chars[..end].iter().collect();
    let number = |text: &str| {
        let digits =
            (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = digits && (text == "0" || !text.starts_with('0'));
        is_number.then(|| text.parse().ok()).flatten()
    };
    let (least, most) = match text.split_once(',') {
        None => (number(&text)?, None),
        Some((least, "")) => (number(least)?, None),
        Some((least, most)) => (number(least)?, Some(number(most)?)),
    };
    Some((least, most, end + 1))
}
