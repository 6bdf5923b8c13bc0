import type { Fields, RowOf } from "./row.js";

export type Value = string | number | bigint | boolean;
export type Priority = "emergency" | "alert" | "critical" | "error" | "warning" | "notice"
  | "informational" | "debug";
export type Capability = "clock" | "kv" | "metrics" | "http";

export interface Rule {
  name: string;
  priority: Priority;
  /** The text of its alerts; `%field` in it for fields of the module's rows. */
  output: string;
  description?: string;
  tags?: string[];
}

export class Alerts {
  /** An alert by a rule, about the event that is judged; in `tick`, about none. */
  alert(rule: number, fields?: Record<string, Value>, message?: string): void;
}

/** What a server answered to a request. */
export interface Answer {
  status: number;
  headers: [string, string][];
  body: Uint8Array;
  cut: boolean;
}

/** What judges events. */
export interface Judge<F extends Fields> {
  /** An event that meets the condition. They come in order. */
  event(row: RowOf<F>, alerts: Alerts): void;
  /** The time of events has reached another second: nanoseconds since 1970. */
  tick?(time: bigint, alerts: Alerts): void;
  /** What came of a request: the server's answer, or why there is none. */
  response?(request: bigint, outcome: Answer | string, alerts: Alerts): void;
}

export interface Definition<F extends Fields> {
  name: string;
  version?: string;
  /** Only events that meet this are handed over. */
  condition: string;
  fields: F;
  rules: Rule[];
  capabilities?: Capability[];
  state?: "none" | "container" | "process-tree" | "global";
  /** A new instance, with what the settings have for it. What it throws refuses the module. */
  start(config: Record<string, string>): Judge<F>;
}

export interface Module<F extends Fields> extends Definition<F> {}
export function defineModule<F extends Fields>(definition: Definition<F>): Module<F>;
