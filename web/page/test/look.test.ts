// Each view at two widths, light and dark: a picture to look at, nothing that axe-core objects to.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launch, overflow, violations, visit } from './browser';
import { ADMIN, Fixture, day } from './fixture';

const PICTURES = join(import.meta.dirname, '../artefacts');
const VIEWS: [string, string, string][] = [
  ['alerts', '/alerts', '.space .row'],
  ['alert', '/alerts/399', '.tree'],
  ['alert-forged', '/alerts/398', '.tree'],
  ['incidents', '/incidents', 'li.card'],
  ['incident', '/incidents/00000000ab02', 'ol li'],
  ['rules', '/rules?rule=File+with+credentials+opened', 'pre'],
  ['modules', '/modules', 'li.card'],
  ['changes', '/changes', 'ol li'],
  ['editor', '/editor', '.cm-content'],
  ['health', '/health', '.tiles'],
];

let browser: Browser;
let fixture: Fixture;
let origin: string;

beforeAll(async () => {
  mkdirSync(PICTURES, { recursive: true });
  browser = await launch();
  fixture = new Fixture();
  day(fixture);
  const forged = fixture.alerts[397];
  if (forged) Object.assign(forged, { rule: 'Process with a forged name', process: '<script>alert(1)</script>', output: 'Forged (process=\u202egnp.exe\u0007 path=/tmp/<img src=x onerror=alert(1)>' + ' '.repeat(300) + ')' });
  fixture.changes.push({ id: 1, time_ms: Date.now(), by: 'admin from 127.0.0.1', what: 'swap rules', outcome: 'running as a1b2c3d4e5f6', done: true, difference: '--- before\n+++ after\n@@ -1,2 +1,2 @@\n - list: trusted\n-  items: [sshd]\n+  items: [sshd, sudo]\n' });
  origin = await fixture.listen();
});

afterAll(async () => {
  await browser.close();
  await fixture.close();
});

const SIZES = [
  { width: 1280, height: 800, colorScheme: 'light' as const },
  { width: 360, height: 740, colorScheme: 'light' as const },
  { width: 390, height: 844, colorScheme: 'light' as const },
  { width: 1440, height: 900, colorScheme: 'light' as const },
  { width: 1440, height: 900, colorScheme: 'dark' as const },
  { width: 3840, height: 2160, colorScheme: 'light' as const },
];

describe.each(SIZES)('at $width, $colorScheme', (size) => {
  test('every view is as it should be', async () => {
    const { page, context, complaints } = await visit(browser, size);
    const wrong: string[] = [];
    const look = async (name: string): Promise<void> => {
      await page.waitForTimeout(name === 'health' ? 4500 : 300);
      await page.screenshot({ path: join(PICTURES, `${name}-${size.width}-${size.colorScheme}.png`) });
      const found = [...(await violations(page)), ...(await overflow(page)).map((one) => `too wide: ${one}`)];
      wrong.push(...found.map((one) => `${name}: ${one}`));
    };
    await page.goto(origin);
    await page.waitForSelector('input[type=password]');
    await look('login');
    await page.goto(`${origin}/#token=${ADMIN}`);
    await page.reload();
    // What changes must carry is told once, to a page that waits for it.
    await page.waitForSelector('main#main');
    for (const [name, path, ready] of VIEWS) {
      await page.goto(origin + path);
      await page.waitForSelector(ready);
      await look(name);
    }
    await page.goto(`${origin}/alerts?rule=File+with+credentials+opened&priority=warning`);
    await page.waitForSelector('.space .row');
    await page.getByRole('button', { name: 'Filters' }).click();
    await page.getByLabel('Select').nth(1).check();
    await look('alerts-filtered');
    await page.goto(`${origin}/alerts/399`);
    await page.getByRole('button', { name: 'Make an exception' }).click();
    await page.getByText(/would not have been\.$/).waitFor();
    await page.getByRole('button', { name: /more fields$/ }).click();
    await look('exception');
    await page.goto(`${origin}/editor`);
    await page.getByText('Valid', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Try', exact: true }).click();
    await page.locator('.sum').first().scrollIntoViewIfNeeded();
    await look('tried');
    await page.getByRole('button', { name: 'Begin', exact: true }).click();
    await page.getByText('to go').scrollIntoViewIfNeeded();
    await look('shadowed');
    fixture.shadow = null;
    await page.goto(`${origin}/modules`);
    await page.getByRole('button', { name: 'Turn off' }).click();
    await look('question');
    await page.goto(`${origin}/alerts/99999`);
    await page.waitForSelector('[role=alert]');
    await look('trouble');
    await page.goto(`${origin}/alerts?from=1&to=2`);
    await page.waitForSelector('.empty');
    await look('quiet');
    await page.goto(`${origin}/alerts?text=nothingofthatkind`);
    await page.waitForSelector('.empty');
    await look('empty');
    await page.keyboard.press('Tab');
    await page.keyboard.press('?');
    await page.waitForSelector('dialog[open]');
    await look('help');
    expect(wrong).toEqual([]);
    expect(complaints).toEqual([]);
    await context.close();
  }, 180_000);
});
