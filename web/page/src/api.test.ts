// Every call is one that the program has.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';

const DESCRIPTION = join(import.meta.dirname, '../../openapi.json');

interface Operation {
  parameters?: { name: string; in: string }[];
}

test.skipIf(!existsSync(DESCRIPTION))('every call is described in openapi.json', async () => {
  const described = JSON.parse(readFileSync(DESCRIPTION, 'utf8')) as { paths: Record<string, Record<string, Operation>> };
  const calls: [string, string][] = [];
  vi.stubGlobal('localStorage', { getItem: () => 'secret' });
  vi.stubGlobal('fetch', (url: string, { method }: { method: string }) => {
    calls.push([method, url]);
    return Promise.resolve(new Response('{}'));
  });
  vi.stubGlobal(
    'EventSource',
    class {
      constructor(url: string) {
        calls.push(['GET', url]);
      }
    },
  );
  const { api, BASE } = await import('./api');
  const { toQuery, TEXTS } = await import('./filter');
  const all = toQuery(
    { text: 'a', priorities: ['Error'], texts: Object.fromEntries(TEXTS.map((key) => [key, 'a'])), acknowledged: true, span: '', from: 1, to: 2 },
    0,
  );
  for (const key of ['before', 'limit']) all.set(key, '1');
  const page = new URLSearchParams({ before: '1' });
  await api.session();
  await api.login('a');
  await api.logout();
  await api.alerts(all);
  await api.histogram(all);
  api.stream(all);
  await api.alert(1);
  await api.acknowledge([1], true);
  await api.comment(1, 'a');
  calls.push(['GET', api.exported('jsonl', all)], ['GET', api.exported('csv', all)]);
  await api.incidents(new URLSearchParams({ before: '1', acknowledged: 'true' }));
  await api.incident('a');
  await api.rules();
  await api.chooseRule('a', true);
  await api.modules();
  for (const change of ['enable', 'disable', 'rollback'] as const) await api.changeModule('a', change);
  await api.load('a.yaml', new Blob());
  await api.swap('a', 'a.yaml', new Blob());
  await api.changes(page);
  await api.health();
  await api.check('a', true);
  await api.completion();
  await api.trials();
  await api.tryRules('a', true, null, null);
  await api.sendCapture(new Blob());
  await api.shadow();
  await api.beginShadow('a.yaml', 'a', false, 'a', 1);
  await api.promoteShadow();
  await api.discardShadow();
  vi.unstubAllGlobals();

  const unknown = calls.flatMap(([method, called]) => {
    const url = new URL(called, 'http://x');
    const path = url.pathname.slice(BASE.length);
    const found = Object.entries(described.paths)
      .filter(([template]) => new RegExp(`^${template.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}$`).test(path))
      .sort(([a], [b]) => a.split('{').length - b.split('{').length)[0];
    const operation = found?.[1][method.toLowerCase()];
    if (!operation) return [`${method} ${path}`];
    const known = operation.parameters?.filter((one) => one.in === 'query').map((one) => one.name) ?? [];
    return [...url.searchParams.keys()].filter((key) => !known.includes(key)).map((key) => `${method} ${path}?${key}`);
  });
  expect(calls.length).toBeGreaterThan(Object.keys(api).length - 1);
  expect(unknown).toEqual([]);
});
