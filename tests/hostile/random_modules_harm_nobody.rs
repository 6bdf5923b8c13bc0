use crate::court::{hostile, tried};
use crate::specimen::Specimen;
use arbitrary::Unstructured;
use wasm_smith::{Config, Module};

/// Modules that are tried.
const MODULES: usize = 60;

/// Bytes that look like chance, and are the same each time.
fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(next).collect()
}

/// A valid module with a memory, and a function like `on-batch`.
/// Not all bytes make one.
fn random(seed: u64) -> Option<Vec<u8>> {
    let like = r#"(module (func (export "f") (param i32 i32) (result i32) unreachable))"#;
    let config = Config {
        exports: Some(wat::parse_str(like).expect("good text")),
        max_imports: 0,
        min_memories: 1,
        max_memories: 1,
        max_memory32_bytes: 1 << 20,
        allow_start_export: false,
        custom_page_sizes_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        shared_everything_threads_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        generate_custom_sections: false,
        ..Config::default()
    };
    let bytes = bytes(seed, 8 << 10);
    let module = Module::new(config, &mut Unstructured::new(&bytes));
    Some(module.ok()?.to_bytes())
}

/// What is in the module as text, but for the memory, in place of which it uses the specimen's;
/// and the function's name.
fn fields_of(wasm: &[u8]) -> (String, String) {
    let mut text = String::new();
    let mut config = wasmprinter::Config::new();
    config.name_unnamed(true);
    let mut to = wasmprinter::PrintFmtWrite(&mut text);
    config.print(wasm, &mut to).expect("a valid module");
    let mut name = String::new();
    let mut fields = String::new();
    let lines: Vec<&str> = text.trim_end().lines().collect();
    for line in &lines[1..lines.len() - 1] {
        match line.trim_start() {
            memory if memory.starts_with("(memory ") => {}
            export if export.starts_with("(export ") => {
                let after = export.split("(func ").nth(1).expect("only a function");
                name = after.trim_end_matches(')').to_owned();
            }
            _ => {
                fields.push_str(line);
                fields.push('\n');
            }
        }
    }
    (fields, name)
}

#[test]
fn whatever_they_do() {
    let (mut refused, mut loaded, mut stopped) = (0, 0, 0);
    for wasm in (1..).filter_map(random).take(MODULES) {
        let (fields, name) = fields_of(&wasm);
        let on_batch = format!("(call {name} (local.get $rows) (local.get $bytes))");
        let specimen = Specimen {
            more: &fields,
            on_batch: &on_batch,
            ..hostile()
        };
        match tried(&specimen.component(), &[]) {
            Err(why) => {
                assert!(!why.is_empty());
                refused += 1;
            }
            Ok(sentence) => {
                loaded += 1;
                stopped += usize::from(!sentence.reasons.is_empty());
            }
        }
    }
    println!("{loaded} loaded, {stopped} of them stopped; {refused} refused");
    assert!(loaded > MODULES / 2, "{loaded}");
    assert!(stopped > 0);
}
