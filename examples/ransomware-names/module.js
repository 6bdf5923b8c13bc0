// Finds programs that give many files names like those of ransomware: within a short time a process
// renames many files to names that are as random as keys are. A rule file cannot tell how random a name is.
//
// Settings: `files` (20) within `seconds` (10); `length` (12), below which no name is random;
// `bits` (3.2), the least entropy of a random name's characters, and `changes` (0.2), how often at
// least it goes from letters to digits or back, as a part of its length: words do that rarely.
import { defineModule } from "./saker/saker.js";
import { fs_path_target, fs_path_name, proc_exepath, proc_name, proc_pid, evt_type } from "./saker/fields.js";

// No more processes are remembered; then the one longest unheard is forgotten.
const PROCESSES_MAX = 4096;

/** Bits of a character of a text, by how often each stands in it. */
export function entropy(text) {
  const counts = new Map();
  for (const one of text) counts.set(one, (counts.get(one) ?? 0) + 1);
  const length = [...text].length;
  let bits = 0;
  for (const count of counts.values()) bits -= (count / length) * Math.log2(count / length);
  return bits;
}

/** How often a text changes between small letters, large ones and digits. */
export function changes(text) {
  const kinds = [...text].map((one) =>
    /[0-9]/.test(one) ? 0 : /[a-z]/.test(one) ? 1 : /[A-Z]/.test(one) ? 2 : undefined,
  );
  const known = kinds.filter((kind) => kind !== undefined);
  return known.filter((kind, at) => at > 0 && kind !== known[at - 1]).length;
}

function number(config, key, fallback) {
  const value = Number(config[key] ?? fallback);
  if (!(value > 0)) throw new Error(`\`${key}\` takes a number above 0`);
  return value;
}

export default defineModule({
  name: "ransomware-names",
  condition: "evt.type in (rename, renameat, renameat2, creat) and evt.failed = false",
  fields: {
    target: fs_path_target,
    path: fs_path_name,
    program: proc_exepath,
    name: proc_name,
    pid: proc_pid,
    type: evt_type,
  },
  rules: [
    {
      name: "Files get random names",
      priority: "critical",
      description: "A process gives many files names that look like keys, as ransomware does.",
      tags: ["mitre_impact", "T1486"],
      output: "%proc.name (%proc.exepath, %proc.pid) gives many files random names, the last is %fs.path.target",
    },
  ],
  state: "process-tree",
  start(config) {
    const known = ["files", "seconds", "bits", "changes", "length"];
    const unknown = Object.keys(config).find((key) => !known.includes(key));
    if (unknown) throw new Error(`there is no setting \`${unknown}\``);
    const files = number(config, "files", 20);
    const span = BigInt(Math.round(number(config, "seconds", 10) * 1e9));
    const bits = number(config, "bits", 3.2);
    const least = number(config, "changes", 0.2);
    const length = number(config, "length", 12);
    const processes = new Map();
    return {
      event(row, alerts) {
        const path = row.target ?? row.path;
        const name = path?.slice(path.lastIndexOf("/") + 1);
        if (!name || name.length < length || entropy(name) < bits) return;
        if (changes(name) < least * name.length) return;
        let known = processes.get(row.pid);
        if (!known || row.time - known.since > span) known = { since: row.time, count: 0 };
        known.count++;
        // The last heard is the last in the map.
        processes.delete(row.pid);
        processes.set(row.pid, known);
        if (processes.size > PROCESSES_MAX) processes.delete(processes.keys().next().value);
        if (known.count === files) {
          alerts.alert(0, { "names.random": known.count, "names.bits": entropy(name) });
        }
      },
    };
  },
});
