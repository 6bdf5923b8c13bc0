// Who one is, and what one may do.

import { Trouble, api, csrf, keepCsrf, onOut } from './api';

class Session {
  state = $state<'asking' | 'in' | 'out' | 'away'>('asking');
  role = $state<'viewer' | 'admin'>('viewer');
  trouble = $state.raw<Trouble | null>(null);
  #told = $state(csrf() !== null);

  constructor() {
    onOut(() => {
      if (this.state === 'in') this.trouble = new Trouble(401, 'Your session is over.', '');
      this.state = 'out';
    });
    addEventListener('storage', () => (this.#told = csrf() !== null));
  }

  /** Whether changes are possible: by role, and by what this browser was told. */
  get mayChange(): boolean {
    return this.role === 'admin' && this.#told;
  }

  /** Why not, in words. */
  get whyNot(): string {
    if (this.role === 'viewer') return 'Your role may only look.';
    return this.#told ? '' : 'Log out and in again to make changes in this browser.';
  }

  /** Asks who one is; a token in the address logs in, and is taken out of it at once. */
  async begin(token = new URLSearchParams(location.hash.slice(1)).get('token')): Promise<void> {
    if (token && location.hash !== '') history.replaceState(history.state, '', location.pathname + location.search);
    if (token && (await this.login(token))) return;
    const isAway = token && this.trouble?.status === 0;
    try {
      if (isAway) throw this.trouble;
      this.role = (await api.session()).role;
      this.state = 'in';
    } catch (why) {
      if (!(why instanceof Trouble)) throw why;
      if (why.status === 401) {
        this.state = 'out';
      } else {
        this.trouble = why;
        this.state = 'away';
        setTimeout(() => void this.begin(isAway ? token : null), 2000);
      }
    }
  }

  async login(token: string): Promise<boolean> {
    try {
      const { role, csrf } = await api.login(token);
      keepCsrf(csrf ?? null);
      this.#told = csrf !== undefined;
      this.role = role;
      this.trouble = null;
      this.state = 'in';
      return true;
    } catch (why) {
      if (!(why instanceof Trouble)) throw why;
      this.trouble = why;
      return false;
    }
  }

  async logout(): Promise<void> {
    let trouble: Trouble | null = null;
    try {
      await api.logout();
    } catch (why) {
      // The session may be over already.
      if (why instanceof Trouble && why.status !== 401)
        trouble = new Trouble(why.status, 'Saker did not end the session.', 'Log in once more and log out then.');
    }
    keepCsrf(null);
    this.#told = false;
    this.trouble = trouble;
    this.state = 'out';
  }
}

export const session = new Session();
