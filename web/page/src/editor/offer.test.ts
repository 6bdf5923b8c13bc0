import { expect, test } from 'vitest';
import type { Completion } from '../api';
import { offers, place } from './offer';

const field = (name: string) => ({ name, type: 'string', argument: 'none', description: '', has_value: true });
const known: Completion = {
  fields: [field('proc.name')],
  operators: ['='],
  transformers: ['tolower'],
  keywords: ['and'],
  events: ['openat'],
  priorities: ['WARNING'],
  keys: ['rule', 'condition'],
  macros: [{ name: 'open_read', text: '' }],
  lists: [{ name: 'shells', text: '' }],
  rules: [],
};
const labels = (before: string) => offers(before, known)?.offers.map((offer) => offer.label) ?? [];

test('a place is of the key above it', () => {
  expect(place('- rule: x\n  condition: >\n    evt.type = open\n    and pr')).toEqual({
    key: 'condition',
    value: '\n    evt.type = open\n    and pr',
  });
  expect(place('- rule: x\n  priority: W')).toEqual({ key: 'priority', value: 'W' });
});

test('what may stand at a place is offered', () => {
  expect(labels('- rule: x\n  condition: pr')).toContain('proc.name');
  expect(labels('- rule: x\n  condition: >\n    pr')).toContain('open_read');
  expect(labels('- rule: x\n  condition: evt.type in (open, op')).toEqual(['openat']);
  expect(labels('- rule: x\n  condition: proc.name in (sh')).toEqual(['shells']);
  expect(labels('- rule: x\n  priority: ')).toEqual(['WARNING']);
  expect(labels('- rule: x\n  output: "a %pro')).toEqual(['proc.name']);
  expect(labels('- rule: x\n  con')).toEqual(['rule', 'condition']);
  expect(labels('- ru')).toEqual(['rule', 'condition']);
  expect(labels('- rule: some na')).toEqual([]);
});
