use saker::modules::Module;
use saker_rules_schema::abi;
use saker_rules_schema::event::EventType;
use saker_rules_schema::manifest::{EventLayout, Manifest, Priority, Rule};

/// A ruleset that is valid in every respect and does that instead of judging.
fn ruleset(body: &str) -> Vec<u8> {
    let manifest = Manifest {
        rules: vec![Rule {
            name: "hostile".into(),
            description: String::new(),
            priority: Priority::Notice,
            output: Vec::new(),
            tags: Vec::new(),
            source: "syscall".into(),
            enabled: true,
            capture: false,
            capture_duration_ms: 0,
        }],
        events: vec![EventLayout {
            event: EventType::Openat,
            slots: Vec::new(),
            needs: Vec::new(),
        }],
        hits_at: 1024,
        hits_max: 16,
        literal_ids_at: 0,
        sets_at: 256,
        enabled_at: 512,
        matching_at: 516,
        heap_at: 4096,
        ..Manifest::default()
    };
    let text = format!(
        r#"(module
             (import "saker" "window" (memory $window 1))
             (memory $own (export "memory") 1 256)
             (func (export "evaluate") (param i32 i32) (result i32) {body}))"#
    );
    let mut wasm = wat::parse_str(text).expect("the test's text is a module");
    let name = abi::MANIFEST_SECTION.as_bytes();
    let mut section = vec![name.len() as u8];
    section.extend_from_slice(name);
    section.extend(manifest.encode());
    wasm.push(0);
    let mut length = section.len();
    while length > 127 {
        wasm.push(length as u8 | 128);
        length >>= 7;
    }
    wasm.push(length as u8);
    wasm.extend(section);
    wasm
}

#[test]
fn however_it_writes() {
    assert!(Module::foreign("honest", ruleset("(i32.const 0)")).is_ok());
    for write in [
        "(i32.store $window (i32.const 0) (i32.const 1))",
        "(i64.store8 $window (i32.const 0) (i64.const 1))",
        "(memory.fill $window (i32.const 0) (i32.const 1) (i32.const 65536))",
        "(memory.copy $window $own (i32.const 0) (i32.const 0) (i32.const 65536))",
        "(memory.copy $window $window (i32.const 0) (i32.const 8) (i32.const 8))",
        "(drop (memory.grow $window (i32.const 1)))",
    ] {
        let refused = Module::foreign("hostile", ruleset(&format!("{write} (i32.const 0)")));
        let why = refused
            .err()
            .unwrap_or_else(|| panic!("{write} is admitted"));
        assert!(!why.to_string().is_empty());
    }
}
