// Times, amounts and sizes as people read them.

const two = (n: number): string => String(n).padStart(2, '0');

/** Time of day with milliseconds, in this browser's zone. */
export function clock(ms: number): string {
  const t = new Date(ms);
  return `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}.${String(t.getMilliseconds()).padStart(3, '0')}`;
}

/** Year, month and day. */
export function day(ms: number): string {
  const t = new Date(ms);
  return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
}

/** Both, to the second. */
export function moment(ms: number): string {
  return `${day(ms)} ${clock(ms).slice(0, 8)}`;
}

/** Which zone that is in, as its distance from UTC. */
export function zone(ms: number): string {
  const minutes = -new Date(ms).getTimezoneOffset();
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return minutes === 0 ? 'UTC' : `UTC${minutes < 0 ? '−' : '+'}${hours}${rest === 0 ? '' : `:${two(rest)}`}`;
}

/** The clock's time, with the day if that is not today's. */
export function brief(ms: number, now: number): string {
  return day(ms) === day(now) ? clock(ms) : `${day(ms).slice(5)} ${clock(ms).slice(0, 8)}`;
}

/** How long, in its two greatest units. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (ms < 1000 && ms > 0) return `${Math.round(ms)} ms`;
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const COUNT = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const TENTH = new Intl.NumberFormat('en', { maximumFractionDigits: 1, minimumFractionDigits: 1 });

export const count = (n: number): string => COUNT.format(n);

/** So many a second. */
export const rate = (n: number): string => (n > 0 && n < 10 ? TENTH : COUNT).format(n);

/** A part of one, in hundredths. */
export const share = (n: number): string => `${TENTH.format(n * 100)} %`;

/** A size in powers of 1024. */
export function bytes(n: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  while (n >= 1024 && at < units.length - 1) {
    n /= 1024;
    at += 1;
  }
  return `${at === 0 ? COUNT.format(n) : TENTH.format(n)} ${units[at]}`;
}
