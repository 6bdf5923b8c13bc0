//! Paths as the kernel names them: components from leaf to root, or text relative to a
//! directory. Lexical work only; nothing here asks the file system.

/// No path built here is longer; what goes beyond is cut.
pub const PATH_BYTES_MAX: usize = 16 * 1024;

/// Stands in front of a path whose beginning nobody knows, as in Falco. No path that is whole
/// begins so: it begins with a slash.
pub const UNKNOWN: &[u8] = b"<UNKNOWN>";

/// Appends the absolute path that components (leaf first, each ended by NUL) stand for. Of a
/// path that is too long the end is kept.
pub fn write_components(components: &[u8], out: &mut Vec<u8>) {
    /// Names up to here are copied as a block and cut to length: this is on the path of every
    /// open, and calls for a few bytes each would be half of it.
    const BLOCK: usize = 16;
    let start = out.len();
    let mut end = components.len();
    if end > PATH_BYTES_MAX {
        let whole = &components[..PATH_BYTES_MAX];
        end = memchr::memrchr(0, whole).map_or(0, |last| last + 1);
    }
    // Every name takes a slash and itself; a block may reach beyond.
    out.resize(start + end + 1 + BLOCK, 0);
    let mut at = start;
    // From the root, which comes last.
    while end > 0 {
        let names = &components[..end];
        let first = names
            .iter()
            .rposition(|byte| *byte == 0)
            .map_or(0, |nul| nul + 1);
        let name = &names[first..];
        if !name.is_empty() {
            out[at] = b'/';
            let place = &mut out[at + 1..];
            match (
                components[first..].first_chunk(),
                place.first_chunk_mut::<BLOCK>(),
            ) {
                (Some(block), Some(place)) if name.len() <= BLOCK => *place = *block,
                _ => place[..name.len()].copy_from_slice(name),
            }
            at += 1 + name.len();
        }
        end = first.saturating_sub(1);
    }
    if at == start {
        out[at] = b'/';
        at += 1;
    }
    out.truncate(at);
}

/// The leaf of a path given as components.
pub fn leaf(components: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, components).unwrap_or(components.len());
    &components[..end]
}

/// Where a relative path starts.
#[derive(Clone, Copy, Debug)]
pub enum Base<'a> {
    /// Components from leaf to root.
    Components(&'a [u8]),
    /// Components from leaf up to a directory that nobody knows.
    End(&'a [u8]),
    /// An absolute path, or one behind [`UNKNOWN`].
    Path(&'a [u8]),
    /// Nobody knows.
    Unknown,
}

impl<'a> Base<'a> {
    /// Components from leaf up, to the root if the path is whole.
    pub fn of_components(components: &'a [u8], is_whole: bool) -> Base<'a> {
        if is_whole {
            Base::Components(components)
        } else {
            Base::End(components)
        }
    }

    /// Appends the path itself.
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            Base::Components(components) => write_components(components, out),
            Base::End(components) => {
                out.extend_from_slice(UNKNOWN);
                write_components(components, out);
            }
            Base::Path(path) => out.extend_from_slice(path),
            Base::Unknown => out.extend_from_slice(UNKNOWN),
        }
    }
}

/// Cuts a path's beginning off, so that it has at most `bytes_max` bytes.
pub fn keep_end(path: &mut Vec<u8>, bytes_max: usize) {
    if path.len() <= bytes_max {
        return;
    }
    let from = path.len() - bytes_max.saturating_sub(UNKNOWN.len());
    let slash = memchr::memchr(b'/', &path[from..]).unwrap_or(0);
    path.splice(..from + slash, UNKNOWN.iter().copied());
}

/// Appends `raw` made absolute against `base` and freed of `.`, `..`, doubled and trailing
/// slashes. Symbolic links are not followed: the text is what the caller meant, not what the
/// kernel found. A relative path without a base gets Falco's `<UNKNOWN>` in front.
pub fn resolve(base: Base<'_>, raw: &[u8], out: &mut Vec<u8>) {
    let mut start = out.len();
    if raw.first() != Some(&b'/') {
        match base {
            Base::Components(components) => write_components(components, out),
            Base::End(components) => {
                out.extend_from_slice(UNKNOWN);
                start = out.len();
                write_components(components, out);
            }
            Base::Path(path) => {
                let end = path.strip_prefix(UNKNOWN);
                if end.is_some() {
                    out.extend_from_slice(UNKNOWN);
                    start = out.len();
                }
                push_segments(end.unwrap_or(path), start, out);
            }
            Base::Unknown => {
                out.extend_from_slice(UNKNOWN);
                out.extend_from_slice(&raw[..raw.len().min(PATH_BYTES_MAX)]);
                return;
            }
        }
        if out.len() - start == 1 {
            out.truncate(start);
        }
    }
    push_segments(raw, start, out);
    if out.len() == start {
        out.push(b'/');
    }
}

fn push_segments(path: &[u8], start: usize, out: &mut Vec<u8>) {
    for segment in path.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                let parent = memchr::memrchr(b'/', &out[start..]).unwrap_or(0);
                out.truncate(start + parent);
            }
            name => {
                if out.len() - start + name.len() >= PATH_BYTES_MAX {
                    return;
                }
                out.push(b'/');
                out.extend_from_slice(name);
            }
        }
    }
}

