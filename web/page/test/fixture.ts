// A program with the same interface as Saker's, for tests alone: what happens is what a test says.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Alert, AlertDetail, Change, Checked, Comment, Compared, Incident, Module, Part, Proposal, Rule, Shadow, Trials, Tried, Why } from '../src/api';

const DIST = join(import.meta.dirname, '../dist');
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const KINDS: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const PRIORITIES = ['Emergency', 'Alert', 'Critical', 'Error', 'Warning', 'Notice', 'Informational', 'Debug'];
export const ADMIN = 'admin-token-of-the-tests';
export const VIEWER = 'viewer-token-of-the-tests';

const RULE = `- rule: File with credentials opened
  desc: Programs that are not known to need it open a file with credentials.
  condition: open_read and fd.name in (credentials) and not proc.name in (trusted)
  output: "File with credentials opened (file=%fd.name process=%proc.name)"
  priority: WARNING
  tags: [filesystem, mitre_credential_access, T1003.008]
`;

export class Fixture {
  readonly alerts: Alert[] = [];
  readonly comments = new Map<number, Comment[]>();
  readonly changes: Change[] = [];
  readonly requests: string[] = [];
  modules: Module[] = modules();
  recent: Trials['recent'] = { events: 48_200, bytes: 21 << 20, bytes_max: 64 << 20, missed: 0, state_too_large: 0 };
  capture: Trials['capture'] = null;
  shadow: Shadow | null = null;
  /** What was asked to be tried. */
  tried: Record<string, unknown>[] = [];
  checked: { text: string; with_loaded: boolean }[] = [];
  rules: Rule[] = rules();
  port = 0;
  #server: Server;
  #streams = new Set<{ response: ServerResponse; query: URLSearchParams; last: number }>();
  #sessions = new Map<string, { role: 'admin' | 'viewer'; csrf: string }>();
  #began = Date.now();

