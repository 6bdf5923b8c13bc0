// What may stand at a place of a rule file.

import type { Completion as Known } from '../api';

export interface Offer {
  label: string;
  type: 'field' | 'operator' | 'transformer' | 'keyword' | 'event' | 'priority' | 'key' | 'macro' | 'list';
  detail?: string;
  info?: string;
}

/** The key whose value stands at the end of `before`, and the text of that value so far. */
export function place(before: string): { key: string; value: string } | null {
  const lines = before.split('\n');
  const value: string[] = [];
  let indent = Infinity;
  for (let at = lines.length - 1; at >= 0 && lines.length - at < 200; at -= 1) {
    const line = lines[at] ?? '';
    const found = /^(\s*(?:-\s+)?)([a-z_]+):(?:\s|$)(.*)$/.exec(line);
    const depth = /^\s*/.exec(line)?.[0].length ?? 0;
    // A line that is as deep as the value is a part of it, whatever it looks like.
    if (found && (at === lines.length - 1 || (found[1] ?? '').length < indent)) {
      value.unshift((found[3] ?? '').replace(/^[>|][+-]?\s*$/, ''));
      return { key: found[2] ?? '', value: value.join('\n') };
    }
    if (at === lines.length - 1 && depth === 0) return null;
    if (line.trim() !== '' || at === lines.length - 1) indent = Math.min(indent, depth);
    value.unshift(line);
  }
  return null;
}

/** What may stand at the end of `before`, and where the word begins that it takes the place of. */
export function offers(before: string, known: Known): { from: number; offers: Offer[] } | null {
  const line = before.slice(before.lastIndexOf('\n') + 1);
  const start = /^\s*(?:-\s+)?([a-z_]*)$/.exec(line);
  const at = place(before);
  const isInValue = at !== null && (at.value !== '' || /:\s+$/.test(line));
  const word = /[\w.%]*$/.exec(before)?.[0] ?? '';
  const from = before.length - word.length;
  if (start && !(at?.key === 'condition' || at?.key === 'output' || at?.key === 'desc' || at?.key === 'items')) {
    const keys = known.keys.map((label): Offer => ({ label, type: 'key' }));
    return { from: before.length - (start[1] ?? '').length, offers: keys };
  }
  if (!at || !isInValue) return null;
  const fields = known.fields.map((field): Offer => ({
    label: field.name,
    type: 'field',
    detail: field.has_value ? field.type : `${field.type}, without a value yet`,
    info: field.description,
  }));
  switch (at.key) {
    case 'priority':
      return { from, offers: known.priorities.map((label) => ({ label, type: 'priority' })) };
    case 'output': {
      const percent = word.lastIndexOf('%');
      return percent < 0 ? null : { from: from + percent + 1, offers: fields };
    }
    case 'condition': {
      if (/\bevt\.type\s*(?:=|!=|in\s*\([^)]*)\s*[\w.]*$/.test(at.value))
        return { from, offers: known.events.map((label) => ({ label, type: 'event' })) };
      const lists = known.lists.map((list): Offer => ({ label: list.name, type: 'list', info: list.text }));
      if (/\b(?:in|intersects|pmatch)\s*\([^)]*$/.test(at.value)) return { from, offers: lists };
      return {
        from,
        offers: [
          ...fields,
          ...known.macros.map((macro): Offer => ({ label: macro.name, type: 'macro', info: macro.text })),
          ...known.operators.map((label): Offer => ({ label, type: 'operator' })),
          ...known.keywords.map((label): Offer => ({ label, type: 'keyword' })),
          ...known.transformers.map((label): Offer => ({ label, type: 'transformer' })),
          ...lists,
        ],
      };
    }
    default:
      return null;
  }
}
