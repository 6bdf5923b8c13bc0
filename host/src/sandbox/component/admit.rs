//! Which components are compiled at all: a bound on everything that the time and the memory to
//! compile grow with. What they do when they run is bounded by budgets.

use wasmparser::{Encoding, FunctionBody, Operator, Parser, Payload};

/// No component is larger. (An interpreter with its library is some 20 MiB.)
pub const COMPONENT_BYTES_MAX: usize = 32 << 20;
/// None has more functions in all its modules.
const FUNCTIONS_MAX: u64 = 200_000;
/// No function is longer. It is also how long code without a branch back can be, in which
/// nothing looks at the deadline.
const BODY_BYTES_MAX: usize = 2 << 20;
/// No function has more locals times branches, with which the time to compile grows.
const LOCALS_TIMES_BRANCHES_MAX: u64 = 20_000_000;
/// Nor all functions together.
const LOCALS_TIMES_BRANCHES_TOTAL: u64 = 2_000_000_000;

/// Whether bytes begin as those of a component do, not as those of a core module.
pub fn is_component(wasm: &[u8]) -> bool {
    Parser::is_component(wasm)
}

/// Says why a component is not to be compiled.
pub(super) fn admit(wasm: &[u8]) -> Result<(), String> {
    let at_most = |what: &str, found: u64, limit: u64| match found <= limit {
        true => Ok(()),
        false => Err(format!("it has {found} {what}, the limit is {limit}")),
    };
    at_most("bytes", wasm.len() as u64, COMPONENT_BYTES_MAX as u64)?;
    let (mut functions, mut work) = (0, 0_u64);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|error| error.to_string())? {
            Payload::Version {
                encoding: Encoding::Module,
                range,
                ..
            } if range.start == 0 => {
                return Err(
                    "it is a core module, not a component (`saker module build` makes \
                            one of it)"
                        .into(),
                );
            }
            Payload::CodeSectionStart { count, .. } => {
                functions += u64::from(count);
                at_most("functions", functions, FUNCTIONS_MAX)?;
            }
            Payload::CodeSectionEntry(body) => {
                let bytes = body.range().len() as u64;
                at_most("bytes in a function", bytes, BODY_BYTES_MAX as u64)?;
                let of_body = locals_times_branches(&body).map_err(|error| error.to_string())?;
                let what = "locals times branches in a function";
                at_most(what, of_body, LOCALS_TIMES_BRANCHES_MAX)?;
                work = work.saturating_add(of_body);
                at_most("locals times branches", work, LOCALS_TIMES_BRANCHES_TOTAL)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Names of what a component imports, or what a core module does; none of what is neither.
pub fn imports(wasm: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    outermost(wasm, |payload| match payload {
        Payload::ComponentImportSection(imports) => {
            let imports = imports.into_iter().filter_map(|import| import.ok());
            names.extend(imports.map(|import| import.name.name.to_owned()));
        }
        Payload::ImportSection(imports) => {
            let imports = imports.into_imports().filter_map(|import| import.ok());
            names.extend(imports.map(|import| format!("{}.{}", import.module, import.name)));
        }
        _ => {}
    });
    names
}

/// Names of what a component exports.
pub fn exports(wasm: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    outermost(wasm, |payload| {
        if let Payload::ComponentExportSection(exports) = payload {
            let exports = exports.into_iter().filter_map(|export| export.ok());
            names.extend(exports.map(|export| export.name.name.to_owned()));
        }
    });
    names
}

/// Shows the sections of a component that are in none of the modules and components in it, as
/// far as they can be read.
fn outermost<'w>(wasm: &'w [u8], mut see: impl FnMut(Payload<'w>)) {
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth -= 1,
            Ok(payload) if depth == 0 => see(payload),
            Ok(_) => {}
            Err(_) => break,
        }
    }
}

fn locals_times_branches(body: &FunctionBody<'_>) -> wasmparser::Result<u64> {
    let mut locals = 0_u64;
    for local in body.get_locals_reader()? {
        locals += u64::from(local?.0);
    }
    let mut branches = 0;
    for operator in body.get_operators_reader()? {
        branches += match operator? {
            Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Br { .. }
            | Operator::BrIf { .. } => 1,
            Operator::BrTable { targets } => u64::from(targets.len()),
            _ => 0,
        };
    }
    Ok(locals.saturating_mul(branches))
}
