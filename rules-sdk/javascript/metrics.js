// Numbers for whoever runs Saker. Wants `metrics`. Both throw where a number is not taken.
import * as metrics from "saker:rules/metrics@0.1.0";

/** Adds to a number that only grows. */
export const add = (name, by = 1) => metrics.add(name, BigInt(by));
/** Sets a number that goes up and down. */
export const set = (name, value) => metrics.set(name, value);
