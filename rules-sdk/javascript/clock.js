// Nanoseconds since 1970, in whole milliseconds. Wants `clock`.
export { now } from "saker:rules/clock@0.1.0";
