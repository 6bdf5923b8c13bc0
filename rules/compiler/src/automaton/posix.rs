//! POSIX syntax as RE2 reads it, to that of `regex-syntax`.

use std::fmt::Write;

/// No repetition has a greater count, and none in each other have greater ones multiplied.
const REPEAT_MAX: u32 = 1000;

pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let chars: Vec<char> = pattern.chars().collect();
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
            '[' => at = class(&chars, at, &mut out)?,
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
                "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print",
                "punct", "space", "upper", "word", "xdigit",
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
