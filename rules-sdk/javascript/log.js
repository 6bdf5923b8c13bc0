// Says something to whoever runs Saker. Always allowed.
import { write } from "saker:rules/log@0.1.0";

export const debug = (message) => write("debug", message);
export const info = (message) => write("info", message);
export const warn = (message) => write("warn", message);
export const error = (message) => write("error", message);
