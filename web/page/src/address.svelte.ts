// Where one is: the address of the view and what it asks for.

class Address {
  path = $state(location.pathname);
  #query = $state.raw(location.search);

  constructor() {
    addEventListener('popstate', () => this.#read());
  }

  #read(): void {
    this.path = location.pathname;
    this.#query = location.search;
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.#query);
  }

  /** Goes there. */
  go(to: string): void {
    history.pushState({ inside: true }, '', to);
    this.#read();
  }

  /** The same place under another address. */
  become(to: string): void {
    history.replaceState(history.state, '', to);
    this.#read();
  }

  /** Back where one came from, or to that address if it was from elsewhere. */
  back(to: string): void {
    if ((history.state as { inside?: boolean } | null)?.inside) history.back();
    else this.go(to);
  }

  /** Whether an address leads to where one is. */
  isAt(path: string): boolean {
    return this.path === path || this.path.startsWith(`${path}/`);
  }
}

export const address = new Address();

/** Follows a link inside of the page without loading it anew. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = (event.target as Element | null)?.closest('a');
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (link.pathname.startsWith('/api/') || link.getAttribute('href')?.startsWith('#')) return;
  event.preventDefault();
  address.go(link.pathname + link.search + link.hash);
}
