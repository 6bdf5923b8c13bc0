// Debian's Chromium, and what every test of a page holds.

import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--js-flags=--expose-gc', '--enable-precise-memory-info'],
  });
}

/** A page, and what it complained of. */
export interface Visit {
  page: Page;
  context: BrowserContext;
  complaints: string[];
}

export async function visit(
  browser: Browser,
  { width = 1440, height = 900, colorScheme = 'light' as 'light' | 'dark' } = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of 40[0-9]/.test(message.text())) complaints.push(message.text());
  });
  return { page, context, complaints };
}

/** What axe-core finds wrong, in words. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: (options: unknown) => Promise<{ violations: Violation[] }> } };
    interface Violation {
      id: string;
      help: string;
      nodes: { html: string; failureSummary: string }[];
    }
    const { violations } = await axe.run({ resultTypes: ['violations'] });
    return violations.flatMap((one) =>
      one.nodes.map((node) => `${one.id}: ${one.help}\n  ${node.html}\n  ${node.failureSummary}`),
    );
  });
  return found;
}

/** Whether the page is wider than its window. */
export function overflow(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const wide = document.documentElement.clientWidth;
    return [...document.querySelectorAll('body *')]
      .filter((one) => {
        const box = one.getBoundingClientRect();
        if (box.width === 0 || box.right <= wide + 1 || getComputedStyle(one).clipPath !== 'none') return false;
        // What scrolls or is cut inside of something does not widen the page.
        for (let up = one.parentElement; up; up = up.parentElement)
          if (getComputedStyle(up).overflowX !== 'visible' && up.id !== 'main') return false;
        return true;
      })
      .map((one) => `${one.tagName} ${one.className}`);
  });
}
