// Values that outlive the module's instance. Wants `kv`. `set` throws where there is no room.
import * as kv from "saker:rules/kv@0.1.0";

/** @returns {Uint8Array | undefined} */
export const get = (key) => kv.get(key);
export const set = (key, value) => kv.set(key, value);
/** Forgets a key. */
export const forget = (key) => kv["delete"](key);
