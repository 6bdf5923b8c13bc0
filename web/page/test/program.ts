// The real program, which watches a cgroup of the test's own, and what is done in there for it to
// notice. Whether it can be had here is asked first: `SAKER_REQUIRE=page` makes a skip a failure.

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { BrowserContext } from 'playwright-core';

const PAGE = join(import.meta.dirname, '..');
const SAKER = process.env['SAKER'] ?? join(PAGE, '../../target/debug/saker');
export const VIEWER = 'viewer-token-of-the-live-tests';

/** Where cgroup v2 is mounted. */
function cgroups(): string | null {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return mounts.map((line) => line.split(' ')).find((words) => words[2] === 'cgroup2')?.[1] ?? null;
}

/** Why the program cannot be tried here; none if it can. */
export function missing(): string | null {
  const why = !existsSync(SAKER)
    ? `no program at ${SAKER} (say where by SAKER)`
    : process.getuid?.() !== 0
      ? 'not root'
      : !existsSync('/sys/kernel/btf/vmlinux')
        ? 'no BTF at /sys/kernel/btf/vmlinux'
        : cgroups() === null
          ? 'no cgroup v2 mounted'
          : null;
  if (why === null) return null;
  const required = (process.env['SAKER_REQUIRE'] ?? '').split(',').map((name) => name.trim());
  if (required.includes('page')) throw new Error(`SAKER_REQUIRE asks for \`page\`, yet: ${why}`);
  process.stderr.write(`skipped: needs page: ${why}\n`);
  return why;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

export class Program {
  readonly folder = mkdtempSync(join(tmpdir(), 'saker-live-'));
  readonly cgroup = join(cgroups() ?? '', `saker-page-${process.pid}`);
  origin = '';
  token = '';
  #address = '127.0.0.1:0';
  #child: ChildProcess | null = null;
  #said = '';

  constructor() {
    mkdirSync(this.cgroup, { recursive: true });
    writeFileSync(join(this.folder, 'viewer'), VIEWER, { mode: 0o600 });
  }

  /** The rule file that the page writes to. */
  get local(): string {
    return join(this.folder, 'local.yaml');
  }

  /** A link that lets in whoever follows it. */
  get link(): string {
    return `${this.origin}/#token=${this.token}`;
  }

  /** Starts it; again at the same address, with the same store. */
  async start(): Promise<void> {
    const socket = join(this.folder, 'control.sock');
    const settings = {
      'scope.cgroup': this.cgroup,
      'cache.dir': '',
      'control.socket': socket,
      'store.path': join(this.folder, 'alerts.db'),
      'page.address': this.#address,
      'page.local_rules': this.local,
      'page.viewer_token_file': join(this.folder, 'viewer'),
    };
    const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
    const child = spawn(SAKER, ['run', ...options], { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const output of [child.stdout, child.stderr]) output.on('data', (piece) => (this.#said += piece));
    for (const end = Date.now() + 60_000; ; await sleep(100)) {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${this.#said}`);
      if (Date.now() > end) throw new Error(`it serves no page:\n${this.#said}`);
      const asked = promisify(execFile)(SAKER, ['ctl', '--socket', socket, 'page']);
      const link = new URL(await asked.then(({ stdout }) => stdout.trim(), () => 'about:blank'));
      if (link.protocol !== 'http:') continue;
      this.origin = link.origin;
      this.token = link.hash.replace('#token=', '');
      this.#address = link.host;
      return;
    }
  }

  /** Ends it. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    await ended;
  }

  /** Ends it, and takes away what it left. */
  async close(): Promise<void> {
    await this.end();
    for (let tries = 0; tries < 50 && existsSync(this.cgroup); tries += 1) {
      try {
        rmdirSync(this.cgroup);
      } catch {
        await sleep(100);
      }
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Runs a command where the program watches. */
  async run(...command: string[]): Promise<void> {
    const enter = 'echo 0 >"$0/cgroup.procs" && exec "$@"';
    const child = spawn('/bin/sh', ['-c', enter, this.cgroup, ...command], { stdio: 'ignore', cwd: this.folder });
    await new Promise((done) => child.once('exit', done));
  }

  /** Somebody reads what only few programs should: a shell starts what is run. */
  steal(program = 'cat', ...others: string[]): Promise<void> {
    return this.run('/bin/sh', '-c', '"$@"; true', 'thief', program, '/etc/shadow', ...others);
  }

  /** A program that reads like `cat` and is called otherwise. */
  disguise(name: string): string {
    const path = join(this.folder, 'bin', name);
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync('/bin/cat', path);
    return path;
  }

  /** Asks it without a browser. */
  ask(method: string, path: string, headers: Record<string, string> = {}, body = ''): Promise<Answer> {
    return new Promise((done, fail) => {
      const asked = request(this.origin + path, { method, headers }, (response) => {
        let text = '';
        response.on('data', (piece) => (text += piece));
        response.on('end', () => done({ status: response.statusCode ?? 0, headers: response.headers, text }));
      });
      asked.on('error', fail);
      asked.end(body);
    });
  }

  /** Ids of alerts after that one, as the stream tells them, until there are so many. */
  async streamed(after: number, many: number): Promise<number[]> {
    const stop = new AbortController();
    const headers = { Authorization: `Bearer ${this.token}`, 'Last-Event-ID': String(after) };
    const response = await fetch(`${this.origin}/api/v1/alerts/stream`, { headers, signal: stop.signal });
    const ids: number[] = [];
    let text = '';
    for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += piece;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1];
        text = text.slice(end + 2);
        if (data?.startsWith('[')) ids.push(...(JSON.parse(data) as { id: number }[]).map(({ id }) => id));
      }
      if (ids.length >= many) break;
    }
    stop.abort();
    return ids;
  }

  /** A program that was built before the page was is given the page of now; all else stays its own. */
  async dress(context: BrowserContext): Promise<void> {
    const own = (path: string): string => (extname(path) === '' ? '/index.html' : path);
    const here = (path: string): Buffer | null => {
      const file = join(PAGE, 'dist', own(path));
      return existsSync(file) ? readFileSync(file) : null;
    };
    const files = ['/', '/assets/page.js', '/assets/index.css', '/assets/Editor.js', '/assets/Editor.css'];
    const served = await Promise.all(files.map((path) => this.ask('GET', path)));
    if (files.every((path, at) => here(path)?.toString() === served[at]?.text)) return;
    process.stderr.write(`${SAKER} has another page than dist, whose files are put in its place\n`);
    await context.route(
      (url) => url.origin === this.origin && !url.pathname.startsWith('/api/'),
      async (route) => {
        const body = here(new URL(route.request().url()).pathname);
        const response = await route.fetch();
        await route.fulfill(body ? { response, status: 200, body } : { response });
      },
    );
  }
}
