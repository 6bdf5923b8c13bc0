import test from "node:test";
import assert from "node:assert";
import { createHash } from "node:crypto";
import module, { changes, entropy } from "../module.js";
import { Run } from "../saker/testing.js";

const key = (n) => createHash("sha256").update(`${n}`).digest("hex").slice(0, 32);
const SECOND = 1_000_000_000n;

/** What comes of a process that renames files, one each step. */
function renamed(names, config = {}, step = SECOND / 100n) {
  const run = new Run(module, config);
  return names.flatMap((name, at) =>
    run.event(BigInt(at) * step, { "fs.path.target": `/home/someone/${name}`, "proc.pid": 7n }),
  );
}

test("the twentieth random name alerts, and none after it", () => {
  const names = Array.from({ length: 40 }, (_, n) => `${key(n)}.locked`);
  assert.equal(renamed(names.slice(0, 19)).length, 0);
  assert.equal(renamed(names).length, 1);
});

test("random names that come slowly are none", () => {
  const names = Array.from({ length: 40 }, (_, n) => key(n));
  assert.equal(renamed(names, {}, SECOND).length, 0);
});

test("names in words are none, however many", () => {
  const names = Array.from({ length: 400 }, (_, n) => `a-report-of-the-year-${1000 + n}.txt`);
  assert.equal(renamed(names).length, 0);
});

test("entropy is that of the characters", () => {
  assert.equal(entropy("aaaa"), 0);
  assert.equal(entropy("abcd"), 2);
  assert.equal(changes("a1b2C3"), 5);
});

test("a setting that is none is refused", () => {
  assert.throws(() => new Run(module, { fils: "3" }), /fils/);
  assert.throws(() => new Run(module, { files: "many" }), /files/);
});
