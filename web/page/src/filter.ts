// Which alerts are asked for: what stands in the address, and what is asked of the program.

export const TEXTS = ['rule', 'tag', 'container', 'namespace', 'pod', 'process', 'incident'] as const;
export type TextKey = (typeof TEXTS)[number];

/** How far back, by the word in the address. */
export const SPANS: Record<string, { label: string; ms: number }> = {
  '15m': { label: 'Last 15 minutes', ms: 15 * 60_000 },
  '1h': { label: 'Last hour', ms: 3_600_000 },
  '24h': { label: 'Last 24 hours', ms: 24 * 3_600_000 },
  '7d': { label: 'Last 7 days', ms: 7 * 24 * 3_600_000 },
  all: { label: 'All time', ms: 0 },
};
export const SPAN = '24h';

export interface Filter {
  text: string;
  priorities: string[];
  texts: Partial<Record<TextKey, string>>;
  acknowledged: boolean | null;
  span: string;
  from: number | null;
  to: number | null;
}

function time(word: string | null): number | null {
  if (word === null || !/^\d{1,16}$/.test(word)) return null;
  return Number(word);
}

/** What an address asks for. What makes no sense is not asked for. */
export function ofAddress(address: URLSearchParams, priorities: readonly string[]): Filter {
  const asked = (address.get('priority') ?? '').toLowerCase().split(',');
  const texts: Filter['texts'] = {};
  for (const key of TEXTS) {
    const text = address.get(key)?.trim();
    if (text) texts[key] = text;
  }
  const acknowledged = address.get('acknowledged');
  const [from, to] = [time(address.get('from')), time(address.get('to'))];
  const span = address.get('last') ?? SPAN;
  return {
    text: address.get('text') ?? '',
    priorities: priorities.filter((priority) => asked.includes(priority.toLowerCase())),
    texts,
    acknowledged: acknowledged === 'true' ? true : acknowledged === 'false' ? false : null,
    span: from !== null || to !== null ? '' : span in SPANS ? span : SPAN,
    from,
    to,
  };
}

function common(filter: Filter): URLSearchParams {
  const query = new URLSearchParams();
  // The index of words knows letters and digits only.
  if (/[\p{L}\p{N}]/u.test(filter.text)) query.set('text', filter.text.trim());
  if (filter.priorities.length > 0) query.set('priority', filter.priorities.join(',').toLowerCase());
  for (const key of TEXTS) {
    const text = filter.texts[key];
    if (text) query.set(key, text);
  }
  if (filter.acknowledged !== null) query.set('acknowledged', String(filter.acknowledged));
  if (filter.from !== null) query.set('from', String(filter.from));
  if (filter.to !== null) query.set('to', String(filter.to));
  return query;
}

/** The address that asks for it. */
export function toAddress(filter: Filter): URLSearchParams {
  const address = common(filter);
  if (filter.span !== '' && filter.span !== SPAN) address.set('last', filter.span);
  return address;
}

/** What is asked of the program, now. */
export function toQuery(filter: Filter, now: number): URLSearchParams {
  const query = common(filter);
  const span = SPANS[filter.span];
  if (span && span.ms > 0) query.set('from', String(now - span.ms));
  return query;
}

/** Whether it asks for less than everything of its time. */
export function isNarrow(filter: Filter): boolean {
  return (
    filter.text.trim() !== '' ||
    filter.priorities.length > 0 ||
    filter.acknowledged !== null ||
    Object.keys(filter.texts).length > 0
  );
}
