import { expect, test } from 'vitest';
import { pieces, printable } from './printable';

test('what reorders or hides text is shown escaped', () => {
  expect(printable('a\u202egnp.exe')).toBe('a\\u{202e}gnp.exe');
  expect(printable('\x1b[2J\n\t\r\0')).toBe('\\x1b[2J\\n\\t\\r\\0');
  expect(printable('\u200b\ufeff\u2066\u061c\u00ad\u3164')).toBe('\\u{200b}\\u{feff}\\u{2066}\\u{61c}\\xad\\u{3164}');
  expect(printable('\u{e0041}\ud800')).toBe('\\u{e0041}\\u{d800}');
  expect(printable('a\u00a0b')).toBe('a\\xa0b');
});

test('what people write stays', () => {
  const text = 'sh -c "Übung" 日本語 мир שלום 👍 <b>&amp;';
  expect(printable(text)).toBe(text);
  expect(pieces(text)).toEqual([{ text, escaped: false }]);
});

test('lines stay lines where they are meant to', () => {
  expect(pieces('a\nb\x07', '\n')).toEqual([
    { text: 'a\nb', escaped: false },
    { text: '\\x07', escaped: true },
  ]);
});
