// Nothing of an event is ever taken for markup: what would do that is not in the sources.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const PAGE = join(import.meta.dirname, '..');
const FORBIDDEN =
  /\{@html|innerHTML|outerHTML|insertAdjacentHTML|setHTML|DOMParser|createContextualFragment|document\.write|srcdoc|\beval\(|new Function|javascript:|<style[^>]*>[^]*@import|(?<!:)\bstyle="/;

function files(folder: string): string[] {
  return readdirSync(join(PAGE, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

test('no source makes markup of text', () => {
  const sources = files('src').filter((name) => /\.(svelte|ts)$/.test(name));
  expect(sources.length).toBeGreaterThan(20);
  const found = sources.filter((name) => FORBIDDEN.test(readFileSync(name, 'utf8')));
  expect(found).toEqual([]);
});

test('no file of the page asks for anything from elsewhere, or has code in its markup', () => {
  const html = readFileSync(join(PAGE, 'dist/index.html'), 'utf8');
  expect(html).not.toMatch(/<script(?![^>]*\bsrc=)[^>]*>|\son\w+=|<style|\sstyle=|https?:\/\//);
  for (const name of files('dist').filter((name) => name.endsWith('.css')))
    expect(readFileSync(name, 'utf8')).not.toMatch(/@import|url\((?!['"]?data:image)/);
});
