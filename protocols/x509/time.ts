/**
 * Certificate times as text and as seconds since 1970 (RFC 5280 4.1.2.5): UTCTime through 2049,
 * GeneralizedTime from 2050, both in UTC with seconds and without fractions. Pure arithmetic on the
 * proleptic Gregorian calendar; nothing here asks what time it is.
 */

import { LocalError } from '../codec/refusal.ts';

/** 99991231235959Z: the certificate has no well-defined expiration (RFC 5280 4.1.2.5). */
export const NO_EXPIRATION = 253_402_300_799;

const DAY_SECONDS = 86_400;
const UTC_TIME_LAST = 2049;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

const isLeap = (year: number) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

function daysInMonth(year: number, month: number): number {
  return month === 2 && isLeap(year) ? 29 : MONTH_DAYS[month - 1]!;
}

/** Days from 1970-01-01 to 1 January of `year`. */
function daysToYear(year: number): number {
  const leaps = (y: number) => Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
  return 365 * (year - 1970) + leaps(year - 1) - leaps(1969);
}

function secondsOf(digits: string): number | undefined {
  if (!/^\d{14}$/.test(digits)) return undefined;
  const part = (from: number, size: number) => Number(digits.slice(from, from + size));
  const [year, month, day] = [part(0, 4), part(4, 2), part(6, 2)];
  const [hour, minute, second] = [part(8, 2), part(10, 2), part(12, 2)];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  let days = daysToYear(year) + day - 1;
  for (let m = 1; m < month; m++) days += daysInMonth(year, m);
  return days * DAY_SECONDS + hour * 3600 + minute * 60 + second;
}

/** Seconds since 1970 of `YYYYMMDDHHMMSSZ`, or undefined if the text is no such time. */
export function generalizedTimeSeconds(text: string): number | undefined {
  return text.length === 15 && text.endsWith('Z') ? secondsOf(text.slice(0, 14)) : undefined;
}

/** Seconds since 1970 of `YYMMDDHHMMSSZ`; a year below 50 is in this century. */
export function utcTimeSeconds(text: string): number | undefined {
  if (text.length !== 13 || !text.endsWith('Z')) return undefined;
  return secondsOf(`${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text.slice(0, 12)}`);
}

/**
 * How RFC 5280 has a time written: years 1950 to 2049 as UTCTime, any other as GeneralizedTime.
 * @param time `YYYYMMDDHHMMSSZ`
 * @throws LocalError if it is no such time.
 */
export function encodedTime(time: string): { kind: 'UTCTime' | 'GeneralizedTime'; text: string } {
  if (generalizedTimeSeconds(time) === undefined)
    throw new LocalError(`time: expected YYYYMMDDHHMMSSZ, got ${time}`);
  const year = Number(time.slice(0, 4));
  return year >= 1950 && year <= UTC_TIME_LAST
    ? { kind: 'UTCTime', text: time.slice(2) }
    : { kind: 'GeneralizedTime', text: time };
}

/** `YYYY-MM-DDTHH:MM:SSZ` of seconds since 1970, for years 0 to 9999. */
export function timeText(seconds: number): string {
  const pad = (value: number, size = 2) => String(value).padStart(size, '0');
  let days = Math.floor(seconds / DAY_SECONDS);
  const rest = seconds - days * DAY_SECONDS;
  let year = 1970 + Math.floor(days / 365.2425);
  while (daysToYear(year) > days) year--;
  while (daysToYear(year + 1) <= days) year++;
  days -= daysToYear(year);
  let month = 1;
  for (; days >= daysInMonth(year, month); month++) days -= daysInMonth(year, month);
  const clock = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60, rest % 60];
  return `${pad(year, 4)}-${pad(month)}-${pad(days + 1)}T${clock.map((x) => pad(x)).join(':')}Z`;
}
