// The list of alerts: kept while one of them is read, so that the way back leads to the same place.

import { Feed } from './feed.svelte';

class Alerts {
  readonly feed = new Feed();
  /** The address that the feed was opened for. */
  key: string | null = null;
  scroll = 0;
  cursor = $state(0);

  /** The alert before or after that one, as the list shows them. */
  beside(id: number, step: 1 | -1): number | null {
    const at = this.feed.rows.findIndex((alert) => alert.id === id);
    return at < 0 ? null : (this.feed.rows[at + step]?.id ?? null);
  }

  /** Notes which one was read last. */
  reach(id: number): void {
    const at = this.feed.rows.findIndex((alert) => alert.id === id);
    if (at >= 0) this.cursor = at;
  }

  forget(): void {
    this.feed.close();
    this.feed.rows = [];
    this.key = null;
    this.scroll = 0;
    this.cursor = 0;
  }
}

export const alerts = new Alerts();