  constructor() {
    this.#server = createServer((request, response) => {
      let body = '';
      request.on('data', (piece) => (body += piece));
      request.on('end', () => this.#answer(request, response, body));
    });
  }

  async listen(port = 0): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(port, '127.0.0.1', done));
    this.port = (this.#server.address() as { port: number }).port;
    return `http://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  /** Ends all streams, as a network does. */
  cut(): void {
    for (const { response } of this.#streams) response.destroy();
    this.#streams.clear();
  }

  /** Something was noticed. */
  alert(what: Partial<Alert> = {}): Alert {
    const time_ms = what.time_ms ?? Date.now();
    const alert: Alert = {
      id: (this.alerts.at(-1)?.id ?? 0) + 1,
      time: new Date(time_ms).toISOString().replace('Z', '123456Z'),
      time_ms,
      priority: 'Warning',
      rule: 'File with credentials opened',
      source: 'syscall',
      tags: ['filesystem', 'mitre_credential_access', 'T1003.008'],
      output: 'File with credentials opened (file=/etc/shadow process=head)',
      process: 'head',
      container: 'host',
      container_name: '',
      namespace: '',
      pod: '',
      incident: '00000000ab01',
      acknowledged: false,
      ...what,
    };
    this.alerts.push(alert);
    return alert;
  }

  /** Tells readers of the stream. */
  tell(skipped = 0): void {
    for (const stream of this.#streams) {
      const fresh = this.#matching(stream.query).filter((alert) => alert.id > stream.last);
      if (skipped > 0) stream.response.write(`event: skipped\ndata: ${skipped}\n\n`);
      if (fresh.length === 0) continue;
      stream.last = fresh.at(-1)?.id ?? stream.last;
      stream.response.write(`event: alerts\nid: ${stream.last}\ndata: ${JSON.stringify(fresh)}\n\n`);
    }
  }

  #matching(query: URLSearchParams): Alert[] {
    const one = (name: string): string | null => query.get(name);
    const priorities = one('priority')?.split(',');
    const words = one('text')?.toLowerCase().split(/\s+/);
    return this.alerts.filter(
      (alert) =>
        (!priorities || priorities.includes(alert.priority.toLowerCase())) &&
        (!one('rule') || alert.rule === one('rule')) &&
        (!one('tag') || alert.tags.includes(one('tag') ?? '')) &&
        (!one('container') || [alert.container, alert.container_name].includes(one('container') ?? '')) &&
        (!one('namespace') || alert.namespace === one('namespace')) &&
        (!one('pod') || alert.pod === one('pod')) &&
        (!one('process') || alert.process === one('process')) &&
        (!one('incident') || alert.incident === one('incident')) &&
        (!one('acknowledged') || String(alert.acknowledged) === one('acknowledged')) &&
        (!one('from') || alert.time_ms >= Number(one('from'))) &&
        (!one('to') || alert.time_ms < Number(one('to'))) &&
        (!words || words.every((word) => alert.output.toLowerCase().includes(word))),
    );
  }

  #answer(request: IncomingMessage, response: ServerResponse, body: string): void {
    const url = new URL(request.url ?? '/', 'http://x');
    response.setHeader('Content-Security-Policy', POLICY);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (!url.pathname.startsWith('/api/v1/')) return this.#file(url.pathname, response);
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    const json = (what: unknown, status = 200): void => {
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(what));
    };
    const refuse = (status: number, error: string): void => json({ error }, status);
    const path = decodeURIComponent(url.pathname.slice('/api/v1'.length));
    const sent = (): Record<string, never> => JSON.parse(body || '{}');
    const at = `${request.method} ${path}`;
    if (at === 'POST /session') {
      const token = sent()['token'] as unknown as string;
      const role = token === ADMIN ? 'admin' : token === VIEWER ? 'viewer' : null;
      if (!role) return refuse(403, 'that token lets nobody in');
      const id = `${role}${this.#sessions.size}`;
      this.#sessions.set(id, { role, csrf: `csrf-${id}` });
      response.setHeader('Set-Cookie', `saker-${this.port}=${id}; Path=/; HttpOnly; SameSite=Strict`);
      return json({ role, csrf: `csrf-${id}` });
    }
    const id = new RegExp(`saker-${this.port}=([^;]*)`).exec(request.headers.cookie ?? '')?.[1] ?? '';
    const session = this.#sessions.get(id);
    if (!session) return refuse(401, 'log in first');
    if (request.method !== 'GET' && request.headers['x-csrf-token'] !== session.csrf)
      return refuse(403, '`X-CSRF-Token` is not the session\'s');
    if (request.method !== 'GET' && session.role !== 'admin' && path !== '/check' && path !== '/session')
      return refuse(403, 'your role may only look');
    if (at === 'GET /session') return json({ role: session.role });
    if (at === 'DELETE /session') {
      this.#sessions.delete(id);
      response.writeHead(204, { 'Set-Cookie': `saker-${this.port}=; Path=/; Max-Age=0` });
      return void response.end();
    }
    const query = url.searchParams;
    const limit = Number(query.get('limit') ?? 100);
    if (at === 'GET /alerts') {
      const before = Number(query.get('before') ?? Infinity);
      const found = this.#matching(query).filter((alert) => alert.id < before).reverse();
      const page = found.slice(0, limit);
      return json({
        alerts: page,
        next: found.length > limit ? (page.at(-1)?.id ?? null) : null,
        newest: this.alerts.at(-1)?.id ?? 0,
      });
    }
    if (at === 'GET /alerts/stream') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
      response.write(': here\n\nretry: 200\n\n');
      const last = Number(request.headers['last-event-id'] ?? query.get('before') ?? this.alerts.at(-1)?.id ?? 0);
      const stream = { response, query, last };
      this.#streams.add(stream);
      response.on('close', () => this.#streams.delete(stream));
      return this.tell();
    }
    if (at === 'GET /alerts/histogram') {
      const found = this.#matching(query);
      const to = Number(query.get('to') ?? Date.now());
      const from = Number(query.get('from') ?? to - 3_600_000);
      const step_ms = Math.max(1, Math.ceil((to - from) / limit));
      const counts = Array.from({ length: limit }, () => PRIORITIES.map(() => 0));
      for (const alert of found) {
        const row = counts[Math.floor((alert.time_ms - from) / step_ms)];
        const p = PRIORITIES.indexOf(alert.priority);
        if (row && alert.time_ms < to) row[p] = (row[p] ?? 0) + 1;
      }
      const total = counts.flat().reduce((sum, n) => sum + n, 0);
      return json({ from, to, step_ms, priorities: PRIORITIES, counts, total });
    }
    if (at === 'POST /alerts/acknowledge') {
      const { ids, acknowledged } = sent() as unknown as { ids: number[]; acknowledged: boolean };
      let changed = 0;
      for (const alert of this.alerts)
        if (ids.includes(alert.id) && alert.acknowledged !== acknowledged) {
          alert.acknowledged = acknowledged;
          changed += 1;
        }
      return json({ changed });
    }
    const said = /^POST \/alerts\/(\d+)\/comments$/.exec(at);
    if (said) {
      const comment = { time_ms: Date.now(), by: 'admin from 127.0.0.1', text: sent()['text'] as unknown as string };
      this.comments.set(Number(said[1]), [...(this.comments.get(Number(said[1])) ?? []), comment]);
      return json(comment);
    }
    if (at.startsWith('GET /alerts/export.')) {
      response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Content-Disposition': 'attachment' });
      return void response.end(this.#matching(query).map((alert) => `${JSON.stringify(alert)}\n`).join(''));
    }
    const detail = /^GET \/alerts\/(\d+)$/.exec(at);
    if (detail) {
      const alert = this.alerts.find((alert) => alert.id === Number(detail[1]));
      return alert ? json(this.#detail(alert)) : refuse(404, `there is no alert ${detail[1]}`);
    }
    const exception = /^(GET|POST) \/alerts\/(\d+)\/exception(\/try)?$/.exec(at);
    if (exception) {
      const alert = this.alerts.find((alert) => alert.id === Number(exception[2]));
      if (!alert) return refuse(404, `there is no alert ${exception[2]}`);
      if (exception[1] === 'GET') return json(proposal(alert));
      const draft = sent() as unknown as { parts?: Part[]; text?: string };
      if (!exception[3]) return json(this.#done(`saved to \`${LOCAL}\`, and in force`));
      const text = draft.text ?? written(alert, draft.parts ?? []);
      const checked = check(text) as Checked;
      const like = this.alerts.filter((one) => one.rule === alert.rule).reverse();
      const silenced = like.filter((one) => one.process === alert.process);
      const effect = { judged: like.length, is_cut: false, silenced: silenced.length, unknown: 2, silenced_alerts: silenced.slice(0, 50), unknown_alerts: like.slice(0, 2), missing: ['proc.pname'] };
      return json({ text, checked, effect: checked.valid ? effect : null });
    }
    if (at === 'GET /incidents') return json({ incidents: this.#incidents(query.get('acknowledged')), next: null });
    const incident = /^GET \/incidents\/(.+)$/.exec(at);
    if (incident) {
      const found = this.#incidents(null).find((one) => one.id === incident[1]);
      if (!found) return refuse(404, `there is no incident \`${incident[1]}\``);
      const timeline = this.alerts.filter((alert) => alert.incident === found.id).slice(-500);
      return json({ ...found, root: process(412, 'sshd', 'sshd: demo [priv]'), timeline });
    }
    if (at === 'GET /rules') return json(this.rules);
    if (at === 'POST /rules/enabled') {
      const { rule, enabled } = sent() as unknown as { rule: string; enabled: boolean };
      this.rules = this.rules.map((one) => (one.name === rule ? { ...one, enabled } : one));
      return json(this.#done(`rule \`${rule}\` is ${enabled ? 'on' : 'off'}`));
    }
    if (at === 'GET /modules') {
      const seconds = (Date.now() - this.#began) / 1000;
      return json(this.modules.map((one) => ({ ...one, cpu_ns: one.cpu_ns + (one.state === 'running' ? Math.floor(seconds * 12e6) : 0) })));
    }
    const change = /^POST \/modules\/(.+)\/(enable|disable|rollback|swap)$/.exec(at);
    if (change) {
      const module = this.modules.find((one) => one.name === change[1]);
      if (!module) return refuse(404, `there is no module \`${change[1]}\``);
      if (change[2] === 'swap') [module.previous, module.digest] = [module.digest, 'c3d4e5f60718293a4b5c6d7e'];
      else if (change[2] === 'rollback') [module.previous, module.digest] = [null, module.previous ?? ''];
      else module.state = change[2] === 'enable' ? 'running' : 'disabled';
      const words = { enable: 'on', disable: 'off', rollback: 'rolled back', swap: 'swapped' }[change[2] as 'swap'];
      return json(this.#done(`module \`${module.name}\` is ${words}`));
    }
    if (at === 'POST /modules') {
      const name = (query.get('file') ?? '').replace(/\..*/, '');
      this.modules = [...this.modules, { ...modules()[0], name, kind: 'ruleset', state: 'probation' } as Module];
      return json(this.#done(`module \`${name}\` is running with 1 rule on`));
    }
    if (at === 'GET /changes') return json({ changes: [...this.changes].reverse(), next: null });
    if (at === 'GET /health') return json(this.#health());
    if (at === 'POST /check') {
      this.checked.push(sent() as unknown as { text: string; with_loaded: boolean });
      return json(check(sent()['text'] as unknown as string));
    }
    if (at === 'GET /completion') return json(completion());
    if (at === 'GET /trial') return json({ recent: this.recent, capture: this.capture });
    if (at === 'POST /trial/capture') return json((this.capture = { id: '00112233445566ff', bytes: body.length }));
    if (at === 'GET /shadow') return json({ shadow: this.shadow });
    if (at === 'DELETE /shadow') {
      this.shadow = null;
      return json(this.#done('the shadow is discarded'));
    }
    if (at === 'POST /shadow/promote') {
      this.shadow = null;
      return json(this.#done('module `rules` is on probation as b2c3d4e5f601 with 3 rules on'));
    }
    if (at === 'POST /shadow') {
      const { file, replaces, with_loaded, seconds } = sent() as unknown as Shadow & { seconds: number };
      if (this.shadow) return refuse(409, 'a shadow judges already: promote or discard it first');
      const now = Date.now();
      this.shadow = { file, replaces, with_loaded, by: 'admin from 127.0.0.1', from_ms: now, to_ms: now + seconds * 1000, over: null, events: 9_400, compared: compared() };
      return json(this.#done(`\`${file}\` judges as a shadow for ${seconds} seconds`));
    }
    if (at === 'POST /trial') {
      this.tried.push(sent());
      return json({ ...tried(), events: this.capture && sent()['capture'] ? 120 : 48_200 });
    }
    return refuse(404, 'there is nothing there');
  }

  #done(done: string): { done: string } {
    this.changes.push({
      id: this.changes.length + 1,
      time_ms: Date.now(),
      by: 'admin from 127.0.0.1',
      what: done,
      outcome: 'took over between two events',
      done: true,
      difference: '--- before\n+++ after\n@@ -1,3 +1,3 @@\n - list: trusted\n-  items: [sshd]\n+  items: [sshd, sudo]\n',
    });
    return { done };
  }

  #file(path: string, response: ServerResponse): void {
    const name = path.split('/').at(-1)?.includes('.') ? path : '/index.html';
    const file = join(DIST, name);
    if (!existsSync(file)) {
      response.writeHead(404);
      return void response.end();
    }
    response.writeHead(200, { 'Content-Type': KINDS[extname(name)] ?? 'application/octet-stream', 'Cache-Control': 'no-cache' });
    response.end(readFileSync(file));
  }

  #detail(alert: Alert): AlertDetail {
    const cmdline = `head -1 ${'/etc/shadow'}`;
    return {
      ...alert,
      fields: { 'evt.time': 'TIME', 'fd.name': '/etc/shadow', 'proc.cmdline': cmdline, 'user.loginuid': -1, 'proc.tty': null },
      event_type: 'openat',
      object: { 'fd.name': '/etc/shadow', 'fs.path.source': null, 'evt.res': 'SUCCESS' },
      processes: [
        process(4711, alert.process, cmdline),
        process(4700, 'bash', '-bash'),
        process(412, 'sshd', 'sshd: demo [priv]'),
        process(1, 'systemd', '/sbin/init'),
      ],
      container_details: alert.container === 'host' ? null : {
        id: alert.container,
        full_id: alert.container.padEnd(64, '0'),
        name: alert.container_name,
        type: 'containerd',
        image: 'registry.example/shop/checkout:1.4',
        image_digest: 'sha256:2b1c',
        namespace: alert.namespace,
        pod: alert.pod,
      },
      is_cut: false,
      module: 'rules',
      module_digest: 'a1b2c3d4e5f60718293a4b5c',
      rule_digest: '0011223344556677',
      rule_text: RULE,
      why: why(alert.process),
      raw: JSON.stringify({ output: alert.output, rule: alert.rule, priority: alert.priority, time: alert.time }),
      acknowledged_ms: alert.acknowledged ? Date.now() : null,
      acknowledged_by: alert.acknowledged ? 'admin from 127.0.0.1' : null,
      comments: this.comments.get(alert.id) ?? [],
    };
  }

  #incidents(acknowledged: string | null): Incident[] {
    const groups = new Map<string, Alert[]>();
    for (const alert of this.alerts) groups.set(alert.incident, [...(groups.get(alert.incident) ?? []), alert]);
    return [...groups]
      .map(([id, of]): Incident => {
        const counts = new Map<string, number>();
        for (const alert of of) counts.set(alert.rule, (counts.get(alert.rule) ?? 0) + 1);
        return {
          id,
          kind: of[0]?.container === 'host' ? 'login' : 'container',
          title: of[0]?.container_name || 'sshd: demo [priv]',
          alerts: of.length,
          open: of.filter((alert) => !alert.acknowledged).length,
          priority: PRIORITIES.find((priority) => of.some((alert) => alert.priority === priority)) ?? 'Debug',
          first_ms: of[0]?.time_ms ?? 0,
          last_ms: of.at(-1)?.time_ms ?? 0,
          newest: of.at(-1)?.id ?? 0,
          rules: [...counts].map(([rule, alerts]) => ({ rule, alerts })),
        };
      })
      .filter((one) => acknowledged === null || (one.open === 0) === (acknowledged === 'true'))
      .reverse();
  }

  #health(): unknown {
    const seconds = (Date.now() - this.#began) / 1000;
    return {
      version: '0.1.0',
      hostname: 'shop-7',
      uptime_seconds: 86_400 + Math.floor(seconds),
      epoch: 3,
      swaps: 2,
      rules: this.rules.length,
      events: Math.floor(1_000_000 + seconds * 12_000 + Math.sin(seconds) * 2000),
      rows: Math.floor(400_000 + seconds * 4800),
      windows: Math.floor(8000 + seconds * 90),
      alerts: this.alerts.length,
      module_failures: 0,
      event_types: ['openat', 'close', 'execve', 'clone', 'connect', 'unlinkat', 'fchmodat', 'setuid', 'ptrace', 'mount', 'bpf', 'kill'].map((event, index) => ({
        event,
        count: Math.floor((seconds * 4000) / (index + 1) ** 2),
      })),
      stages: [
        { stage: 'decode', ns: 28_000, events: 1000 },
        { stage: 'state', ns: 96_000, events: 1000 },
        { stage: 'extract', ns: 141_000, events: 1000 },
        { stage: 'judge', ns: 1_900_000, events: 128_000 },
        { stage: 'alert', ns: 300_000, events: 128_000 },
      ],
      losses: [
        { cause: 'ring full: bulk', count: 312 },
        { cause: 'ring full: lifecycle', count: 0 },
        { cause: 'store queue full', count: 0 },
      ],
      queues: [
        { name: 'windows with the judge', waiting: 3, most: 8 },
        { name: 'bytes of alerts to be kept', waiting: 12_345, most: 64 << 20 },
      ],
      memory_bytes: 61_234_567,
      cpu_ms: Math.floor(900_000 + seconds * 42),
      engines: [
        { engine: 'containerd', socket: '/run/containerd/containerd.sock', trouble: null, asked: 61, failed: 0 },
        { engine: 'docker', socket: '/var/run/docker.sock', trouble: 'nobody listens', asked: 0, failed: 0 },
      ],
      store: {
        path: '/var/lib/saker/alerts.db',
        alerts: this.alerts.length,
        bytes: 12_345_678,
        bytes_max: 1 << 30,
        written: this.alerts.length,
        forgotten: 0,
      },
      checks: [
        { name: 'kernel', state: 'ok', found: '6.1.0', help: '' },
        { name: 'BTF', state: 'ok', found: '/sys/kernel/btf/vmlinux', help: '' },
        { name: 'memory lock', state: 'weak', found: '8 MiB', help: 'raise `LimitMEMLOCK`' },
      ],
    };
  }
}

const LOCAL = '/etc/saker/saker_rules.local.yaml';

function written(alert: Alert, parts: Part[]): string {
  const of = (what: (part: Part) => string): string => parts.map(what).join(', ');
  return `- rule: ${alert.rule}
  exceptions:
    - name: alert_${alert.id}
      fields: [${of(({ field }) => field)}]
      comps: [${of(({ operator }) => operator)}]
      values:
        - [${of(({ value }) => JSON.stringify(value))}]
  override:
    exceptions: append
`;
}

function proposal(alert: Alert): Proposal {
  const refused = alert.source === 'internal' ? "it is an alert of Saker's own, and of no rule" : null;
  const texts = ['=', 'startswith', 'endswith', 'contains', 'glob'];
  const fields = [
    { field: 'proc.name', value: alert.process, operators: texts, proposed: true },
    { field: 'fd.name', value: '/etc/shadow', operators: texts, proposed: true },
    { field: 'proc.cmdline', value: 'head -1 /etc/shadow\u202e', operators: texts, proposed: false },
    { field: 'user.uid', value: '0', operators: ['='], proposed: false },
  ];
  const broader = alert.process.length < 15 ? [] : ['`proc.name` may be cut, as the kernel keeps 15 bytes of a name: it holds for every process whose name begins so'];
  const parts = fields.filter((one) => one.proposed).map(({ field, value }) => ({ field, operator: '=', value }));
  return { rule: alert.rule, refused, fields: refused ? [] : fields, broader, text: refused ? '' : written(alert, parts), file: LOCAL, unwritable: null };
}

function process(pid: number, name: string, cmdline: string): AlertDetail['processes'][number] {
  return {
    pid,
    name,
    exepath: `/usr/bin/${name}`,
    cmdline,
    user: 'root',
    uid: 0,
    started_ms: Date.now() - 3_600_000,
    container: '',
  };
}

/** `open_read and fd.name in (credentials) and not proc.name in (trusted)`, with a list as long as they are. */
function why(name: string): Why {
  const one = (kind: Why['kind'], text: string, held: boolean, rest: Partial<Why> = {}): Why => ({ kind, text, held, values: {}, parts: [], ...rest });
  const opened = one('test', 'evt.type in (open, openat, openat2)', true, { values: { 'evt.type': 'openat' } });
  const read = one('test', 'evt.is_open_read = true', true, { values: { 'evt.is_open_read': true } });
  const files = Array.from({ length: 120 }, (_, at) => `/etc/secrets/${at}.pem`).join(', ');
  const named = one('test', `fd.name in (/etc/shadow, ${files})`, true, { values: { 'fd.name': '/etc/shadow' } });
  const trusted = one('test', 'proc.name in (sshd, sudo, login)', false, { values: { 'proc.name': name, 'proc.pname': null } });
  const above = one('test', 'proc.aname in (sshd, cron)', false, { values: { 'proc.aname': Array.from({ length: 60 }, (_, at) => `ancestor-${at}`) } });
  return one('and', '…', true, {
    parts: [
      one('and', '…', true, { macro: 'open_read', parts: [opened, read] }),
      named,
      one('not', '…', true, { parts: [one('or', '…', false, { macro: 'trusted_program', parts: [trusted, above] })] }),
    ],
  });
}

function modules(): Module[] {
  return [
    {
      name: 'rules',
      kind: 'rules',
      version: null,
      state: 'running',
      rules: 18,
      digest: 'a1b2c3d4e5f60718293a4b5c',
      path: null,
      previous: '79f4d09c85fa18293a4b5c6d',
      failures: 0,
      traps: 0,
      overruns: 0,
      reason: null,
      events: 400_123,
      cpu_ns: 912_345_678,
      memory_bytes: null,
      alerts: 212,
      capabilities: [],
    },
    {
      name: 'beacon',
      kind: 'component',
      version: '0.1.0',
      state: 'quarantined',
      rules: 1,
      digest: 'c9701e440c0e18293a4b5c6d',
      path: '/etc/saker/modules/beacon.wasm',
      previous: null,
      failures: 3,
      traps: 2,
      overruns: 1,
      reason: 'it trapped: out of bounds memory access',
      events: 1204,
      cpu_ns: 7_345_678,
      memory_bytes: 3_407_872,
      alerts: 0,
      capabilities: ['log', 'kv'],
    },
  ];
}

function rules(): Rule[] {
  const names = ['File with credentials opened', 'Shell spawned by a web server', 'Kernel module loaded', 'Port scan'];
  return names.map((name, at) => ({
    name,
    module: at === 3 ? 'beacon' : 'rules',
    description: 'Programs that are not known to need it open a file with credentials.',
    priority: PRIORITIES[at + 2] ?? 'Debug',
    source: 'syscall',
    tags: ['filesystem', 'mitre_credential_access', 'T1003.008'],
    enabled: at !== 2,
    alerts: at * 31,
    text: at === 3 ? '' : RULE.replace('File with credentials opened', name),
    condition: at === 3 ? '' : 'evt.type in (open, openat) and fd.name in (/etc/shadow) and not proc.name in (sshd, sudo)',
    events: ['open', 'openat', 'openat2'],
    digest: '00112233445566778899aabb',
  }));
}

function check(text: string): unknown {
  const at = text.indexOf('proc.nam ');
  if (at < 0) return { valid: true, diagnostics: [] };
  const before = text.slice(0, at).split('\n');
  const [line, column] = [before.length - 1, before.at(-1)?.length ?? 0];
  return {
    valid: false,
    diagnostics: [
      {
        severity: 'error',
        code: 'S501',
        falco: 'LOAD_ERR_COMPILE_CONDITION',
        message: 'unknown field `proc.nam`',
        label: '',
        help: 'did you mean `proc.name`?',
        range: { line, column, end_line: line, end_column: column + 8 },
      },
    ],
  };
}

function completion(): unknown {
  const field = (name: string, type: string, description: string) => ({
    name,
    type,
    argument: 'none',
    description,
    has_value: true,
  });
  return {
    fields: [
      field('proc.name', 'string', 'Name of the process.'),
      field('proc.pname', 'string', 'Name of its parent.'),
      field('fd.name', 'string', 'Name of the file or connection.'),
      field('evt.type', 'string', 'Type of the event.'),
    ],
    operators: ['=', '!=', 'in', 'contains', 'startswith'],
    transformers: ['tolower', 'basename'],
    keywords: ['and', 'or', 'not'],
    events: ['open', 'openat', 'execve'],
    priorities: ['EMERGENCY', 'CRITICAL', 'WARNING'],
    keys: ['rule', 'desc', 'condition', 'output', 'priority', 'tags'],
    macros: [{ name: 'open_read', text: 'evt.type in (open, openat)' }],
    lists: [{ name: 'shells', text: 'bash, sh' }],
    rules: [],
  };
}

/** A day as one would see it, with texts that an attacker chose among them. */
export function day(fixture: Fixture, count = 400): void {
  const now = Date.now();
  const kinds: Partial<Alert>[] = [
    {},
    {
      priority: 'Critical',
      rule: 'Shell spawned by a web server',
      output: 'Shell from a web server (shell=sh -c id server=nginx: worker process user=www-data)',
      process: 'sh',
      container: '3f2a9c81d0b7',
      container_name: 'checkout',
      namespace: 'shop',
      pod: 'checkout-7d9f-x2x',
      incident: '00000000ab02',
    },
    {
      priority: 'Notice',
      rule: 'Package manager run in a container',
      output: 'Package manager run (command=apt-get install -y curl)',
      process: 'apt-get',
      container: '9b77aa01c2d3',
      container_name: 'runner',
      incident: '00000000ab03',
    },
    { priority: 'Error', rule: 'Kernel module loaded', output: 'Kernel module loaded (module=vboxdrv)', process: 'insmod' },
    {
      priority: 'Emergency',
      rule: 'Process with a forged name',
      output: 'Forged (process=\u202egnp.exe\u0007\u200b path=/tmp/<img src=x onerror=alert(1)>)',
      process: '<script>alert(1)</script>',
    },
    { priority: 'Informational', rule: 'Login', output: 'Login (user=demo from=198.51.100.7)', process: 'sshd' },
  ];
  for (let at = 0; at < count; at += 1) {
    const kind = kinds[(at * 7 + Math.floor(at / 5)) % kinds.length] ?? {};
    const back = ((count - at) / count) ** 1.5 * 20 * 3_600_000;
    fixture.alert({ ...kind, time_ms: Math.floor(now - back), acknowledged: at % 9 === 0 });
  }
}

export function compared(): Compared {
  const example = (by: 'both' | 'candidate' | 'running', rule: string, process: string, output: string) => ({
    time_ms: Date.now() - 90_000,
    rule,
    priority: by === 'candidate' ? 'Critical' : 'Warning',
    process,
    pid: 4711,
    output,
    by,
  });
  return {
    running: 8,
    candidate: 316,
    added: 312,
    removed: 4,
    candidate_ns: 23.4,
    running_ns: 14.2,
    unjudged: 0,
    lost: 0,
    rules: [
      { rule: 'File with credentials opened', running: 8, candidate: 4, added: 0, removed: 4 },
      { rule: 'Shell spawned by a web server', running: 0, candidate: 312, added: 312, removed: 0 },
    ],
    examples: [
      example('candidate', 'Shell spawned by a web server', 'sh', 'Shell from a web server (shell=sh -c id server=nginx: worker process user=www-data)'),
      example('candidate', 'Shell spawned by a web server', '<img src=x onerror=alert(1)>', 'Shell from a web server (shell=\u202egnp.exe path=/tmp/<script>alert(1)</script>)'),
      example('running', 'File with credentials opened', 'backup', 'File with credentials opened for reading by an untrusted program (file=/etc/shadow process=backup)'),
      example('both', 'File with credentials opened', 'cat', 'File with credentials opened for reading by an untrusted program (file=/etc/shadow process=cat)'),
    ],
  };
}

function tried(): Tried {
  return {
    events: 48_200,
    from_ms: Date.now() - 300_000,
    to_ms: Date.now(),
    took_ms: 210,
    cut: null,
    missed: 0,
    untraced: [
      { event: 'ptrace', what: 'never', since_ms: null },
      { event: 'execve', what: 'failed', since_ms: null },
    ],
    compared: compared(),
  };
}