/// No path that Falco joins is longer.
const JOINED_BYTES_MAX: usize = 1024;

/// Appends `raw` behind a directory as Falco joins the two: the directory is taken as it stands,
/// and only what follows is freed of `.`, `..` and slashes. A path of nothing stays one.
pub fn join(base: Base<'_>, raw: &[u8], out: &mut Vec<u8>) {
    if let Base::Path(path) = base
        && raw.first() == Some(&b'/')
        && path.len() + 1 + raw.len() < JOINED_BYTES_MAX
        && is_plain(raw)
    {
        out.extend_from_slice(raw);
        return;
    }
    let start = out.len();
    match base {
        Base::Components(components) | Base::End(components) => write_components(components, out),
        Base::Path(path) => out.extend_from_slice(path),
        Base::Unknown => out.extend_from_slice(UNKNOWN),
    }
    if !matches!(base, Base::Unknown) && out.len() > start && out.last() != Some(&b'/') {
        out.push(b'/');
    }
    join_behind(start, raw, out);
}

/// Whether a path has nothing that joining it would change: no doubled slash, nothing that
/// begins with a dot, and no slash at its end.
pub fn is_plain(path: &[u8]) -> bool {
    let Some((_, next)) = path.split_first() else {
        return false;
    };
    let pairs = path.iter().zip(next);
    // All are looked at, since that is done for many at a time.
    let odd = pairs.fold(0, |odd, (this, next)| {
        odd | u8::from(*this == b'/') & (u8::from(*next == b'/') | u8::from(*next == b'.'))
    });
    odd == 0 && path.last() != Some(&b'/')
}

/// Joins `raw` to the directory that stands in `out` from `start` on.
pub fn join_behind(start: usize, raw: &[u8], out: &mut Vec<u8>) {
    if out.len() - start + raw.len() >= JOINED_BYTES_MAX {
        out.truncate(start);
        out.extend_from_slice(b"/DIR_TOO_LONG/FILENAME_TOO_LONG");
        return;
    }
    match raw.first() {
        None => return out.truncate(start),
        Some(b'/') => {
            out.truncate(start);
            out.push(b'/');
        }
        Some(_) => {}
    }
    let mut is_behind_name = false;
    // A directory that does not end in a slash has the first part for its own end.
    let mut is_end = out.len() > start && out.last() != Some(&b'/');
    for segment in raw.split(|byte| *byte == b'/') {
        match segment {
            end if std::mem::take(&mut is_end) => {
                out.extend_from_slice(end);
                is_behind_name = true;
            }
            b"" | b"." => {}
            b".." => {
                let joined = &out[start..];
                let parent = joined.strip_suffix(b"/").unwrap_or(joined);
                let end = memchr::memrchr(b'/', parent).map_or(0, |slash| slash + 1);
                let is_root = joined == b"/";
                out.truncate(start + if is_root { 1 } else { end });
                is_behind_name = false;
            }
            name => {
                if is_behind_name {
                    out.push(b'/');
                }
                out.extend_from_slice(name);
                is_behind_name = true;
            }
        }
    }
    if out.len() - start > 1 && out.last() == Some(&b'/') {
        out.pop();
    }
}

