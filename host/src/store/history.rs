//! Who changed what is loaded, and how the rules differ since. Comparing texts and writing to the
//! disk take a while, so both are done on a thread behind a bounded queue.

use super::{NewChange, Store};
use crate::modules::Written;
use similar::TextDiff;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

/// So many changes may wait to be written.
const WAITING_MAX: usize = 256;
/// Texts are compared for no longer.
const COMPARING: Duration = Duration::from_millis(500);

/// What a module was compiled of before and after.
#[derive(Clone, Debug)]
pub struct Texts {
    /// None where it was not there, or not compiled here.
    pub before: Option<Arc<Written>>,
    /// What it is compiled of now.
    pub after: Arc<Written>,
}

/// A change of what is loaded.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who asked for it.
    pub by: String,
    /// What was asked for.
    pub what: String,
    /// What came of it.
    pub outcome: String,
    /// Whether it was done.
    pub done: bool,
    /// The texts that changed with it.
    pub texts: Vec<Texts>,
}

/// Where changes are remembered.
#[derive(Debug)]
pub struct History {
    entries: SyncSender<Entry>,
}

impl History {
    /// Starts the thread that writes them to the store.
    pub fn start(store: Store) -> io::Result<History> {
        let (entries, waiting) = sync_channel::<Entry>(WAITING_MAX);
        std::thread::Builder::new()
            .name("saker-history".into())
            .spawn(move || {
                for entry in waiting {
                    let difference: String = entry.texts.iter().map(difference).collect();
                    // That the store fails is said where it does.
                    let _ = store.note(&NewChange {
                        by: entry.by,
                        what: entry.what,
                        outcome: entry.outcome,
                        done: entry.done,
                        difference,
                    });
                }
            })?;
        Ok(History { entries })
    }

    /// Remembers a change; waits for nothing.
    pub fn note(&self, entry: Entry) {
        if let Err(error) = self.entries.try_send(entry) {
            tracing::error!("a change is not remembered: {error}");
        }
    }
}

/// How the rule files differ, as `diff -u` shows it.
fn difference(texts: &Texts) -> String {
    let none = Vec::new();
    let before = texts
        .before
        .as_ref()
        .map_or(&none, |before| &before.sources);
    let mut files: BTreeMap<&str, [&str; 2]> = BTreeMap::new();
    for (at, sources) in [before, &texts.after.sources].into_iter().enumerate() {
        for source in sources {
            files.entry(&source.name).or_default()[at] = &source.text;
        }
    }
    // A module that is swapped comes of a file of another name.
    if let ([one], [other]) = (&before[..], &texts.after.sources[..])
        && one.name != other.name
    {
        files = BTreeMap::from([(&*other.name, [&*one.text, &*other.text])]);
    }
    let mut text = String::new();
    for (name, [before, after]) in files.into_iter().filter(|(_, [a, b])| a != b) {
        text.push_str(&difference_of(name, before, after));
    }
    text
}

/// How two texts of a file differ.
pub fn difference_of(name: &str, before: &str, after: &str) -> String {
    let difference = TextDiff::configure()
        .timeout(COMPARING)
        .diff_lines(before, after);
    let mut shown = difference.unified_diff();
    shown.header(name, name).to_string()
}
