// Alerts as they come: the newest first, a bounded number of them, put in place once a frame.

import { Trouble, api, type Alert } from './api';

/** So many are kept while they stream, */
export const LIVE_MAX = 5_000;
/** so many when somebody reads back, */
export const ROWS_MAX = 20_000;
/** and so many wait while somebody reads. */
export const HELD_MAX = 5_000;
const PAGE = 200;
/** A window that nobody sees gives its connection back after so long: a browser has few to a host. */
const UNSEEN_MS = 30_000;

export type FeedState = 'loading' | 'live' | 'lost' | 'still' | 'failed';

export class Feed {
  rows = $state.raw<Alert[]>([]);
  /** Alerts that wait to be shown. */
  held = $state(0);
  /** Alerts that came too fast to be handed over. */
  skipped = $state(0);
  state = $state<FeedState>('loading');
  trouble = $state.raw<Trouble | null>(null);
  /** Whether there are older ones. */
  more = $state(false);
  isReadingOlder = $state(false);
  /** Counts what came since the beginning. */
  arrived = $state(0);

  #query = new URLSearchParams();
  #incoming: Alert[] = [];
  #hasGap = false;
  #isHeld = false;
  #isAsleep = false;
  #last = 0;
  #source: EventSource | null = null;
  #asking: AbortController | null = null;
  #frame = 0;
  #retry = 0;
  #wait = 1000;
  #unseen = 0;

  constructor() {
    document.addEventListener('visibilitychange', () => {
      clearTimeout(this.#unseen);
      if (document.hidden) {
        this.#unseen = window.setTimeout(() => {
          if (!this.#source) return;
          this.#source.close();
          this.#source = null;
          clearTimeout(this.#retry);
          this.#isAsleep = true;
        }, UNSEEN_MS);
      } else if (this.#isAsleep) {
        this.#isAsleep = false;
        this.#follow();
      }
    });
  }

  /** Begins with what meets that query, and follows it unless it ends in the past. */
  async open(query: URLSearchParams): Promise<void> {
    this.close();
    this.#query = query;
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    this.state = 'loading';
    try {
      const asked = new URLSearchParams(query);
      asked.set('limit', String(PAGE));
      const page = await api.alerts(asked, signal);
      this.rows = page.alerts;
      this.more = page.next !== null;
      this.trouble = null;
      this.skipped = 0;
      this.#last = page.newest;
      this.#wait = 1000;
    } catch (why) {
      if (signal.aborted) return;
      this.trouble = why instanceof Trouble ? why : new Trouble(0, String(why), '');
      this.state = 'failed';
      // What makes no sense makes none later.
      if (this.trouble.status !== 400) this.#again(() => void this.open(query));
      return;
    }
    if (query.has('to')) this.state = 'still';
    else this.#follow();
  }

  close(): void {
    this.#asking?.abort();
    this.#source?.close();
    this.#source = null;
    this.#isAsleep = false;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    clearTimeout(this.#retry);
    this.#incoming = [];
    this.#hasGap = false;
    this.held = 0;
  }

  #again(what: () => void): void {
    clearTimeout(this.#retry);
    this.#retry = window.setTimeout(what, this.#wait);
    this.#wait = Math.min(this.#wait * 2, 15_000);
  }

  #follow(): void {
    const query = new URLSearchParams(this.#query);
    query.set('before', String(this.#last));
    const source = api.stream(query);
    this.#source = source;
    source.onopen = () => {
      this.state = 'live';
      this.#wait = 1000;
    };
    source.addEventListener('alerts', (event) => {
      const alerts = JSON.parse(event.data) as Alert[];
      const fresh = alerts.filter((alert) => alert.id > this.#last);
      const id = Number(event.lastEventId);
      this.#last = Math.max(this.#last, Number.isSafeInteger(id) ? id : 0, fresh.at(-1)?.id ?? 0);
      this.#take(fresh);
    });
    source.addEventListener('skipped', (event) => {
      this.skipped += Number(event.data) || 0;
    });
    source.onerror = () => {
      this.state = 'lost';
      if (source.readyState !== EventSource.CLOSED) return;
      // The browser gives up where the answer is a refusal; who one is may have ended.
      source.close();
      void api.session().catch(() => {});
      this.#again(() => this.#follow());
    };
  }

  #take(alerts: Alert[]): void {
    if (alerts.length === 0) return;
    this.arrived += alerts.length;
    for (const alert of alerts) this.#incoming.push(alert);
    if (this.#incoming.length > HELD_MAX) {
      this.#incoming.splice(0, this.#incoming.length - HELD_MAX);
      this.#hasGap = true;
    }
    this.#frame ||= requestAnimationFrame(() => this.#show());
  }

  /** Keeps what comes from moving what is read. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld && this.#incoming.length > 0) this.#frame ||= requestAnimationFrame(() => this.#show());
  }

  #show(): void {
    this.#frame = 0;
    if (this.#isHeld) {
      this.held = this.#incoming.length;
      return;
    }
    const fresh = this.#incoming.reverse();
    this.#incoming = [];
    this.held = 0;
    // Between those and what was there are some that were let go; they are read back from the store.
    const rows = this.#hasGap ? fresh : fresh.concat(this.rows);
    this.more ||= this.#hasGap || rows.length > LIVE_MAX;
    this.#hasGap = false;
    this.rows = rows.length > LIVE_MAX ? rows.slice(0, LIVE_MAX) : rows;
  }

  /** Reads back. */
  async older(): Promise<void> {
    const last = this.rows.at(-1);
    if (!last || !this.more || this.isReadingOlder || this.rows.length >= ROWS_MAX) return;
    this.isReadingOlder = true;
    const signal = this.#asking?.signal;
    try {
      const query = new URLSearchParams(this.#query);
      query.set('before', String(last.id));
      query.set('limit', String(PAGE));
      const page = await api.alerts(query, signal);
      if (this.rows.at(-1)?.id === last.id) {
        this.rows = this.rows.concat(page.alerts);
        this.more = page.next !== null;
      }
      this.trouble = null;
    } catch (why) {
      if (why instanceof Trouble) this.trouble = why;
    } finally {
      this.isReadingOlder = false;
    }
  }

  /** Notes what somebody did with alerts. */
  mark(ids: ReadonlySet<number>, acknowledged: boolean): void {
    this.rows = this.rows.map((alert) => (ids.has(alert.id) ? { ...alert, acknowledged } : alert));
  }
}
