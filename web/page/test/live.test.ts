// What people do with the page of the real program, which watches what is really done.

import { mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Alert, AlertPage, ChangePage, Health, Rule } from '../src/api';
import { launch, overflow, violations, visit, type Visit } from './browser';
import { Program, VIEWER, missing } from './program';

const PICTURES = join(import.meta.dirname, '../artefacts');
const NOTICED = 'Read sensitive file untrusted';
const TRIAL = 'Trial of <i>the page</i>';
const trial = (field: string, version: string): string => `- rule: ${TRIAL}
  desc: Somebody reads the name of the host; a trial.
  condition: >
    evt.type in (open, openat, openat2) and ${field} = /etc/hostname
  output: "${version} (file=%fd.name process=%proc.name)"
  priority: NOTICE
  tags: [trial]
`;

const why = missing();

describe.skipIf(why !== null)(`the page of the real program${why === null ? '' : ` (needs ${why})`}`, () => {
  let browser: Browser;
  let program: Program;
  let admin: Visit;
  let page: Page;
  let open: Visit[] = [];

  async function enter(token: string, options = {}): Promise<Visit> {
    const visited = await visit(browser, options);
    open.push(visited);
    await program.dress(visited.context);
    visited.page.setDefaultTimeout(15_000);
    await visited.page.goto(`${program.origin}/#token=${token}`);
    await visited.page.waitForSelector('main#main');
    return visited;
  }

  const rows = (of = page) => of.locator('.space .row');
  const go = async (path: string): Promise<void> => {
    await page.goto(program.origin + path);
    await page.waitForSelector('main#main');
  };
  const agree = (act: string): Promise<void> => page.getByRole('dialog').getByRole('button', { name: act }).click();
  const asAdmin = async <T>(path: string): Promise<T> => {
    const answer = await program.ask('GET', `/api/v1${path}`, { Authorization: `Bearer ${program.token}` });
    expect(answer.status).toBe(200);
    return JSON.parse(answer.text) as T;
  };
  const kept = async (query = ''): Promise<Alert[]> => (await asAdmin<AlertPage>(`/alerts?limit=500${query}`)).alerts;
  /** The newest alert of those, once there are so many. */
  async function noticed(query: string, many: number): Promise<Alert> {
    await expect.poll(async () => (await kept(query)).length, { timeout: 15_000 }).toBe(many);
    const [newest] = await kept(query);
    if (!newest) throw new Error('there is none');
    return newest;
  }
  // The file's digest may stand before the name.
  const card = () => page.locator('li.card').filter({ has: page.getByRole('heading', { name: /^(?:\w{12}-)?trial$/ }) });
  const trials = `&rule=${encodeURIComponent(TRIAL)}`;
  const readHostname = (): Promise<void> => program.run('/bin/cat', '/etc/hostname');

  beforeAll(async () => {
    mkdirSync(PICTURES, { recursive: true });
    browser = await launch();
    program = new Program();
    await program.start();
    admin = await enter(program.token);
    page = admin.page;
  });

  afterAll(async () => {
    await browser?.close();
    await program?.close();
  });

  afterEach(async () => {
    const complaints = open.flatMap(({ complaints }) => complaints.splice(0));
    for (const { context } of open.filter((one) => one !== admin)) await context.close();
    open = [admin];
    expect(complaints.filter((one) => !/net::ERR_(CONNECTION|INCOMPLETE|EMPTY)/.test(one))).toEqual([]);
  });

  test('the link lets in, the token leaves the address, and the host is quiet and live', async () => {
    expect(page.url()).toBe(`${program.origin}/`);
    await page.getByRole('heading', { name: 'All quiet' }).waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    const [cookie] = await admin.context.cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict' });
    await page.screenshot({ path: join(PICTURES, 'live-first-visit.png') });
  });

  test('an attack appears without reload', async () => {
    await page.evaluate(() => Object.assign(window, { isTheSame: true }));
    const begin = Date.now();
    await program.steal();
    await rows().getByText(NOTICED).waitFor();
    console.log(`seen ${Date.now() - begin} ms after its process began`);
    expect(await rows().count()).toBe(1);
    expect(await rows().first().innerText()).toContain('/etc/shadow');
    expect(await page.evaluate(() => (window as unknown as { isTheSame: boolean }).isTheSame)).toBe(true);
  });

  test('filters are in the address and survive a reload', async () => {
    await program.steal('head');
    await program.steal('tail');
    await noticed('', 3);
    await go('/alerts');
    await page.getByRole('button', { name: 'Filters' }).click();
    await page.getByLabel('Process', { exact: true }).fill('head');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: /^Warning/ }).click();
    await page.getByRole('searchbox', { name: 'Search alerts' }).fill('credentials');
    await page.waitForURL(/text=credentials/);
    const holds = async (): Promise<void> => {
      expect(page.url()).toMatch(/process=head/);
      expect(page.url()).toMatch(/priority=warning/i);
      await expect.poll(() => rows().count()).toBe(1);
      expect(await rows().locator('.process').innerText()).toBe('head');
      await page.getByText('1 alert', { exact: true }).waitFor();
    };
    await holds();
    await page.reload();
    await holds();
    expect(await page.getByRole('searchbox', { name: 'Search alerts' }).inputValue()).toBe('credentials');
    await program.steal('head', '-v');
    await expect.poll(() => rows().count()).toBe(2);
  });

  test('an alert tells who did it, by which rule, and all of its fields', async () => {
    await go('/alerts?process=head');
    await rows().last().getByRole('link', { name: NOTICED }).click();
    await page.getByRole('heading', { name: 'Who did it' }).waitFor();
    const tree = page.locator('.tree li');
    expect(await tree.last().innerText()).toContain('head /etc/shadow');
    expect(await tree.last().innerText()).toContain('/usr/bin/head');
    expect(await tree.nth(-2).innerText()).toContain('thief');
    const text = page.getByLabel('The rule’s text');
    expect(await text.innerText()).toContain(`- rule: ${NOTICED}`);
    const fields = page.locator('section.card').filter({ has: page.getByRole('heading', { name: 'Fields' }) });
    expect(await fields.innerText()).toContain('/etc/shadow');
    const json = await page.getByLabel('The alert as JSON').innerText();
    expect(JSON.parse(json)).toMatchObject({ rule: NOTICED, output_fields: { 'fd.name': '/etc/shadow', 'proc.name': 'head' } });
    await admin.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Copy JSON' }).click();
    await page.getByText('Copied').waitFor();
    expect(JSON.parse(await page.evaluate(() => navigator.clipboard.readText()))).toEqual(JSON.parse(json));
  });

  test('an alert is acknowledged and spoken of, and others see by whom', async () => {
    const [newest] = await kept('&process=tail');
    await go(`/alerts/${newest?.id}`);
    await page.getByRole('button', { name: 'Acknowledge' }).click();
    await page.getByRole('button', { name: 'Open again' }).waitFor();
    await page.getByLabel('Comment').fill('a trial of ours\n<img src=x onerror=alert(4)>');
    await page.getByRole('button', { name: 'Add comment' }).click();
    await page.getByText('a trial of ours').waitFor();
    const { page: other } = await enter(VIEWER);
    await other.goto(`${program.origin}/alerts/${newest?.id}`);
    await other.getByText('a trial of ours').waitFor();
    await other.getByText(/^acknowledged by admin from 127\.0\.0\.1, \d/).waitFor();
    await other.goto(`${program.origin}/alerts?acknowledged=true`);
    await expect.poll(() => rows(other).count()).toBe(1);
  });

  test('an exception from an alert is tried, saved and in force, and all else is noticed as before', async () => {
    const hostile = "it's \"- {x}";
    const like = `&rule=${encodeURIComponent(NOTICED)}`;
    const { length } = await kept(like);
    const steal = (name: string): Promise<void> => program.run('/bin/sh', '-c', '"$0" /etc/shadow; true', program.disguise(name));
    await steal(hostile);
    const alert = await noticed(like, length + 1);
    expect(alert.process).toBe(hostile);
    await go(`/alerts/${alert.id}`);
    await page.getByRole('button', { name: 'Make an exception' }).click();
    const card = page.getByRole('region', { name: 'An exception from this alert' });
    await card.getByText(/^1 of \d+ alerts of this rule would not have been\.$/).waitFor();
    expect(await card.locator('.found li').count()).toBe(1);
    // Fewer fields are more alerts.
    await card.getByRole('checkbox', { name: 'proc.name' }).uncheck();
    await card.getByText(new RegExp(`^${length + 1} of ${length + 1} alerts`)).waitFor();
    await card.getByRole('checkbox', { name: 'proc.name' }).check();
    await card.getByText(/^1 of /).waitFor();
    const yaml = card.getByRole('textbox', { name: 'The exception as YAML' });
    const proposed = await yaml.inputValue();
    await yaml.fill(proposed.replace('fd.name', 'fd.nmae'));
    await card.getByText('error[S501]').waitFor();
    expect(await card.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
    await yaml.fill(proposed);
    await card.getByText(/^1 of /).waitFor();
    await page.screenshot({ path: join(PICTURES, 'live-exception.png'), fullPage: true });
    await card.getByRole('button', { name: 'Save' }).click();
    await agree('Save');
    await card.getByText(/and in force$/).waitFor();
    await steal(hostile);
    await steal(`${hostile}!`);
    expect((await noticed(like, length + 2)).process).toBe(`${hostile}!`);
    const { changes } = await asAdmin<ChangePage>('/changes');
    const saved = changes.find((one) => one.what.includes(`what alert ${alert.id} is`));
    expect(saved).toMatchObject({ by: 'admin from 127.0.0.1', done: true });
    expect(saved?.difference).toContain(`+    - name: alert_${alert.id}`);
    const { page: other } = await enter(VIEWER);
    await other.goto(`${program.origin}/alerts/${alert.id}`);
    await other.getByRole('button', { name: 'Make an exception' }).click();
    const seen = other.getByRole('region', { name: 'An exception from this alert' });
    await seen.getByText('Your role may only look.').waitFor();
    expect(await seen.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
    rmSync(program.local);
    await expect.poll(async () => (await asAdmin<Rule[]>('/rules')).find((one) => one.name === NOTICED)?.text).not.toContain(`alert_${alert.id}`);
  });

  test('alerts of one origin are an incident, whose open ones are acknowledged at once', async () => {
    await program.run('/bin/sh', '-c', 'cat /etc/shadow; head -1 /etc/shadow; true');
    const newest = await noticed('', 8);
    await go(`/alerts/${newest.id}`);
    await page.getByRole('link', { name: 'Its incident' }).click();
    await page.getByRole('heading', { name: 'What happened when' }).waitFor();
    const timeline = page.locator('ol li');
    expect(await timeline.count()).toBeGreaterThanOrEqual(2);
    expect(await timeline.last().innerText()).toContain('head -1 /etc/shadow');
    await page.getByRole('button', { name: /^Acknowledge/ }).click();
    await page.getByText(/alerts?, 0 open/).waitFor();
    await go('/incidents');
    await page.locator('li.card').first().waitFor();
  });

  test('a rule is written with a mistake, mended, and watches', async () => {
    await go('/editor');
    const editor = page.getByRole('textbox', { name: 'Rules, as YAML' });
    await editor.waitFor();
    await page.getByText('Valid', { exact: true }).waitFor();
    await editor.click();
    await page.keyboard.press('Control+a');
    await page.keyboard.insertText(trial('fd.nmae', 'first version'));
    await page.getByText('1 error', { exact: true }).waitFor();
    await page.getByText('error[S501]').waitFor();
    await page.getByText(/help: .*fd\.name/).waitFor();
    await page.locator('.cm-lintRange-error').waitFor();
    expect(await page.locator('.cm-lintRange-error').first().innerText()).toBe('fd.nmae');
    expect(await page.getByRole('button', { name: 'Load', exact: true }).isDisabled()).toBe(true);
    await page.screenshot({ path: join(PICTURES, 'live-mistake.png') });
    await editor.click();
    await page.keyboard.press('Control+a');
    await page.keyboard.insertText(trial('fd.name', 'first version'));
    await page.getByText('Valid', { exact: true }).waitFor();
    // What it would have said of what happened before it was there.
    await readHostname();
    await page.getByRole('button', { name: 'Try', exact: true }).click();
    const tried = page.getByRole('region', { name: 'Try it' });
    await tried.getByText(/^\+[1-9]/).first().waitFor();
    expect(await tried.locator('li').filter({ hasText: 'new' }).first().innerText()).toContain('first version');
    expect(await kept(trials)).toEqual([]);
    await page.screenshot({ path: join(PICTURES, 'live-tried.png') });
    await page.getByRole('textbox', { name: 'File' }).fill('trial.yaml');
    await page.getByRole('button', { name: 'Load', exact: true }).click();
    await agree('Load');
    await page.getByText(/module `(?:\w{12}-)?trial` is running/).waitFor();
    await readHostname();
    expect((await noticed(trials, 1)).output).toContain('first version');
    await page.getByRole('button', { name: 'Swap', exact: true }).waitFor();
  });

  test('another version is swapped in and rolled back, and the history tells who, when and what', async () => {
    await go('/modules');
    const module = card();
    const send = (text: string, name = 'trial.yaml') =>
      module.locator('input[type=file]').setInputFiles({ name, mimeType: 'application/yaml', buffer: Buffer.from(text) });
    const digest = () => module.locator('tr').filter({ hasText: 'Digest' }).locator('td').innerText();
    const first = await digest();
    await send(trial('fd.nmae', 'broken version'));
    await agree('Swap');
    await page.getByRole('alert').getByText(/fd\.nmae/).waitFor();
    expect(await digest()).toBe(first);
    await send(trial('fd.name', 'second version'));
    await agree('Swap');
    await expect.poll(digest).not.toBe(first);
    await readHostname();
    expect((await noticed(trials, 2)).output).toContain('second version');
    await module.getByRole('button', { name: 'Roll back' }).click();
    await agree('Roll back');
    await expect.poll(digest).toBe(first);
    await readHostname();
    expect((await noticed(trials, 3)).output).toContain('first version');

    await page.getByRole('link', { name: 'History' }).click();
    const changes = page.locator('main ol > li');
    const swap = changes.filter({ hasText: /swap/i }).filter({ hasText: 'What is different' }).last();
    await swap.waitFor();
    expect(await swap.innerText()).toContain('admin from 127.0.0.1');
    expect(Date.now() - Date.parse((await swap.locator('time').getAttribute('datetime')) ?? '')).toBeLessThan(120_000);
    await swap.getByText('What is different').click();
    expect(await swap.getByLabel('Difference').innerText()).toMatch(/-.*first version[^]*\+.*second version/);
    const { changes: told } = await asAdmin<ChangePage>('/changes');
    const failed = told.find((one) => !one.done);
    expect(failed?.outcome).toContain('fd.nmae');
    expect(told.filter((one) => one.difference !== '').length).toBeGreaterThanOrEqual(2);
  });

  test('a version judges as a shadow, is counted and not heard, and is discarded', async () => {
    await go('/editor');
    const editor = page.getByRole('textbox', { name: 'Rules, as YAML' });
    await editor.waitFor();
    await editor.click();
    await page.keyboard.press('Control+a');
    await page.keyboard.insertText(trial('fd.name', 'shadow version'));
    await page.getByText('Valid', { exact: true }).waitFor();
    const place = page.getByLabel('Where').locator('option').filter({ hasText: /trial$/ });
    await page.getByLabel('Where').selectOption((await place.getAttribute('value')) ?? '');
    const shadow = page.getByRole('region', { name: 'Shadow it' });
    await shadow.getByRole('button', { name: 'Begin' }).click();
    await shadow.getByText(/to go$/).waitFor();
    const before = (await kept(trials)).length;
    await readHostname();
    await noticed(trials, before + 1);
    await shadow.getByText('1 by these rules, 1 by those that run').waitFor();
    expect(await shadow.locator('.sum').innerText()).toMatch(/ns an event/);
    await page.screenshot({ path: join(PICTURES, 'live-shadow.png') });
    expect((await kept(trials)).some((alert) => alert.output.includes('shadow version'))).toBe(false);
    await shadow.getByRole('button', { name: 'Discard' }).click();
    await shadow.getByText('Let these rules judge every event').waitFor();
  });

  test('a rule and a module are turned off and on again', async () => {
    /** What happens later is noticed, and the trial is not. */
    const nothingOfIt = async (before: number): Promise<void> => {
      const others = `&rule=${encodeURIComponent(NOTICED)}`;
      const { length } = await kept(others);
      await readHostname();
      await program.steal();
      await noticed(others, length + 1);
      expect((await kept(trials)).length).toBe(before);
    };
    await go('/rules');
    const toggle = page.getByRole('switch', { name: TRIAL });
    await toggle.click();
    await expect.poll(() => toggle.getAttribute('aria-checked')).toBe('false');
    await nothingOfIt(4);
    await toggle.click();
    await expect.poll(() => toggle.getAttribute('aria-checked')).toBe('true');
    await readHostname();
    await noticed(trials, 5);
    await go('/modules');
    const module = card();
    await module.getByRole('button', { name: 'Turn off' }).click();
    await agree('Turn off');
    await module.getByText('Off', { exact: true }).waitFor();
    await nothingOfIt(5);
    await module.getByRole('button', { name: 'Turn on' }).click();
    await module.getByText(/^(Running|On probation)$/).waitFor();
    await readHostname();
    await noticed(trials, 6);
  });

  /** Every call that changes something. */
  async function changing(): Promise<[string, string][]> {
    const { paths } = await asAdmin<{ paths: Record<string, Record<string, unknown>> }>('/openapi.json');
    const calls = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter((method) => ['post', 'put', 'patch', 'delete'].includes(method))
        .map((method): [string, string] => [method.toUpperCase(), path.replace(/\{\w+\}/g, '1')]),
    );
    const found = calls.filter(([, path]) => path !== '/session' && path !== '/check');
    expect(found.length).toBeGreaterThanOrEqual(7);
    return found;
  }

  const attempt = (of: Page, calls: [string, string][], csrf: boolean): Promise<string[]> =>
    of.evaluate(
      async ([calls, csrf]) => {
        const headers: Record<string, string> = { 'Content-Type': 'application/json' };
        if (csrf) headers['X-CSRF-Token'] = localStorage.getItem('csrf') ?? '';
        const answers = calls.map(async ([method, path]) => {
          const response = await fetch(`/api/v1${path}`, { method, headers, body: '{}' });
          return `${response.status} ${((await response.json()) as { error: string }).error}`;
        });
        return [...new Set(await Promise.all(answers))];
      },
      [calls, csrf] as const,
    );

  test('who may only look can change nothing, in the page or past it', async () => {
    const { page: other } = await enter(VIEWER);
    const [newest] = await kept();
    await other.goto(`${program.origin}/alerts/${newest?.id}`);
    await other.getByRole('heading', { name: 'Who did it' }).waitFor();
    expect(await other.getByRole('button', { name: 'Acknowledge' }).isDisabled()).toBe(true);
    await other.goto(`${program.origin}/modules`);
    await other.getByText('Your role may only look.').waitFor();
    expect(await other.getByRole('button', { name: /Turn off|Roll back/ }).count()).toBe(0);
    await other.goto(`${program.origin}/rules`);
    await other.getByRole('switch').first().waitFor();
    expect(await other.getByRole('switch').first().isDisabled()).toBe(true);
    const before = await asAdmin<ChangePage>('/changes');
    expect(await attempt(other, await changing(), true)).toEqual(['403 your role may only look']);
    expect(await asAdmin<ChangePage>('/changes')).toEqual(before);
  });

  test('a change without the session’s secret is refused', async () => {
    expect(await attempt(page, await changing(), false)).toEqual(["403 `X-CSRF-Token` is not the session's"]);
  });

  test('a foreign host and a foreign page get nothing', async () => {
    const bearer = { Authorization: `Bearer ${program.token}` };
    for (const path of ['/', '/api/v1/alerts']) {
      const answer = await program.ask('GET', path, { ...bearer, Host: 'evil.example' });
      expect([answer.status, answer.text.includes('evil')]).toEqual([421, false]);
    }
    const body = JSON.stringify({ ids: [1], acknowledged: true });
    const foreign = { ...bearer, Origin: 'http://evil.example', 'Content-Type': 'application/json' };
    const answer = await program.ask('POST', '/api/v1/alerts/acknowledge', foreign, body);
    expect([answer.status, answer.text]).toEqual([403, expect.stringContaining('another origin')]);

    const evil = createServer((_, response) => {
      response.setHeader('Content-Type', 'text/html');
      response.end('<title>evil</title>');
    });
    await new Promise<void>((done) => evil.listen(0, '127.0.0.1', done));
    const { port } = evil.address() as { port: number };
    try {
      // With the cookie, which a browser hands to every port of a host.
      for (const host of ['127.0.0.1', 'localhost']) {
        const tab = await admin.context.newPage();
        await tab.goto(`http://${host}:${port}/`);
        const got = await tab.evaluate(
          async ([origin, body]) => {
            const send = { method: 'POST', mode: 'no-cors', credentials: 'include', body } as const;
            await fetch(`${origin}/api/v1/alerts/acknowledge`, send).catch(() => {});
            const read = fetch(`${origin}/api/v1/alerts`, { credentials: 'include' });
            return read.then(() => 'it was read', () => 'refused');
          },
          [program.origin, body] as const,
        );
        expect(got).toBe('refused');
        await tab.close();
      }
    } finally {
      evil.close();
    }
    expect((await kept()).find(({ id }) => id === 1)?.acknowledged).toBe(false);
  });

  test('programs whose names try to be markup stay text', async () => {
    const before = (await kept(`&rule=${encodeURIComponent(NOTICED)}`)).length;
    const tries = [
      program.disguise('<img src=x onerror=alert(1)>'),
      program.disguise('<script>alert(2)</script>'),
      program.disguise('"><svg onload=alert(3)>'),
      program.disguise("'-alert(5)-'"),
      program.disguise('\u202egnp.exe\u0007'),
    ];
    const others = ['<b id=broken>', '</textarea></title></style><script>alert(6)</script>', '\u001b]0;title\u0007', '{{alert(7)}}', `far${' '.repeat(300)}away`];
    await go('/alerts');
    await page.getByText('Live', { exact: true }).waitFor();
    for (const one of tries) await program.run('/bin/sh', '-c', ': "<script>alert(8)</script>"; "$@"; true', '<u>sh</u>', one, '/etc/shadow', ...others);
    await noticed(`&rule=${encodeURIComponent(NOTICED)}`, before + tries.length);
    const broken = () =>
      page.evaluate(() => ({
        elements: document.querySelectorAll('#broken, main img, main script, main u, main i > *, main [onerror], main [onload]').length,
        raw: /[\u202a-\u202e\u2066-\u2069\x07\x1b]/.test(document.querySelector('main')?.textContent ?? ''),
      }));
    await rows().filter({ hasText: '<img src=x' }).first().waitFor();
    expect(await broken()).toEqual({ elements: 0, raw: false });
    const names = await rows().locator('.process').allInnerTexts();
    expect(names).toContain('<img src=x oner');
    for (const alert of (await kept()).slice(0, tries.length)) {
      await go(`/alerts/${alert.id}`);
      await page.getByRole('heading', { name: 'Who did it' }).waitFor();
      expect(await broken()).toEqual({ elements: 0, raw: false });
      await go(`/incidents/${alert.incident}`);
      await page.locator('ol li').first().waitFor();
      expect(await broken()).toEqual({ elements: 0, raw: false });
    }
    for (const [path, ready] of [['/incidents', 'li.card'], ['/rules', '.row'], ['/modules', 'li.card'], ['/changes', 'ol li']] as const) {
      await go(path);
      await page.locator(ready).first().waitFor();
      expect(await broken()).toEqual({ elements: 0, raw: false });
    }
    const [exported] = await kept('&process=' + encodeURIComponent("'-alert(5)-'"));
    expect(exported).toBeDefined();
  });

  test('the policy is strict, and what would be against it is noticed', async () => {
    const { headers } = await program.ask('GET', '/');
    expect(headers['content-security-policy']).toMatch(/default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(headers['content-security-policy']).not.toMatch(/unsafe|\*|https?:/);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer' });
    await go('/alerts');
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.isInjected = true';
      document.body.append(script);
    });
    await expect.poll(() => admin.complaints.length).toBeGreaterThan(0);
    expect(admin.complaints.splice(0).join()).toMatch(/Content Security Policy/);
    expect(await page.evaluate(() => 'isInjected' in window)).toBe(false);
  });

  const SIZES = [360, 1920].flatMap((width) =>
    (['light', 'dark'] as const).map((colorScheme) => ({ width, height: width === 360 ? 740 : 1080, colorScheme })),
  );
  test.each(SIZES)('every view is as it should be at $width, $colorScheme', async (size) => {
    const visited = await visit(browser, size);
    open.push(visited);
    await program.dress(visited.context);
    const { page: of } = visited;
    of.setDefaultTimeout(15_000);
    const wrong: string[] = [];
    const look = async (name: string): Promise<void> => {
      await of.waitForTimeout(name === 'health' || name === 'modules' ? 4500 : 400);
      await of.screenshot({ path: join(PICTURES, `live-${name}-${size.width}-${size.colorScheme}.png`) });
      const found = [...(await violations(of)), ...(await overflow(of)).map((one) => `too wide: ${one}`)];
      wrong.push(...found.map((one) => `${name}: ${one}`));
    };
    await of.goto(program.origin);
    await of.waitForSelector('input[type=password]');
    await look('login');
    await of.goto('about:blank');
    await of.goto(program.link);
    await of.waitForSelector('main#main');
    const forged = (await kept('&process=' + encodeURIComponent('<img src=x oner')))[0];
    const told = (await kept('&acknowledged=true&process=tail'))[0];
    const views: [string, string, string][] = [
      ['alerts', '/alerts', '.space .row'],
      ['filtered', `/alerts?rule=${encodeURIComponent(TRIAL)}&priority=notice`, '.space .row'],
      ['alert', `/alerts/${told?.id}`, '.tree'],
      ['forged', `/alerts/${forged?.id}`, '.tree'],
      ['incidents', '/incidents', 'li.card'],
      ['incident', `/incidents/${forged?.incident}`, 'ol li'],
      ['rules', `/rules?rule=${encodeURIComponent(NOTICED)}`, 'pre'],
      ['modules', '/modules', 'li.card'],
      ['changes', '/changes', 'ol li'],
      ['editor', '/editor', '.cm-content'],
      ['health', '/health', '.tiles'],
    ];
    for (const [name, path, ready] of views) {
      await of.goto(program.origin + path);
      await of.waitForSelector(ready);
      await look(name);
    }
    expect(wrong).toEqual([]);
  }, 240_000);

  test('what was lost with the connection is there again after the program was killed and started', async () => {
    await go(`/alerts?rule=${encodeURIComponent(NOTICED)}`);
    await page.getByText('Live', { exact: true }).waitFor();
    const before = await kept();
    const last = before[0]?.id ?? 0;
    await program.end('SIGKILL');
    await page.getByText('Connecting again').waitFor();
    await program.start();
    expect((await kept()).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    const streamed = program.streamed(last - 2, 4);
    // A session does not outlive the program; the page says so and stays where it was.
    const isOut = await Promise.race([
      page.getByText('Your session is over.').waitFor().then(() => true),
      page.getByText('Live', { exact: true }).waitFor().then(() => false),
    ]);
    if (isOut) {
      await page.getByLabel('Token').fill(program.token);
      await page.keyboard.press('Enter');
    }
    await page.getByText('Live', { exact: true }).waitFor();
    await program.steal('head');
    await program.steal('tail');
    const newest = await noticed('', before.length + 2);
    expect(await streamed).toEqual([last - 1, last, newest.id - 1, newest.id]);
    const all = (await kept(`&rule=${encodeURIComponent(NOTICED)}`)).map(({ id }) => `/alerts/${id}`);
    await expect.poll(() => rows().locator('.rule a').evaluateAll((links) => links.map((link) => link.getAttribute('href')))).toEqual(all);
    const told = (await kept('&acknowledged=true&process=tail'))[0];
    await go(`/alerts/${told?.id}`);
    await page.getByText('a trial of ours').waitFor();
  });

  test('the machine has what is needed, and nothing was lost on the way', async () => {
    const { losses } = await asAdmin<Health>('/health');
    expect(losses.filter(({ count }) => count > 0)).toEqual([]);
    await go('/health');
    await page.getByText('Nothing was lost.').waitFor();
    const machine = page.locator('section.card').filter({ has: page.getByRole('heading', { name: 'This machine' }) });
    await machine.getByText(/^\d+ that are good$/).click();
    const bpf = machine.locator('li').filter({ hasText: 'ring buffer' });
    expect(await bpf.innerText()).not.toContain('needs');
  });
});
