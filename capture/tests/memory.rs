//! How much a writer holds back.

use saker_capture::{Compression, Entry, Thread, Writer};
use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;

/// Counts what is written.
struct Counting(Rc<Cell<usize>>);

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_long_list_is_handed_on_before_it_ends() {
    let handed_on = Rc::new(Cell::new(0));
    let sink = Counting(handed_on.clone());
    let mut writer = Writer::new(sink, Compression::Plain).expect("it takes everything");
    let env = [b'x'; 4000];
    for tid in 0..5000 {
        let thread = Thread {
            tid,
            pid: tid,
            env: &env,
            ..Thread::default()
        };
        let entry = Entry::Thread(Box::new(thread));
        writer.write(&entry).expect("it fits");
        let all = (tid as usize + 1) * env.len();
        assert!(all < handed_on.get() + (2 << 20), "{tid}");
    }
}
