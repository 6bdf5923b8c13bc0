//! What a compiled ruleset says of itself: rules, literals, layouts, addresses.
//!
//! Stored in a custom section as: version u32, then the fields below in order; numbers
//! little-endian, a string as u32 length and bytes, a list as u32 count and elements, an option
//! as u8 0 or 1. Reading trusts nothing: every count is held against what is left.

use crate::abi;
use crate::event::EventType;
use crate::field::{Arg, Field, FieldRef};
use crate::term::{Comparison, DEPTH_MAX, Term, Transformer};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// Falco's priorities, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Priority {
    /// System is unusable.
    Emergency = 0,
    /// Act at once.
    Alert = 1,
    /// Critical.
    Critical = 2,
    /// An error.
    Error = 3,
    /// A warning.
    Warning = 4,
    /// Normal, yet worth a look.
    Notice = 5,
    /// Informational.
    Informational = 6,
    /// For debugging.
    Debug = 7,
}

impl Priority {
    /// All, most urgent first.
    pub const ALL: [Priority; 8] = [
        Priority::Emergency,
        Priority::Alert,
        Priority::Critical,
        Priority::Error,
        Priority::Warning,
        Priority::Notice,
        Priority::Informational,
        Priority::Debug,
    ];

    /// Falco's word.
    pub fn name(self) -> &'static str {
        match self {
            Priority::Emergency => "Emergency",
            Priority::Alert => "Alert",
            Priority::Critical => "Critical",
            Priority::Error => "Error",
            Priority::Warning => "Warning",
            Priority::Notice => "Notice",
            Priority::Informational => "Informational",
            Priority::Debug => "Debug",
        }
    }

    /// Reads Falco's word in any case; `INFO` is `Informational`.
    pub fn parse(text: &str) -> Option<Priority> {
        if text.eq_ignore_ascii_case("info") {
            return Some(Priority::Informational);
        }
        Priority::ALL
            .into_iter()
            .find(|priority| priority.name().eq_ignore_ascii_case(text))
    }
}

/// One rule of a ruleset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Its priority.
    pub priority: Priority,
    /// The output format, parsed.
    pub output: Vec<OutputPart>,
    /// Its tags as written.
    pub tags: Vec<String>,
    /// Its source (`syscall`).
    pub source: String,
    /// Whether it is on unless told otherwise.
    pub enabled: bool,
    /// Its alerts ask for a capture of what happens then (`capture`).
    pub capture: bool,
    /// How long that goes on, in ms; 0 leaves it to the settings (`capture_duration`).
    pub capture_duration_ms: u32,
}

/// A part of an output format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputPart {
    /// Text as it stands.
    Text(String),
    /// A value; `name` is how it was written (the key in `output_fields`).
    Value {
        /// As written behind the `%`.
        name: String,
        /// What it refers to.
        term: Term,
    },
}

/// A slot of a row: which value, and what of it the rules need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The value.
    pub term: Term,
    /// A string's bytes are needed, not only its literal id.
    pub bytes: bool,
}

/// The rows of one event type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLayout {
    /// Which type.
    pub event: EventType,
    /// Its slots in order.
    pub slots: Vec<Slot>,
    /// One of these must hold for any rule to hold, so that most events need no row; none where
    /// that is not known.
    pub needs: Vec<Need>,
}

/// What must hold of an event for some rules to hold: a part of what they ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// A slot that is to hold this number.
    pub number: Option<(u16, u64)>,
    /// One of these must hold as well, if there are any.
    pub clues: Vec<Clue>,
    /// Of the process's row one of these, if there are any.
    pub process: Vec<Clue>,
}

/// A cheap question to a text. No absent one has any of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clue {
    /// The slot's text is one of the module's literals.
    Known(u16),
    /// It is this literal.
    Is(u16, Vec<u8>),
    /// It begins with these bytes.
    Starts(u16, Vec<u8>),
    /// It contains these bytes.
    Contains(u16, Vec<u8>),
}

impl Need {
    /// The slots of the event's row that are asked.
    pub fn slots(&self) -> impl Iterator<Item = u16> + '_ {
        let number = self.number.iter().map(|(slot, _)| *slot);
        number.chain(self.clues.iter().map(Clue::slot))
    }
}

