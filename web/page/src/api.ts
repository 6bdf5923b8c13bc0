// The program behind the page: every call it has, with the shapes of `web/openapi.json`.

export interface Alert {
  id: number;
  time: string;
  time_ms: number;
  priority: string;
  rule: string;
  source: string;
  tags: string[];
  output: string;
  process: string;
  container: string;
  container_name: string;
  namespace: string;
  pod: string;
  incident: string;
  acknowledged: boolean;
}

export interface AlertPage {
  alerts: Alert[];
  next: number | null;
  newest: number;
}

/** A value of a field. Integers that a number cannot hold are texts. */
export type Value = string | number | boolean | null | Value[] | { [key: string]: Value };

export interface Process {
  pid: number;
  name: string;
  exepath: string;
  cmdline: string;
  user: string;
  uid: number;
  started_ms: number;
  container: string;
}

export interface Container {
  id: string;
  full_id: string;
  name: string;
  type: string;
  image: string;
  image_digest: string;
  namespace: string;
  pod: string;
}

export interface Comment {
  time_ms: number;
  by: string;
  text: string;
}

/** A condition or a part of one: whether it held, and what it saw. */
export interface Why {
  text: string;
  held: boolean;
  kind: 'and' | 'or' | 'not' | 'test';
  /** The macro whose condition it is. */
  macro?: string | null;
  /** Of a test alone; null where there was no value. */
  values: Record<string, Value>;
  parts: Why[];
}

export interface AlertDetail extends Alert {
  fields: Record<string, Value>;
  event_type: string;
  object: Record<string, Value>;
  processes: Process[];
  container_details: Container | null;
  /** Some of it was longer than what is kept. */
  is_cut: boolean;
  module: string;
  module_digest: string;
  rule_digest: string;
  rule_text: string;
  why: Why | null;
  raw: string;
  acknowledged_ms: number | null;
  acknowledged_by: string | null;
  comments: Comment[];
}

export interface Histogram {
  from: number;
  to: number;
  step_ms: number;
  priorities: string[];
  counts: number[][];
  total: number;
}

export interface Incident {
  id: string;
  kind: string;
  title: string;
  alerts: number;
  open: number;
  priority: string;
  first_ms: number;
  last_ms: number;
  newest: number;
  rules: { rule: string; alerts: number }[];
}

export interface IncidentPage {
  incidents: Incident[];
  next: number | null;
}

export interface IncidentDetail extends Incident {
  root: Process | null;
  timeline: Alert[];
}

export interface Rule {
  name: string;
  module: string;
  description: string;
  priority: string;
  source: string;
  tags: string[];
  enabled: boolean;
  alerts: number;
  text: string;
  condition: string;
  events: string[];
  digest: string;
}

export interface Module {
  name: string;
  kind: string;
  version: string | null;
  state: string;
  rules: number;
  digest: string;
  path: string | null;
  previous: string | null;
  failures: number;
  /** Of those, times that it trapped, and that it went over its budget. */
  traps: number;
  overruns: number;
  reason: string | null;
  events: number;
  /** Since Saker began. */
  cpu_ns: number;
  memory_bytes: number | null;
  alerts: number;
  capabilities: string[];
}

export interface Change {
  id: number;
  time_ms: number;
  by: string;
  what: string;
  outcome: string;
  done: boolean;
  difference: string;
}

export interface ChangePage {
  changes: Change[];
  next: number | null;
}

export interface Health {
  version: string;
  hostname: string;
  uptime_seconds: number;
  epoch: number;
  swaps: number;
  rules: number;
  events: number;
  rows: number;
  windows: number;
  alerts: number;
  module_failures: number;
  event_types: { event: string; count: number }[];
  stages: { stage: string; ns: number; events: number }[];
  losses: { cause: string; count: number }[];
  queues: { name: string; waiting: number; most: number }[];
  memory_bytes: number;
  cpu_ms: number;
  engines: { engine: string; socket: string; trouble: string | null; asked: number; failed: number }[];
  store: {
    path: string | null;
    alerts: number;
    bytes: number;
    bytes_max: number;
    written: number;
    forgotten: number;
  };
  checks: { name: string; state: string; found: string; help: string }[];
}

export interface Diagnostic {
  severity: string;
  code: string;
  falco: string;
  message: string;
  label: string;
  help: string | null;
  range: { line: number; column: number; end_line: number; end_column: number } | null;
}

export interface Checked {
  valid: boolean;
  diagnostics: Diagnostic[];
}

export interface Candidate {
  field: string;
  value: string;
  operators: string[];
  proposed: boolean;
}

