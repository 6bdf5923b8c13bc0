// What a comparison comes to, in words.

import type { Compared } from '../api';
import { count, rate } from '../moment';

/** A number with its sign. */
export const signed = (n: number): string => `+${count(n)}`;

/** What judging takes more, or less, of an event's time. */
export function cost(of: Pick<Compared, 'candidate_ns' | 'running_ns'>): string {
  const more = of.candidate_ns - of.running_ns;
  return `${more < 0 ? '−' : '+'}${rate(Math.abs(more))} ns an event`;
}

/** How events of some types were not recorded. */
export const UNTRACED: Record<string, string> = {
  never: 'were not recorded at all in that time',
  partly: 'were not recorded all the time',
  failed: 'were recorded only where the call succeeded',
};
