//! Core modules to components: the world of `wit/rules.wit` is put around what a compiler left,
//! and stubs in place of WASI, where it wants that. The only place that knows wit-component.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The world that modules are made for.
pub const WIT: &str = include_str!("../../wit/rules.wit");
/// The world's name.
const WORLD: &str = "rules";

/// The same text with a world that imports, beside `log`, only these interfaces: compilers that
/// bring an interpreter import all that their world has.
pub fn wit_with(interfaces: &[&str]) -> String {
    let (before, world) = WIT.split_once("world rules {").unwrap_or((WIT, ""));
    let kept = world.lines().filter(|line| {
        let name = line.trim().strip_prefix("import ");
        let name = name.and_then(|name| name.strip_suffix(';'));
        name.is_none_or(|name| name == "log" || interfaces.contains(&name))
    });
    let world: Vec<&str> = kept.collect();
    format!("{before}world rules {{{}\n", world.join("\n"))
}

/// What a core module imports WASI from, and what it gets for it: `wasi.wat`, compiled.
const WASI: &str = "wasi_snapshot_preview1";
const STUBS: &[u8] = include_bytes!("componentise/wasi.wasm");
/// In sections that begin so, a compiler's bindings say what a core module's names mean.
const BINDINGS: &str = "component-type";

/// Makes a component of a core module. One whose compiler knew nothing of components is taken to
/// follow the world by the names of its imports and exports.
pub fn componentise(core: &[u8]) -> Result<Vec<u8>, String> {
    componentise_by(WIT, core)
}

/// The same for the world `rules` of that text.
pub fn componentise_by(wit: &str, core: &[u8]) -> Result<Vec<u8>, String> {
    let in_words = |error| format!("{error:#}");
    let mut core = core.to_vec();
    if !has_bindings(&core)? {
        let mut resolve = Resolve::default();
        let package = resolve.push_source("rules.wit", wit).map_err(in_words)?;
        let world = resolve
            .select_world(&[package], Some(WORLD))
            .map_err(in_words)?;
        embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8)
            .map_err(in_words)?;
    }
    let wants_wasi = !stubbed(&core).is_empty();
    let mut encoder = ComponentEncoder::default()
        .validate(true)
        .module(&core)
        .map_err(in_words)?;
    if wants_wasi {
        encoder = encoder.adapter(WASI, STUBS).map_err(in_words)?;
    }
    encoder.encode().map_err(in_words)
}

/// The functions of WASI that a core module, or the modules in a component, import and have stubs
/// for; each once.
pub fn stubbed(core: &[u8]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(core) {
        let Ok(payload) = payload else { break };
        if let wasmparser::Payload::ImportSection(imports) = payload {
            let imports = imports.into_imports().filter_map(|import| import.ok());
            let of_wasi = imports.filter(|import| import.module == WASI);
            for import in of_wasi {
                // What tools put between WASI and its stubs is none of it.
                let is_new = !names.iter().any(|name| name == import.name);
                if is_new && import.name != "reset_adapter_state" {
                    names.push(import.name.to_owned());
                }
            }
        }
    }
    names
}

fn has_bindings(core: &[u8]) -> Result<bool, String> {
    for payload in wasmparser::Parser::new(0).parse_all(core) {
        if let wasmparser::Payload::CustomSection(section) =
            payload.map_err(|error| error.to_string())?
            && section.name().starts_with(BINDINGS)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stubs_are_what_their_text_says() {
        let text = include_str!("componentise/wasi.wat");
        let stubs = wat::parse_str(text).expect("Wasm text");
        if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/componentise/wasi.wasm");
            std::fs::write(path, &stubs).expect("a file of the project");
            return;
        }
        assert!(
            stubs == STUBS,
            "`wasi.wasm` is not made of `wasi.wat`: BLESS=1 makes it"
        );
    }
}