/** What an exception from an alert may be made of. */
export interface Proposal {
  rule: string;
  /** Why there can be none. */
  refused: string | null;
  fields: Candidate[];
  /** Where what is proposed holds for more than what the alert was about. */
  broader: string[];
  text: string;
  file: string | null;
  /** Why it cannot be saved there. */
  unwritable: string | null;
}

export interface Part {
  field: string;
  operator: string;
  value: string;
}

/** What an exception would have done to the alerts of its rule in the last 24 hours. */
export interface Effect {
  judged: number;
  is_cut: boolean;
  silenced: number;
  unknown: number;
  silenced_alerts: Alert[];
  unknown_alerts: Alert[];
  missing: string[];
}

export interface Attempt {
  text: string;
  checked: Checked;
  effect: Effect | null;
}

export interface Completion {
  fields: { name: string; type: string; argument: string; description: string; has_value: boolean }[];
  operators: string[];
  transformers: string[];
  keywords: string[];
  events: string[];
  priorities: string[];
  keys: string[];
  macros: Named[];
  lists: Named[];
  rules: Named[];
}

/** A candidate and the rules that run, over the same events. */
export interface Compared {
  running: number;
  candidate: number;
  added: number;
  removed: number;
  candidate_ns: number;
  running_ns: number;
  unjudged: number;
  lost: number;
  rules: { rule: string; running: number; candidate: number; added: number; removed: number }[];
  examples: {
    time_ms: number;
    rule: string;
    priority: string;
    process: string;
    pid: number;
    output: string;
    by: 'both' | 'candidate' | 'running';
  }[];
}

export interface Tried {
  events: number;
  from_ms: number;
  to_ms: number;
  took_ms: number;
  cut: string | null;
  missed: number;
  untraced: { event: string; what: string; since_ms: number | null }[];
  compared: Compared;
}

export interface Trials {
  recent: { events: number; bytes: number; bytes_max: number; missed: number; state_too_large: number } | null;
  capture: { id: string; bytes: number } | null;
}

export interface Shadow {
  file: string;
  replaces: string | null;
  with_loaded: boolean;
  by: string;
  from_ms: number;
  to_ms: number;
  over: string | null;
  events: number;
  compared: Compared;
}

export interface Named {
  name: string;
  text: string;
}

export interface SessionState {
  role: 'viewer' | 'admin';
  csrf?: string;
}

/** Why something asked for is not done, in words, and what to do. */
export class Trouble extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly remedy: string,
  ) {
    super(message);
  }
}

export const BASE = '/api/v1';
const CSRF = 'csrf';

/** What changes must carry; none if this browser was not told. */
export function csrf(): string | null {
  return localStorage.getItem(CSRF);
}

export function keepCsrf(secret: string | null): void {
  if (secret === null) localStorage.removeItem(CSRF);
  else localStorage.setItem(CSRF, secret);
}

let whenOut: () => void = () => {};

/** Has that called whenever the session is over. */
export function onOut(call: () => void): void {
  whenOut = call;
}

function remedy(status: number, path: string): string {
  switch (status) {
    case 0:
      return 'See whether Saker still runs on this host; the page goes on by itself once it answers.';
    case 401:
      return 'Log in again.';
    case 403:
      return path === '/session' ? 'Take the one of the link that saker ctl page prints on that host.' : 'Log in as admin to change things.';
    case 404:
      return 'It may have been given up for its age; look for others in the list.';
    case 413:
      return 'Send a smaller file.';
    case 421:
      return 'Open the page under a name that it is configured for.';
    case 429:
      return 'Wait a few seconds and try again.';
    default:
      return status >= 500 ? 'Saker’s own log says more.' : '';
  }
}

/** Integers that a number cannot hold stay what they are, as text. */
export function parse(text: string): unknown {
  const keep = (_: string, value: unknown, context?: { source: string }): unknown =>
    Number.isInteger(value) && !Number.isSafeInteger(value) && context ? context.source : value;
  return JSON.parse(text, keep);
}

async function call<T>(method: string, path: string, body?: BodyInit, kind?: string, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = {};
  if (kind) headers['Content-Type'] = kind;
  const secret = csrf();
  if (method !== 'GET' && secret !== null) headers['X-CSRF-Token'] = secret;
  let response: Response;
  try {
    const request: RequestInit = { method, headers };
    if (body !== undefined) request.body = body;
    if (signal) request.signal = signal;
    response = await fetch(BASE + path, request);
  } catch (why) {
    if (signal?.aborted) throw why;
    throw new Trouble(0, 'Saker does not answer.', remedy(0, path));
  }
  const text = await response.text();
  if (response.ok) return (text === '' ? undefined : parse(text)) as T;
  let message = `Saker answered ${response.status}.`;
  try {
    message = (JSON.parse(text) as { error: string }).error;
  } catch {
    // What is between here and Saker answers in its own way.
  }
  if (response.status === 401) whenOut();
  if (response.status === 403 && message.includes('X-CSRF-Token')) {
    keepCsrf(null);
    throw new Trouble(403, 'This browser may look, but was not told what changes must carry.', 'Log out and in again.');
  }
  throw new Trouble(response.status, message, remedy(response.status, path));
}

