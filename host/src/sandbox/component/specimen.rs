//! Components for tests, put together from text: a well-behaved one, of which any part can be
//! replaced by another.

use crate::componentise::componentise;
use std::fmt::Write;

/// Where a specimen's own data begins; below is what its functions may use.
const DATA_AT: u32 = 4096;

/// The parts of a component. Bodies of functions are Wasm text.
pub(crate) struct Specimen<'a> {
    pub(crate) name: &'a str,
    pub(crate) rules: &'a [(&'a str, &'a str)],
    pub(crate) condition: &'a str,
    pub(crate) fields: &'a [&'a str],
    pub(crate) capabilities: &'a [u8],
    /// `[] -> i32`, in place of the description.
    pub(crate) describe: Option<&'a str>,
    /// `[$config $configs $layout $columns] -> i32`: where the result lies.
    pub(crate) init: &'a str,
    /// `[$rows $bytes] -> i32`: where pointer and number of the alerts lie.
    pub(crate) on_batch: &'a str,
    /// `[$time i64] -> i32`: the same.
    pub(crate) on_tick: &'a str,
    /// `[$request i64 $is_error $status …] -> i32`: the same.
    pub(crate) on_response: &'a str,
    /// `[$old $size $align $new] -> i32`
    pub(crate) realloc: &'a str,
    /// Fields of the module: imports first.
    pub(crate) imports: &'a str,
    pub(crate) more: &'a str,
    /// Pages of memory.
    pub(crate) pages: u32,
}

/// Says `ok`.
pub(crate) const INIT: &str = "(i32.store8 (i32.const 64) (i32.const 0)) (i32.const 64)";
/// No alert.
pub(crate) const SILENT: &str = "(i64.store (i32.const 32) (i64.const 0)) (i32.const 32)";
/// An alert of rule 0 about row 0.
pub(crate) const ALERT: &str = "
    (i32.store (i32.const 128) (i32.const 1)) (i32.store (i32.const 132) (i32.const 0))
    (i32.store (i32.const 136) (i32.const 0)) (i32.store (i32.const 140) (i32.const 0))
    (i32.store (i32.const 152) (i32.const 0)) (i32.store (i32.const 156) (i32.const 0))
    (i32.store (i32.const 32) (i32.const 128)) (i32.store (i32.const 36) (i32.const 1))
    (i32.const 32)";
/// Hands out memory from its second page on, over and over.
const REALLOC: &str = "(i32.const 65536)";

impl Default for Specimen<'_> {
    fn default() -> Self {
        Specimen {
            name: "specimen",
            rules: &[("Seen", "seen %proc.name %evt.type")],
            condition: "evt.type in (open, openat, openat2)",
            fields: &["proc.name", "evt.type"],
            capabilities: &[],
            describe: None,
            init: INIT,
            on_batch: ALERT,
            on_tick: SILENT,
            on_response: SILENT,
            realloc: REALLOC,
            imports: "",
            more: "",
            pages: 8,
        }
    }
}

/// What a specimen's memory begins with.
struct Image(Vec<u8>);

impl Image {
    fn put(&mut self, bytes: &[u8]) -> u32 {
        let at = DATA_AT + self.0.len() as u32;
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        at
    }

    fn text(&mut self, text: &str) -> [u32; 2] {
        [self.put(text.as_bytes()), text.len() as u32]
    }

    fn words(&mut self, words: &[u32]) -> u32 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.put(&bytes)
    }
}

impl Specimen<'_> {
    /// Its core module.
    pub(crate) fn core(&self) -> Vec<u8> {
        wat::parse_str(self.text()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The core module as text.
    pub(crate) fn text(&self) -> String {
        let mut image = Image(Vec::new());
        let mut rules = Vec::new();
        for (name, output) in self.rules {
            rules.extend(image.text(name));
            rules.extend(image.text("a rule of a specimen"));
            rules.extend([4, 0, 0]);
            rules.extend(image.text(output));
        }
        let rules_at = image.words(&rules);
        let mut fields = Vec::new();
        for field in self.fields {
            fields.extend(image.text(field));
        }
        let fields_at = image.words(&fields);
        let capabilities = image.put(self.capabilities);
        let mut description = Vec::new();
        description.extend(image.text(self.name));
        description.extend(image.text("1.0"));
        description.extend([rules_at, self.rules.len() as u32]);
        description.extend(image.text(self.condition));
        description.extend([fields_at, self.fields.len() as u32]);
        description.extend([capabilities, self.capabilities.len() as u32]);
        description.push(3);
        let described = image.words(&description);
        let mut data = String::new();
        for byte in &image.0 {
            let _ = write!(data, "\\{byte:02x}");
        }
        let Specimen {
            init,
            on_batch,
            on_tick,
            on_response,
            realloc,
            imports,
            more,
            pages,
            ..
        } = self;
        let describe = self
            .describe
            .map_or(format!("(i32.const {described})"), str::to_owned);
        format!(
            r#"(module
                {imports}
                (memory (export "memory") {pages})
                (data (i32.const {DATA_AT}) "{data}")
                {more}
                (func (export "cabi_realloc")
                    (param $old i32) (param $size i32) (param $align i32) (param $new i32)
                    (result i32) {realloc})
                (func (export "saker:rules/module@0.1.0#describe") (result i32) {describe})
                (func (export "saker:rules/module@0.1.0#init")
                    (param $config i32) (param $configs i32) (param $layout i32)
                    (param $columns i32) (result i32) {init})
                (func (export "saker:rules/module@0.1.0#on-batch")
                    (param $rows i32) (param $bytes i32) (result i32) {on_batch})
                (func (export "saker:rules/module@0.1.0#on-tick")
                    (param $time i64) (result i32) {on_tick})
                (func (export "saker:rules/module@0.1.0#on-response")
                    (param $request i64) (param $is_error i32) (param $status i32)
                    (param i32 i32 i32 i32 i32) (result i32) {on_response}))"#
        )
    }

    pub(crate) fn component(&self) -> Vec<u8> {
        componentise(&self.core()).unwrap_or_else(|error| panic!("{error}"))
    }
}
