//! The one way in which the probe is compiled; used by the build script and by the test that
//! rebuilds the committed object.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

/// The compiler: `CLANG` names another.
pub(crate) fn clang() -> String {
    std::env::var("CLANG").unwrap_or_else(|_| "clang-14".to_owned())
}

/// Compiles `probe.c` of that folder into `object`.
pub(crate) fn compile(folder: &Path, object: &Path) -> Result<(), String> {
    let clang = clang();
    let output = Command::new(&clang)
        // Relative names and a mapped prefix: the same bytes wherever the checkout lies.
        .current_dir(folder)
        .arg(format!("-ffile-prefix-map={}=.", folder.display()))
        .args([
            "-target",
            "bpf",
            "-mcpu=v3",
            "-O2",
            "-std=gnu11",
            "-nostdinc",
        ])
        .args(["-Wall", "-Wextra", "-Werror", "-Wno-unused-function"])
        // For BTF; DWARF comes along.
        .args(["-g", "-fno-addrsig", "-c", "probe.c", "-o"])
        .arg(object)
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                format!("`{clang}` is not installed (Debian: apt install clang-14), or set CLANG")
            }
            _ => format!("cannot run `{clang}`: {error}"),
        })?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{clang}` failed on the probe:\n{errors}"));
    }
    let full = std::fs::read(object).map_err(|error| format!("`{}`: {error}", object.display()))?;
    let lean = without_dwarf(&full).ok_or(format!("`{clang}` made no 64-bit ELF object"))?;
    std::fs::write(object, lean).map_err(|error| format!("`{}`: {error}", object.display()))
}

/// The object without the content of its DWARF sections, which nothing reads. As llvm-strip
/// does, but that is in another package than clang. Section numbers stay as they are.
fn without_dwarf(object: &[u8]) -> Option<Vec<u8>> {
    // Elf64_Ehdr: e_shoff at 40, e_shentsize, e_shnum and e_shstrndx at 58.
    const ENTRY: usize = 64;
    if object.get(..5)? != b"\x7fELF\x02" || short(object, 58)? != ENTRY {
        return None;
    }
    let (table, count, names) = (long(object, 40)?, short(object, 60)?, short(object, 62)?);
    let header = |n: usize| object.get(table + n * ENTRY..table + (n + 1) * ENTRY);
    let names_at = long(header(names)?, 24)?;
    let mut lean = object.get(..64)?.to_vec();
    let mut headers = Vec::new();
    for n in 0..count {
        // Elf64_Shdr: sh_name at 0, sh_type at 4, sh_offset at 24, sh_size at 32.
        let mut entry = header(n)?.to_vec();
        let name = object.get(names_at + word(&entry, 0)?..)?;
        if name.starts_with(b".debug_") || name.starts_with(b".rel.debug_") {
            entry[4..8].fill(0);
            entry[24..40].fill(0);
        } else {
            const SHT_NOBITS: usize = 8;
            let (offset, size) = (long(&entry, 24)?, long(&entry, 32)?);
            lean.resize(lean.len().next_multiple_of(16), 0);
            entry[24..32].copy_from_slice(&(lean.len() as u64).to_le_bytes());
            if word(&entry, 4)? != SHT_NOBITS {
                lean.extend_from_slice(object.get(offset..offset.checked_add(size)?)?);
            }
        }
        headers.extend(entry);
    }
    lean.resize(lean.len().next_multiple_of(16), 0);
    let table = lean.len() as u64;
    lean[40..48].copy_from_slice(&table.to_le_bytes());
    lean.extend(headers);
    Some(lean)
}

fn short(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)
        .try_into()
        .ok()
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?)
        .try_into()
        .ok()
}
