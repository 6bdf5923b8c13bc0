// `node --import ./saker/native.mjs`: stand-ins for what a module may call, for tests.
import { register } from "node:module";

const source = `
export async function resolve(name, context, next) {
  if (name.startsWith("saker:rules/")) return { url: name, shortCircuit: true };
  return next(name, context);
}
const STAND_INS = {
  log: "export const write = (level, message) => console.error(level + ': ' + message);",
  clock: "export const now = () => globalThis.sakerNow ?? 0n;",
  kv: "const kept = new Map(); export const get = (key) => kept.get(key);" +
    "export const set = (key, value) => void kept.set(key, value);" +
    "const forget = (key) => void kept.delete(key); export { forget as delete };",
  metrics: "export const add = () => {}; export const set = () => {};",
  http: "export const submit = () => { throw 'unavailable'; };",
};
export async function load(url, context, next) {
  const name = /^saker:rules\\/([a-z]+)@/.exec(url)?.[1];
  if (name) return { format: "module", source: STAND_INS[name], shortCircuit: true };
  return next(url, context);
}`;
register(`data:text/javascript,${encodeURIComponent(source)}`);