/// The directory part of a path: up to the last slash, `/` when there is nothing before it.
pub fn directory(path: &[u8]) -> &[u8] {
    match memchr::memrchr(b'/', path) {
        None | Some(0) => b"/",
        Some(at) => &path[..at],
    }
}

/// The part behind the last slash.
pub fn file_name(path: &[u8]) -> &[u8] {
    match memchr::memrchr(b'/', path) {
        None => path,
        Some(at) => &path[at + 1..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(base: Base<'_>, raw: &[u8]) -> String {
        let mut out = b"kept:".to_vec();
        resolve(base, raw, &mut out);
        String::from_utf8(out).expect("the tests' paths are text")
    }

    #[test]
    fn falco_joins_a_path_to_its_directory_as_it_stands() {
        for (base, raw, expected) in [
            (&b"/tmp"[..], &b"a//./b/"[..], "/tmp/a/b"),
            (b"/", b"etc", "/etc"),
            (b"//", b"etc", "//etc"),
            (b"/tmp/", b"../../../x", "/x"),
            (b"/tmp/d", b"..", "/tmp"),
            (b"/tmp", b".", "/tmp"),
            (b"/tmp", b"/a/../../b", "/b"),
            (b"/tmp", b"/", "/"),
            (b"/tmp", b"", ""),
            (b"", b"../etc/passwd", "etc/passwd"),
            (b"", b"..", ""),
        ] {
            let mut out = b"kept:".to_vec();
            join(Base::Path(base), raw, &mut out);
            assert_eq!(String::from_utf8_lossy(&out[5..]), expected);
        }
        let mut out = Vec::new();
        join(Base::Unknown, b"a", &mut out);
        assert_eq!(out, b"<UNKNOWN>a");
        out.clear();
        join(Base::Unknown, b"../a/../b", &mut out);
        assert_eq!(out, b"<UNKNOWN>../b");
        out.clear();
        join(Base::Path(b"/tmp"), &[b'a'; 1018], &mut out);
        assert_eq!(out.len(), 1023);
        out.clear();
        join(Base::Path(b"/tmp"), &[b'a'; 1019], &mut out);
        assert_eq!(out, b"/DIR_TOO_LONG/FILENAME_TOO_LONG");
    }

    #[test]
    fn components_are_turned_round() {
        let mut out = Vec::new();
        write_components(b"shadow\0etc\0", &mut out);
        assert_eq!(out, b"/etc/shadow");
        out.clear();
        write_components(b"", &mut out);
        assert_eq!(out, b"/");
        assert_eq!(leaf(b"shadow\0etc\0"), b"shadow");
        for (odd, expected) in [
            (&b"shadow\0etc"[..], &b"/etc/shadow"[..]),
            (b"\0\0shadow\0\0etc\0\0", b"/etc/shadow"),
            (b"\0", b"/"),
        ] {
            let mut out = b"kept".to_vec();
            write_components(odd, &mut out);
            assert_eq!(out[4..], *expected);
        }
        let long = [b'x'; PATH_BYTES_MAX];
        let mut out = Vec::new();
        write_components(&[b"leaf\0", &long[..], b"\0"].concat(), &mut out);
        assert_eq!(out, b"/leaf");
    }

    #[test]
    fn a_relative_path_is_joined_and_normalised() {
        let dir = Base::Components(b"t1\0task\0tmp\0");
        for (raw, expected) in [
            (&b"a.txt"[..], "kept:/tmp/task/t1/a.txt"),
            (b"../../etc/passwd", "kept:/tmp/etc/passwd"),
            (b".", "kept:/tmp/task/t1"),
            (b"./", "kept:/tmp/task/t1"),
            (b"", "kept:/tmp/task/t1"),
            (b"../../../../../x", "kept:/x"),
            (b"..//..//..", "kept:/"),
            (b"/etc/./shadow/", "kept:/etc/shadow"),
            (b"/", "kept:/"),
        ] {
            assert_eq!(resolved(dir, raw), expected);
        }
        assert_eq!(
            resolved(Base::Path(b"/home/app/"), b"x"),
            "kept:/home/app/x"
        );
        assert_eq!(resolved(Base::Path(b"/"), b"x"), "kept:/x");
        assert_eq!(resolved(Base::Components(b""), b"x"), "kept:/x");
        assert_eq!(resolved(Base::Unknown, b"../x"), "kept:<UNKNOWN>../x");
    }

    #[test]
    fn a_path_without_its_beginning_is_never_absolute() {
        let end = Base::End(b"b\0a\0");
        for (raw, expected) in [
            (&b"x"[..], "kept:<UNKNOWN>/a/b/x"),
            (b"../x", "kept:<UNKNOWN>/a/x"),
            (b"../../../x", "kept:<UNKNOWN>/x"),
            (b"/x", "kept:/x"),
        ] {
            assert_eq!(resolved(end, raw), expected);
            assert_eq!(resolved(Base::Path(b"<UNKNOWN>/a/b"), raw), expected);
        }
        let mut out = Vec::new();
        end.write(&mut out);
        assert_eq!(out, b"<UNKNOWN>/a/b");
        let mut long = [&b"/dev/shm/"[..], &[b'x'; 30], b"/leaf"].concat();
        keep_end(&mut long, 60);
        assert_eq!(long.len(), 44);
        keep_end(&mut long, 43);
        assert_eq!(long, b"<UNKNOWN>/leaf");
        assert_eq!(
            resolved(Base::Path(b"/<UNKNOWN>"), b"x"),
            "kept:/<UNKNOWN>/x"
        );
    }

    #[test]
    fn a_path_has_a_directory_and_a_name() {
        assert_eq!(directory(b"/etc/shadow"), b"/etc");
        assert_eq!(directory(b"/x"), b"/");
        assert_eq!(directory(b""), b"/");
        assert_eq!(file_name(b"/etc/shadow"), b"shadow");
        assert_eq!(file_name(b"x"), b"x");
    }

    proptest::proptest! {
        #[test]
        fn components_of_any_length_are_joined_from_the_last_to_the_first(
            names in proptest::collection::vec("[a-z\u{e9}]{0,20}", 0..12),
        ) {
            let components: Vec<u8> = names.iter().flat_map(|name| [name.as_bytes(), b"\0"].concat()).collect();
            let mut out = b"kept".to_vec();
            write_components(&components, &mut out);
            let named = names.iter().rev().filter(|name| !name.is_empty());
            let expected: String = named.map(|name| format!("/{name}")).collect();
            let expected = if expected.is_empty() { "/" } else { &expected };
            assert_eq!(&out[4..], expected.as_bytes());
        }

        #[test]
        fn no_bytes_make_a_path_that_is_not_absolute(
            dir in proptest::collection::vec(0u8..=255, 0..60),
            raw in proptest::collection::vec(0u8..=255, 0..60),
        ) {
            let mut out = Vec::new();
            resolve(Base::Components(&dir), &raw, &mut out);
            assert_eq!(out[0], b'/');
        }
    }
}
