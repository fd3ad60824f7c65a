// Hours of a schedule as a time field shows them, and as the engine keeps them: minutes after midnight.
import type { Window } from "../ipc/bindings";

/** What a person starts with who adds hours: every evening, nothing shared. */
export const FIRST_WINDOW: Window = {
  days: [true, true, true, true, true, true, true],
  from_minute: 18 * 60,
  to_minute: 23 * 60,
  limits: { up: null, down: null },
  sharing: false,
  no_downloads: false,
};

/** "18:05", whatever the locale: it is the value of a time field, not its face. */
export function clockText(minute: number): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

/** Null when the field is empty or half filled. */
export function parseClock(text: string): number | null {
  const found = /^(\d{2}):(\d{2})/.exec(text);
  const minute = found ? Number(found[1]) * 60 + Number(found[2]) : NaN;
  return minute >= 0 && minute < 24 * 60 ? minute : null;
}
