// Rule modules for Saker, written in JavaScript or TypeScript.
//
// `module.js` exports one module by default, made by `defineModule`. `saker module build` makes a
// component of it; natively, for tests, `testing.js` runs it. What a module may call stands in
// files of its own, each of which wants its capability: log.js, clock.js, kv.js, metrics.js and
// http.js.

import { rowOf, rowsOf } from "./row.js";

/** Where a module puts its alerts. */
export class Alerts {
  row = undefined;
  all = [];

  /** An alert by a rule, about the event that is judged; in `tick`, about none. */
  alert(rule, fields = {}, message = undefined) {
    this.all.push({ row: this.row, rule, message, fields: Object.entries(fields) });
  }
}

/** A module. `fields` names what its rows hold; `start(config)` returns what judges events. */
export function defineModule(definition) {
  const Rows = rowOf(definition.fields);
  return {
    version: "0.1.0",
    capabilities: [],
    state: "global",
    ...definition,
    Rows,
    batch(judge, bytes) {
      const alerts = new Alerts();
      let index = 0;
      for (const row of rowsOf(Rows, bytes)) {
        alerts.row = index++;
        judge.event(row, alerts);
      }
      return alerts.all;
    },
  };
}
