// Priorities, the most urgent first, as Falco names them. Each has a shape beside its colour.

export const PRIORITIES = [
  'Emergency',
  'Alert',
  'Critical',
  'Error',
  'Warning',
  'Notice',
  'Informational',
  'Debug',
] as const;

export type Priority = (typeof PRIORITIES)[number];

const SHAPES: Record<Priority, string> = {
  Emergency: 'M5 1h6l4 4v6l-4 4H5l-4-4V5zM7 4v5h2V4zM7 10.5v2h2v-2z',
  Alert: 'M5 1h6l4 4v6l-4 4H5l-4-4V5z',
  Critical: 'M8 .5 15.5 8 8 15.5.5 8z',
  Error: 'M2 2h12v12H2z',
  Warning: 'M8 1.5 15.5 14.5H.5z',
  Notice: 'M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13z',
  Informational: 'M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zm0 2.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8z',
  Debug: 'M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6z',
};

/** The priority of that name, whatever its case and form. */
export function named(text: string): Priority {
  const word = text.toLowerCase();
  if (word === 'info') return 'Informational';
  return PRIORITIES.find((priority) => priority.toLowerCase() === word) ?? 'Debug';
}

export const shape = (text: string): string => SHAPES[named(text)];
export const tone = (text: string): string => `--${named(text).toLowerCase()}`;
