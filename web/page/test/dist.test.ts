// The committed page is what its sources make.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const PAGE = join(import.meta.dirname, '..');

function files(folder: string): Record<string, string> {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    all
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((name) => [name.slice(folder.length), readFileSync(name, 'base64')]),
  );
}

test('dist is the output of the build', () => {
  const made = mkdtempSync(join(tmpdir(), 'saker-page-'));
  try {
    const env = { ...process.env, NODE_ENV: 'production' };
    execFileSync(join(PAGE, 'node_modules/.bin/vite'), ['build', '--outDir', made, '--emptyOutDir'], { cwd: PAGE, env });
    const [built, kept] = [files(made), files(join(PAGE, 'dist'))];
    expect(Object.keys(kept)).toEqual(Object.keys(built));
    // The names alone: a difference of half a megabyte tells nobody anything.
    expect(Object.keys(built).filter((name) => built[name] !== kept[name])).toEqual([]);
  } finally {
    rmSync(made, { recursive: true });
  }
});