impl Clue {
    /// The slot that is asked.
    pub fn slot(&self) -> u16 {
        match self {
            Clue::Known(slot)
            | Clue::Is(slot, _)
            | Clue::Starts(slot, _)
            | Clue::Contains(slot, _) => *slot,
        }
    }
}

/// Everything the host must know of a compiled ruleset.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The rules, in the order in which they are tried.
    pub rules: Vec<Rule>,
    /// The literals whose ids the module wants.
    pub literals: Vec<Vec<u8>>,
    /// Sets of literals, as indices into `literals`.
    pub sets: Vec<Vec<u32>>,
    /// Slots of process rows.
    pub process: Vec<Slot>,
    /// Event types the module wants, with their slots.
    pub events: Vec<EventLayout>,
    /// Where the module stores hits.
    pub hits_at: u32,
    /// How many fit there.
    pub hits_max: u32,
    /// Where the host writes the literals' ids.
    pub literal_ids_at: u32,
    /// Where the host writes the sets' bitmaps' addresses and lengths in bits.
    pub sets_at: u32,
    /// Where the host writes which rules are enabled.
    pub enabled_at: u32,
    /// Where the host writes the matching mode.
    pub matching_at: u32,
    /// Where free memory begins.
    pub heap_at: u32,
}

/// Why bytes are no manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestError {
    /// Of another version of the contract.
    Version(u32),
    /// Cut short, or a count or number that cannot be.
    Malformed,
}

impl core::fmt::Display for ManifestError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ManifestError::Version(version) => {
                write!(
                    f,
                    "the module speaks version {version}, this host version {}",
                    abi::VERSION
                )
            }
            ManifestError::Malformed => f.write_str("the manifest is malformed"),
        }
    }
}
impl core::error::Error for ManifestError {}

impl Manifest {
    /// The layout of the rows of that event type, if the module wants it.
    pub fn layout(&self, event: EventType) -> Option<&EventLayout> {
        self.events.iter().find(|layout| layout.event == event)
    }

