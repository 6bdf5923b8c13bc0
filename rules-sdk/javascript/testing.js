// Modules without Saker: a module is run over events that a test makes up, by `node --import
// ./saker/native.mjs --test`. The condition is not looked at: events are those that meet it.

import { Alerts } from "./saker.js";

const SECOND = 1_000_000_000n;
const encoder = new TextEncoder();

/** The bytes of a row: `values` by the names of fields; texts, numbers, bigints, truth values,
 * bytes, and lists of them. */
function rowOf(columns, time, number, values) {
  const words = Math.ceil(columns.length / 64);
  const begin = 32 + 8 * (words + columns.length);
  const tail = [];
  const presence = new Uint8Array(8 * words);
  const pad = (to) => {
    while ((begin + tail.length) % to) tail.push(0);
  };
  const bytesOf = (value, size) =>
    Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
  const slot = (value) => {
    if (typeof value === "string" || value instanceof Uint8Array) {
      const text = typeof value === "string" ? encoder.encode(value) : value;
      const at = begin + tail.length;
      tail.push(...bytesOf(BigInt(text.length), 4), ...text);
      pad(4);
      return BigInt(at) << 32n;
    }
    return BigInt.asUintN(64, BigInt(value));
  };
  const unknown = Object.keys(values).find((name) => !columns.some((one) => one.name === name));
  if (unknown) throw new Error(`the module does not ask for ${unknown}`);
  const slots = columns.map(({ name, many }, index) => {
    const value = values[name];
    if (value === undefined) return 0n;
    presence[index >> 3] |= 1 << (index & 7);
    if (!many) return slot(value);
    const items = value.map(slot);
    pad(8);
    const at = begin + tail.length;
    items.forEach((item) => tail.push(...bytesOf(item, 8)));
    return BigInt(items.length) | (BigInt(at) << 32n);
  });
  pad(8);
  const header = [
    ...bytesOf(BigInt(begin + tail.length), 4), 0, 0, 0, 0,
    ...bytesOf(time, 8), ...bytesOf(number, 8), ...bytesOf(0n, 8),
  ];
  return Uint8Array.from([...header, ...presence, ...slots.flatMap((one) => bytesOf(one, 8)), ...tail]);
}

/** A module at work. */
export class Run {
  constructor(module, config = {}) {
    this.module = module;
    this.judge = module.start(config);
    this.events = 0n;
    this.ticked = [];
  }

  /** Hands an event over, and before it a tick if its second is another; its alerts. */
  event(time, values) {
    globalThis.sakerNow = time - (time % 1_000_000n);
    const second = time - (time % SECOND);
    if (this.second !== undefined && second > this.second) {
      const alerts = new Alerts();
      this.judge.tick?.(second, alerts);
      this.ticked.push(...alerts.all);
    }
    this.second = second;
    const row = rowOf(this.module.Rows.columns, time, ++this.events, values);
    return this.module.batch(this.judge, row);
  }
}
