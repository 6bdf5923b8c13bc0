// Rows: events, as far as a module asked for them. How their bytes lie is specified in
// `rules/schema/src/offered.rs`.

class Field {
  constructor(kind, name, many) {
    this.kind = kind;
    this.name = name;
    this.many = many;
  }

  /** The field with an argument, as in `proc_aname.of(2)`. */
  of(argument) {
    return new Field(this.kind, `${this.name}[${argument}]`, false);
  }
}

export const field = (kind, name) => new Field(kind, name, false);
export const many = (kind, name) => new Field(kind, name, true);
export const withArgument = field;

const decoder = new TextDecoder();
const MAX = (1n << 64n) - 1n;

function address(bytes) {
  if (bytes.length === 4) return bytes.join(".");
  const words = [];
  for (let i = 0; i < 16; i += 2) words.push(((bytes[i] << 8) | bytes[i + 1]).toString(16));
  return words.join(":");
}

function read(row, kind, slot) {
  switch (kind) {
    case "text": {
      const bytes = row.bytesOf(slot);
      return bytes && decoder.decode(bytes);
    }
    case "bytes":
      return row.bytesOf(slot);
    case "address": {
      const bytes = row.bytesOf(slot);
      return bytes && address(bytes);
    }
    case "boolean":
      return slot !== 0n;
    case "signed":
      return BigInt.asIntN(64, slot);
    case "real": {
      if (slot === MAX) return NaN;
      const view = new DataView(new ArrayBuffer(8));
      view.setBigUint64(0, slot >> 63n ? slot ^ (1n << 63n) : slot ^ MAX);
      return view.getFloat64(0);
    }
    default:
      return slot;
  }
}

/** What all rows have. */
class Row {
  constructor(view, at, length) {
    this.view = view;
    this.at = at;
    this.length = length;
  }

  /** When it happened: nanoseconds since 1970. */
  get time() {
    return this.view.getBigUint64(this.at + 8, true);
  }

  /** The event's number. */
  get number() {
    return this.view.getBigUint64(this.at + 16, true);
  }

  /** A text or a list of it was cut. */
  get isCut() {
    return (this.view.getUint16(this.at + 6, true) & 1) !== 0;
  }

  slot(column, columns) {
    const at = this.at + 32;
    if (!((this.view.getUint8(at + (column >> 3)) >> (column & 7)) & 1)) return undefined;
    return this.view.getBigUint64(at + 8 * (Math.ceil(columns / 64) + column), true);
  }

  bytesOf(slot) {
    const at = Number(slot >> 32n);
    if (at === 0 || at + 4 > this.length) return undefined;
    const length = this.view.getUint32(this.at + at, true);
    if (at + 4 + length > this.length) return undefined;
    return new Uint8Array(this.view.buffer, this.view.byteOffset + this.at + at + 4, length);
  }

  listOf(slot) {
    const count = Number(slot & 0xffffffffn);
    const at = Number(slot >> 32n);
    if (at + 8 * count > this.length) return [];
    return Array.from({ length: count }, (_, i) =>
      this.view.getBigUint64(this.at + at + 8 * i, true),
    );
  }
}

/** A class of rows with a property for each of these fields. */
export function rowOf(fields) {
  const names = Object.keys(fields);
  const Rows = class extends Row {};
  Rows.columns = names.map((name) => fields[name]);
  names.forEach((name, column) => {
    const { kind, many } = fields[name];
    Object.defineProperty(Rows.prototype, name, {
      get() {
        const slot = this.slot(column, names.length);
        if (many) {
          const slots = slot === undefined ? [] : this.listOf(slot);
          return slots.map((slot) => read(this, kind, slot));
        }
        return slot === undefined ? undefined : read(this, kind, slot);
      },
    });
  });
  return Rows;
}

/** The rows of a batch. */
export function* rowsOf(Rows, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 32 <= view.byteLength; ) {
    const length = view.getUint32(at, true);
    if (length < 32 || at + length > view.byteLength) return;
    yield new Rows(view, at, length);
    at += length;
  }
}
