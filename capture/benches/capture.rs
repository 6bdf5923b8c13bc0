//! What an event costs in the reader and in the writer: events of the sizes that a kernel's have,
//! some hundred bytes with three to nine parameters, in memory.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use saker_capture::{Compression, Entry, Event, ParamBuffer, Reader, Writer};
use std::hint::black_box;

const EVENTS: u64 = 100_000;

fn events(mut each: impl FnMut(&Event<'_>)) {
    let mut params = ParamBuffer::new();
    for number in 0..EVENTS {
        params.clear();
        params.push(&number.to_le_bytes());
        params.push(b"/usr/lib/x86_64-linux-gnu/libc.so.6\0");
        params.push(&1_u32.to_le_bytes());
        for more in 0..number % 7 {
            params.push(&more.to_le_bytes());
        }
        each(&Event {
            cpu: (number % 4) as u16,
            flags: 0,
            time: 1_700_000_000_000_000_000 + number * 1000,
            tid: 1000 + (number % 100) as i64,
            code: 307,
            params: params.params(),
        });
    }
}

fn written(compression: Compression) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), compression).expect("memory");
    events(|event| writer.event(event).expect("memory"));
    writer.finish().expect("memory")
}

fn capture(c: &mut Criterion) {
    let mut group = c.benchmark_group("capture");
    group.throughput(Throughput::Elements(EVENTS));
    for (name, compression) in [("plain", Compression::Plain), ("gzip", Compression::Gzip)] {
        let bytes = written(compression);
        group.bench_function(format!("read {name}"), |b| {
            b.iter(|| {
                let mut reader = Reader::new(&bytes[..]).expect("a capture");
                let mut sum = 0;
                while let Some(entry) = reader.next().expect("an entry") {
                    if let Entry::Event(event) = entry {
                        sum += event.time + event.params.get(1).map_or(0, <[u8]>::len) as u64;
                    }
                }
                black_box(sum)
            });
        });
    }
    let plain = written(Compression::Plain);
    group.bench_function("read and write plain", |b| {
        b.iter_batched(
            || Vec::with_capacity(plain.len() + 1024),
            |to| {
                let mut reader = Reader::new(&plain[..]).expect("a capture");
                let mut writer = Writer::new(to, Compression::Plain).expect("memory");
                while let Some(entry) = reader.next().expect("an entry") {
                    writer.write(&entry).expect("memory");
                }
                writer.finish().expect("memory")
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, capture);
criterion_main!(benches);
