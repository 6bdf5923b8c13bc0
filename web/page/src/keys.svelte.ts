// Keys that work anywhere but where one types. They can be switched off, for those whose tools
// send letters.

import { address } from './address.svelte';

const KEY = 'keys';

class Keys {
  isOn = $state(localStorage.getItem(KEY) !== 'off');
  isHelp = $state(false);
  #view: Record<string, () => void> = {};
  #first = '';
  #firstAt = 0;

  choose(isOn: boolean): void {
    this.isOn = isOn;
    localStorage.setItem(KEY, isOn ? 'on' : 'off');
  }

  /** The keys of a view, until it goes. */
  take(view: Record<string, () => void>): () => void {
    this.#view = view;
    return () => {
      if (this.#view === view) this.#view = {};
    };
  }

  press(event: KeyboardEvent): void {
    if (!this.isOn || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.composedPath()[0];
    if (at instanceof HTMLElement && at.closest('input:not([type=checkbox]), textarea, select, [contenteditable=true]'))
      return;
    if (document.querySelector('dialog[open]')) return;
    // The second key of two is pressed soon.
    const first = event.timeStamp - this.#firstAt < 1500 ? this.#first : '';
    this.#first = '';
    if (first === 'g') {
      const to = GO[event.key];
      if (!to) return;
      event.preventDefault();
      address.go(to);
      return;
    }
    if (event.key === 'g') {
      this.#first = 'g';
      this.#firstAt = event.timeStamp;
      return;
    }
    if (event.key === '?') this.isHelp = true;
    else {
      const act = this.#view[event.key];
      if (!act) return;
      act();
    }
    event.preventDefault();
  }
}

const GO: Record<string, string> = {
  a: '/alerts',
  i: '/incidents',
  r: '/rules',
  m: '/modules',
  e: '/editor',
  h: '/health',
};

export const keys = new Keys();
