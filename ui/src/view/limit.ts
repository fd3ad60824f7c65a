// A limit as a person types it, and as the engine keeps it: bytes per second, or null for none.

export type LimitUnit = "kB" | "MB";

const BYTES: Record<LimitUnit, number> = { kB: 1000, MB: 1_000_000 };

/** The launcher refuses less: no block would pass within seconds. In bytes per second. */
const LIMIT_MIN = 4096;

/** Null when it is no number, or too little to move anything. */
export function parseLimit(text: string, unit: LimitUnit): number | null {
  const plain = text.trim().replace(",", ".");
  if (!/^\d+(\.\d+)?$/.test(plain)) return null;
  const bytes = Math.round(Number(plain) * BYTES[unit]);
  return bytes >= LIMIT_MIN && bytes <= Number.MAX_SAFE_INTEGER ? bytes : null;
}

/** The unit in which a stored limit reads best. */
export function unitOf(bytesPerSecond: number): LimitUnit {
  return bytesPerSecond >= BYTES.MB ? "MB" : "kB";
}

/** Digits for the text field, without grouping, in the locale's decimal sign. */
export function limitText(bytesPerSecond: number, unit: LimitUnit, locale: string): string {
  return new Intl.NumberFormat(locale, { useGrouping: false, maximumFractionDigits: 3 }).format(bytesPerSecond / BYTES[unit]);
}