const get = <T>(path: string, signal?: AbortSignal): Promise<T> => call<T>('GET', path, undefined, undefined, signal);
const send = <T>(method: string, path: string, what: unknown, signal?: AbortSignal): Promise<T> =>
  call<T>(method, path, JSON.stringify(what), 'application/json', signal);
const part = encodeURIComponent;
const asked = (query: URLSearchParams): string => (query.size > 0 ? `?${query}` : '');

export interface Done {
  done: string;
}

export const api = {
  session: () => get<SessionState>('/session'),
  login: (token: string) => send<SessionState>('POST', '/session', { token }),
  logout: () => call<void>('DELETE', '/session'),

  alerts: (query: URLSearchParams, signal?: AbortSignal) => get<AlertPage>(`/alerts${asked(query)}`, signal),
  histogram: (query: URLSearchParams, signal?: AbortSignal) =>
    get<Histogram>(`/alerts/histogram${asked(query)}`, signal),
  stream: (query: URLSearchParams) => new EventSource(`${BASE}/alerts/stream${asked(query)}`),
  alert: (id: number, signal?: AbortSignal) => get<AlertDetail>(`/alerts/${id}`, signal),
  acknowledge: (ids: number[], acknowledged: boolean) =>
    send<{ changed: number }>('POST', '/alerts/acknowledge', { ids, acknowledged }),
  comment: (id: number, text: string) => send<Comment>('POST', `/alerts/${id}/comments`, { text }),
  exported: (format: 'jsonl' | 'csv', query: URLSearchParams) => `${BASE}/alerts/export.${format}${asked(query)}`,

  proposal: (id: number, signal?: AbortSignal) => get<Proposal>(`/alerts/${id}/exception`, signal),
  tryException: (id: number, draft: { parts: Part[] } | { text: string }, signal?: AbortSignal) =>
    send<Attempt>('POST', `/alerts/${id}/exception/try`, draft, signal),
  saveException: (id: number, text: string) => send<Done>('POST', `/alerts/${id}/exception`, { text }),

  incidents: (query: URLSearchParams, signal?: AbortSignal) => get<IncidentPage>(`/incidents${asked(query)}`, signal),
  incident: (id: string, signal?: AbortSignal) => get<IncidentDetail>(`/incidents/${part(id)}`, signal),

  rules: () => get<Rule[]>('/rules'),
  chooseRule: (rule: string, enabled: boolean) => send<Done>('POST', '/rules/enabled', { rule, enabled }),

  modules: () => get<Module[]>('/modules'),
  changeModule: (name: string, change: 'enable' | 'disable' | 'rollback') =>
    call<Done>('POST', `/modules/${part(name)}/${change}`),
  load: (file: string, bytes: Blob) =>
    call<Done>('POST', `/modules?file=${part(file)}`, bytes, 'application/octet-stream'),
  swap: (name: string, file: string, bytes: Blob) =>
    call<Done>('POST', `/modules/${part(name)}/swap?file=${part(file)}`, bytes, 'application/octet-stream'),
  changes: (query: URLSearchParams) => get<ChangePage>(`/changes${asked(query)}`),

  health: () => get<Health>('/health'),

  check: (text: string, with_loaded: boolean, signal?: AbortSignal) =>
    send<Checked>('POST', '/check', { text, with_loaded }, signal),
  completion: () => get<Completion>('/completion'),

  trials: () => get<Trials>('/trial'),
  tryRules: (text: string, with_loaded: boolean, replaces: string | null, capture: string | null) =>
    send<Tried>('POST', '/trial', { text, with_loaded, replaces, capture }),
  sendCapture: (bytes: Blob) =>
    call<NonNullable<Trials['capture']>>('POST', '/trial/capture', bytes, 'application/octet-stream'),

  shadow: () => get<{ shadow: Shadow | null }>('/shadow'),
  beginShadow: (file: string, text: string, with_loaded: boolean, replaces: string | null, seconds: number) =>
    send<Done>('POST', '/shadow', { file, text, with_loaded, replaces, seconds }),
  promoteShadow: () => call<Done>('POST', '/shadow/promote'),
  discardShadow: () => call<Done>('DELETE', '/shadow'),
};
