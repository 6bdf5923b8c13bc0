// Light or dark: as the system has it, unless somebody chose.

export type Choice = 'system' | 'light' | 'dark';
const KEY = 'theme';

class Theme {
  choice = $state<Choice>('system');
  #system = $state<'light' | 'dark'>('light');

  constructor() {
    const kept = localStorage.getItem(KEY);
    if (kept === 'light' || kept === 'dark') this.choice = kept;
    const media = matchMedia('(prefers-color-scheme: dark)');
    const read = (): void => {
      this.#system = media.matches ? 'dark' : 'light';
      this.#paint();
    };
    media.addEventListener('change', read);
    read();
  }

  get now(): 'light' | 'dark' {
    return this.choice === 'system' ? this.#system : this.choice;
  }

  choose(choice: Choice): void {
    this.choice = choice;
    if (choice === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, choice);
    this.#paint();
  }

  #paint(): void {
    document.documentElement.dataset['theme'] = this.now;
  }
}

export const theme = new Theme();

/** The colour of that name, now. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