    /// The bytes of the custom section.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::new());
        out.u32(abi::VERSION);
        out.list(&self.rules, |out, rule| {
            out.text(&rule.name);
            out.text(&rule.description);
            out.0.push(rule.priority as u8);
            out.list(&rule.output, |out, part| match part {
                OutputPart::Text(text) => {
                    out.0.push(0);
                    out.text(text);
                }
                OutputPart::Value { name, term } => {
                    out.0.push(1);
                    out.text(name);
                    out.term(term);
                }
            });
            out.list(&rule.tags, |out, tag| out.text(tag));
            out.text(&rule.source);
            out.0.push(rule.enabled.into());
            out.0.push(rule.capture.into());
            out.u32(rule.capture_duration_ms);
        });
        out.list(&self.literals, |out, literal| out.bytes(literal));
        out.list(&self.sets, |out, set| {
            out.list(set, |out, literal| out.u32(*literal))
        });
        out.list(&self.process, Writer::slot);
        out.list(&self.events, |out, layout| {
            out.u32(layout.event.code().into());
            out.list(&layout.slots, Writer::slot);
            out.list(&layout.needs, Writer::need);
        });
        for number in [
            self.hits_at,
            self.hits_max,
            self.literal_ids_at,
            self.sets_at,
            self.enabled_at,
            self.matching_at,
            self.heap_at,
        ] {
            out.u32(number);
        }
        out.0
    }

    /// Reads the bytes of the custom section.
    pub fn decode(bytes: &[u8]) -> Result<Manifest, ManifestError> {
        let mut input = Reader(bytes);
        let version = input.u32()?;
        if version != abi::VERSION {
            return Err(ManifestError::Version(version));
        }
        let manifest = Manifest {
            rules: input.list(|input| {
                Ok(Rule {
                    name: input.text()?,
                    description: input.text()?,
                    priority: *Priority::ALL
                        .get(usize::from(input.u8()?))
                        .ok_or(ManifestError::Malformed)?,
                    output: input.list(|input| match input.u8()? {
                        0 => Ok(OutputPart::Text(input.text()?)),
                        1 => Ok(OutputPart::Value {
                            name: input.text()?,
                            term: input.term(DEPTH_MAX)?,
                        }),
                        _ => Err(ManifestError::Malformed),
                    })?,
                    tags: input.list(Reader::text)?,
                    source: input.text()?,
                    enabled: input.bool()?,
                    capture: input.bool()?,
                    capture_duration_ms: input.u32()?,
                })
            })?,
            literals: input.list(|input| Ok(input.bytes()?.to_vec()))?,
            sets: input.list(|input| input.list(Reader::u32))?,
            process: input.list(Reader::slot)?,
            events: input.list(|input| {
                let code = u16::try_from(input.u32()?).map_err(|_| ManifestError::Malformed)?;
                Ok(EventLayout {
                    event: EventType::from_code(code).ok_or(ManifestError::Malformed)?,
                    slots: input.list(Reader::slot)?,
                    needs: input.list(Reader::need)?,
                })
            })?,
            hits_at: input.u32()?,
            hits_max: input.u32()?,
            literal_ids_at: input.u32()?,
            sets_at: input.u32()?,
            enabled_at: input.u32()?,
            matching_at: input.u32()?,
            heap_at: input.u32()?,
        };
        let literals = manifest.literals.len();
        let sets_hold = manifest
            .sets
            .iter()
            .flatten()
            .all(|literal| (*literal as usize) < literals);
        let of_process = manifest.process.len();
        let needs_hold = manifest.events.iter().all(|layout| {
            layout.needs.iter().all(|need| {
                let mut asked = need.process.iter().map(Clue::slot);
                asked.all(|slot| usize::from(slot) < of_process)
                    && need
                        .slots()
                        .all(|slot| usize::from(slot) < layout.slots.len())
            })
        });
        if !input.0.is_empty() || !sets_hold || !needs_hold {
            return Err(ManifestError::Malformed);
        }
        Ok(manifest)
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }
    fn bytes(&mut self, bytes: &[u8]) {
        // A module of 4 GiB cannot be, so no length is cut.
        self.u32(bytes.len() as u32);
        self.0.extend_from_slice(bytes);
    }
    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }
    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Writer, &T)) {
        self.u32(items.len() as u32);
        for item in items {
            write(self, item);
        }
    }
    fn field(&mut self, field: &FieldRef) {
        self.u32(field.field.id().into());
        match &field.arg {
            Arg::None => self.0.push(0),
            Arg::Index(index) => {
                self.0.push(1);
                self.u32(*index);
            }
            Arg::Key(key) => {
                self.0.push(2);
                self.text(key);
            }
        }
    }
    fn term(&mut self, term: &Term) {
        match term {
            Term::Field(field) => {
                self.0.push(0);
                self.field(field);
            }
            Term::Text(text) => {
                self.0.push(1);
                self.text(text);
            }
            Term::List(parts) => {
                self.0.push(2);
                self.list(parts, Writer::term);
            }
            Term::Made(transformer, parts) => {
                self.0.push(3);
                self.0.push(*transformer as u8);
                self.list(parts, Writer::term);
            }
            Term::Compared(comparison, sides) => {
                self.0.push(4);
                self.0.push(*comparison as u8);
                sides.iter().for_each(|side| self.term(side));
            }
        }
    }
    fn slot(&mut self, slot: &Slot) {
        self.term(&slot.term);
        self.0.push(slot.bytes.into());
    }
    fn need(&mut self, need: &Need) {
        self.0.push(need.number.is_some().into());
        if let Some((slot, number)) = need.number {
            self.u32(slot.into());
            self.0.extend_from_slice(&number.to_le_bytes());
        }
        self.list(&need.clues, Writer::clue);
        self.list(&need.process, Writer::clue);
    }
    fn clue(&mut self, clue: &Clue) {
        let (kind, text) = match clue {
            Clue::Known(_) => (0, &[][..]),
            Clue::Is(_, text) => (1, &text[..]),
            Clue::Starts(_, text) => (2, &text[..]),
            Clue::Contains(_, text) => (3, &text[..]),
        };
        self.0.push(kind);
        self.u32(clue.slot().into());
        self.bytes(text);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], ManifestError> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(ManifestError::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }
    fn u8(&mut self) -> Result<u8, ManifestError> {
        Ok(self.take(1)?[0])
    }
    fn bool(&mut self) -> Result<bool, ManifestError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(ManifestError::Malformed),
        }
    }
    fn u32(&mut self) -> Result<u32, ManifestError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
    fn bytes(&mut self) -> Result<&'a [u8], ManifestError> {
        let len = self.u32()? as usize;
        self.take(len)
    }
    fn text(&mut self) -> Result<String, ManifestError> {
        let text = core::str::from_utf8(self.bytes()?).map_err(|_| ManifestError::Malformed)?;
        Ok(text.into())
    }
    fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Reader<'a>) -> Result<T, ManifestError>,
    ) -> Result<Vec<T>, ManifestError> {
        let count = self.u32()? as usize;
        // Every element takes a byte at least, so a count cannot make us reserve more than
        // the section is long.
        if count > self.0.len() {
            return Err(ManifestError::Malformed);
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }
    fn field(&mut self) -> Result<FieldRef, ManifestError> {
        let id = u16::try_from(self.u32()?).map_err(|_| ManifestError::Malformed)?;
        let field = Field::by_id(id).ok_or(ManifestError::Malformed)?;
        let arg = match self.u8()? {
            0 => Arg::None,
            1 => Arg::Index(self.u32()?),
            2 => Arg::Key(self.text()?),
            _ => return Err(ManifestError::Malformed),
        };
        Ok(FieldRef { field, arg })
    }
    /// Recursion is bounded by `depth`.
    fn term(&mut self, depth: usize) -> Result<Term, ManifestError> {
        let depth = depth.checked_sub(1).ok_or(ManifestError::Malformed)?;
        let word = |at: u8, count: usize| {
            let at = usize::from(at);
            (at < count).then_some(at).ok_or(ManifestError::Malformed)
        };
        Ok(match self.u8()? {
            0 => Term::Field(self.field()?),
            1 => Term::Text(self.text()?),
            2 => Term::List(self.list(|input| input.term(depth))?),
            3 => {
                let at = word(self.u8()?, Transformer::ALL.len())?;
                let parts = self.list(|input| input.term(depth))?;
                Term::Made(Transformer::ALL[at], parts)
            }
            4 => {
                let at = word(self.u8()?, Comparison::ALL.len())?;
                let sides = [self.term(depth)?, self.term(depth)?];
                Term::Compared(Comparison::ALL[at], Box::new(sides))
            }
            _ => return Err(ManifestError::Malformed),
        })
    }
    fn slot(&mut self) -> Result<Slot, ManifestError> {
        Ok(Slot {
            term: self.term(DEPTH_MAX)?,
            bytes: self.bool()?,
        })
    }
    fn slot_index(&mut self) -> Result<u16, ManifestError> {
        u16::try_from(self.u32()?).map_err(|_| ManifestError::Malformed)
    }
    fn need(&mut self) -> Result<Need, ManifestError> {
        let number = match self.bool()? {
            false => None,
            true => {
                let slot = self.slot_index()?;
                let bytes = self.take(8)?.try_into();
                let bytes = bytes.map_err(|_| ManifestError::Malformed)?;
                Some((slot, u64::from_le_bytes(bytes)))
            }
        };
        Ok(Need {
            number,
            clues: self.list(Reader::clue)?,
            process: self.list(Reader::clue)?,
        })
    }
    fn clue(&mut self) -> Result<Clue, ManifestError> {
        let kind = self.u8()?;
        let slot = self.slot_index()?;
        let text = self.bytes()?;
        Ok(match kind {
            0 if text.is_empty() => Clue::Known(slot),
            1 => Clue::Is(slot, text.to_vec()),
            2 => Clue::Starts(slot, text.to_vec()),
            3 => Clue::Contains(slot, text.to_vec()),
            _ => return Err(ManifestError::Malformed),
        })
    }
}
