// Between a module and the world; nothing here concerns a module.

import own from "../module.js";
import { Alerts } from "./saker.js";

let judge;

function value(given) {
  switch (typeof given) {
    case "boolean":
      return { tag: "boolean", val: given };
    case "bigint":
      return given < 0n
        ? { tag: "signed", val: BigInt.asIntN(64, given) }
        : { tag: "unsigned", val: BigInt.asUintN(64, given) };
    case "number":
      return Number.isSafeInteger(given) ? value(BigInt(given)) : { tag: "real", val: given };
    default:
      return { tag: "text", val: String(given) };
  }
}

const told = (alerts) =>
  alerts.map(({ row, rule, message, fields }) => ({
    row,
    rule,
    message,
    fields: fields.map(([name, given]) => [name, value(given)]),
  }));

const columns = own.Rows.columns.map(({ name, kind, many }) => ({ name, kind, many }));

export const module = {
  describe() {
    return {
      name: own.name,
      version: own.version,
      rules: own.rules.map((rule) => ({ description: "", tags: [], ...rule })),
      subscription: { condition: own.condition, fields: columns.map(({ name }) => name) },
      capabilities: own.capabilities,
      state: own.state,
    };
  },
  init(config, layout) {
    const given = layout.map(({ name, kind, many }) => ({ name, kind, many }));
    if (JSON.stringify(given) !== JSON.stringify(columns)) {
      throw `rows hold ${JSON.stringify(given)} here, the module was built for others`;
    }
    try {
      judge = own.start(Object.fromEntries(config));
    } catch (error) {
      throw String(error?.message ?? error);
    }
  },
  onBatch(rows) {
    return told(own.batch(judge, rows));
  },
  onTick(time) {
    const alerts = new Alerts();
    judge.tick?.(time, alerts);
    return told(alerts.all);
  },
  onResponse(request, outcome) {
    const alerts = new Alerts();
    judge.response?.(request, outcome.val, alerts);
    return told(alerts.all);
  },
};
