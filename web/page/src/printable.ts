// Texts of events are an attacker's choice: what would not be seen, or would reorder what is
// seen, is shown escaped.

export interface Piece {
  text: string;
  escaped: boolean;
}

// Controls, format characters (bidirectional, zero width, tags), separators of lines and
// paragraphs, halves of pairs, private use and what has no meaning yet; blanks other than the
// plain one; letters and marks that show nothing.
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;

const SHORT: Record<string, string> = { '\n': '\\n', '\t': '\\t', '\r': '\\r', '\0': '\\0' };

function escape(character: string): string {
  const short = SHORT[character];
  if (short) return short;
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

/** A text in pieces: those that are shown as they are, and those that are escaped. */
export function pieces(text: string, keep = ''): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (keep.includes(match[0])) continue;
    if (match.index > end) found.push({ text: text.slice(end, match.index), escaped: false });
    const last = found.at(-1);
    if (last?.escaped && match.index === end) last.text += escape(match[0]);
    else found.push({ text: escape(match[0]), escaped: true });
    end = match.index + match[0].length;
  }
  if (end < text.length) found.push({ text: text.slice(end), escaped: false });
  return found;
}

/** The same as one text, for titles and labels. */
export function printable(text: string): string {
  return text.replace(HIDDEN, escape);
}

/** A value of a field as text. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? value : value === null || value === undefined ? '—' : JSON.stringify(value);
}
