import { expect, test } from 'vitest';
import { isNarrow, ofAddress, toAddress, toQuery } from './filter';
import { PRIORITIES } from './priority';

const of = (address: string) => ofAddress(new URLSearchParams(address), PRIORITIES);

test('an address says again what it was made of', () => {
  const address = 'text=head&priority=critical%2Cwarning&rule=a+b&tag=t&container=host&namespace=n&pod=p&process=x&acknowledged=false&last=7d';
  expect(toAddress(of(address)).toString()).toBe(address);
  expect(isNarrow(of(address))).toBe(true);
  expect(isNarrow(of('last=all'))).toBe(false);
});

test('the last day is asked for where nothing else is said', () => {
  expect(toAddress(of('')).toString()).toBe('');
  expect(toQuery(of(''), 100_000_000).toString()).toBe(`from=${100_000_000 - 86_400_000}`);
  expect(toQuery(of('last=all'), 1).toString()).toBe('');
  expect(toQuery(of('from=5&to=9'), 1).toString()).toBe('from=5&to=9');
});

test('what makes no sense is not asked for', () => {
  expect(toQuery(of('last=all&priority=loud&acknowledged=maybe&from=-1&to=x&text=...'), 1).toString()).toBe('');
  expect(of('last=1000y').span).toBe('24h');
});
