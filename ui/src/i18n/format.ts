// Numbers, sizes, rates and times as a player reads them, in one locale. Decimal units throughout: 1 kB is 1000 bytes.

/** Nothing is smaller than a kilobyte to a player. */
const BYTE_UNITS = ["kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
const STEP = 1000;
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** From this age on, news shows its date instead of "n days ago". */
const RELATIVE_DAYS_MAX = 13;

/** A span of time reduced to what is worth saying; the catalogs hold the words. */
export type Span = { unit: "seconds" | "minutes" | "hours" | "days"; count: number };

export class Formatter {
  readonly #units = new Map<string, Intl.NumberFormat>();
  readonly #plain: Intl.NumberFormat;
  readonly #relative: Intl.RelativeTimeFormat;
  readonly #date: Intl.DateTimeFormat;
  readonly #clock: Intl.DateTimeFormat;
  readonly #moment: Intl.DateTimeFormat;

  constructor(readonly locale: string) {
    this.#plain = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
    this.#relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
    this.#date = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });
    this.#moment = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
    this.#clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
  }

  count(value: number): string {
    return this.#plain.format(sane(value));
  }

  bytes(value: number): string {
    return this.#scaled(value, "");
  }

  rate(bytesPerSecond: number): string {
    return this.#scaled(bytesPerSecond, "-per-second");
  }

  /** Floored, so that 100 % means done. */
  percent(value: number): string {
    return this.#unit("percent", 0).format(percentFloor(value));
  }

  /** "m:ss" or "h:mm:ss", for something that runs. */
  stopwatch(seconds: number): string {
    const whole = Math.floor(sane(seconds));
    const [h, m, s] = [Math.floor(whole / HOUR), Math.floor((whole % HOUR) / MINUTE), whole % MINUTE];
    const tail = String(s).padStart(2, "0");
    return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${tail}` : `${m}:${tail}`;
  }

  /** A moment to come, with day and time; null when it is no date. */
  moment(rfc3339: string): string | null {
    const then = new Date(rfc3339);
    return Number.isNaN(then.getTime()) ? null : this.#moment.format(then);
  }

  /** A moment before `now`: relative while it is recent, the date after that; null when it is no date. */
  ago(rfc3339: string, now: Date): string | null {
    const then = new Date(rfc3339);
    if (Number.isNaN(then.getTime())) return null;
    const seconds = Math.max(0, (now.getTime() - then.getTime()) / 1000);
    if (seconds < HOUR) return this.#relative.format(-Math.floor(seconds / MINUTE), "minute");
    if (seconds < DAY) return this.#relative.format(-Math.floor(seconds / HOUR), "hour");
    const days = Math.floor(seconds / DAY);
    return days <= RELATIVE_DAYS_MAX ? this.#relative.format(-days, "day") : this.#date.format(then);
  }

  /** Hours and minutes of a moment, for notes such as "checked at". */
  clock(moment: Date): string {
    return this.#clock.format(moment);
  }

  #scaled(value: number, suffix: string): string {
    let scaled = sane(value) / STEP;
    let step = 0;
    // 999.5 would be printed as 1000, so it already belongs to the next unit.
    while (scaled >= STEP - 0.5 && step < BYTE_UNITS.length - 1) {
      scaled /= STEP;
      step += 1;
    }
    const digits = (step > 0 && scaled < 99.95) || (scaled > 0 && scaled < 9.95) ? 1 : 0;
    return this.#unit(`${BYTE_UNITS[step]}${suffix}`, digits).format(scaled);
  }

  #unit(unit: string, digits: number): Intl.NumberFormat {
    const key = `${unit}/${digits}`;
    let format = this.#units.get(key);
    if (!format) {
      format = new Intl.NumberFormat(this.locale, { style: "unit", unit, unitDisplay: "short", minimumFractionDigits: digits, maximumFractionDigits: digits });
      this.#units.set(key, format);
    }
    return format;
  }
}

export function percentFloor(value: number): number {
  return Math.min(100, Math.floor(sane(value)));
}

/** Whole percents of each part that add up to 100 (largest remainder), all zero when there is nothing yet. */
export function shares(parts: readonly number[]): number[] {
  const total = parts.reduce((sum, part) => sum + sane(part), 0);
  if (total === 0) return parts.map(() => 0);
  const exact = parts.map((part) => (sane(part) / total) * 100);
  const floors = exact.map(Math.floor);
  let left = 100 - floors.reduce((sum, part) => sum + part, 0);
  const byRemainder = exact.map((value, at) => ({ at, rest: value - Math.floor(value) })).sort((a, b) => b.rest - a.rest);
  for (const { at } of byRemainder) {
    if (left === 0) break;
    floors[at] = (floors[at] ?? 0) + 1;
    left -= 1;
  }
  return floors;
}

/** What is left of a download, or null when the engine is unsure. */
export function span(seconds: number | null): Span | null {
  if (seconds === null || !Number.isFinite(seconds) || seconds < 0) return null;
  if (seconds < MINUTE) return { unit: "seconds", count: Math.ceil(seconds) };
  if (seconds < HOUR) return { unit: "minutes", count: Math.round(seconds / MINUTE) };
  if (seconds < DAY) return { unit: "hours", count: Math.round(seconds / HOUR) };
  return { unit: "days", count: Math.round(seconds / DAY) };
}

function sane(value: number): number {
  return Number.isFinite(value) && value > 0 ? value : 0;
}
