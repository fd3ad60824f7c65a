// A limit as a person types it, and as the engine keeps it: bytes per second or bytes, or null for none.
import type { MessageKey as Key } from "../i18n/i18n.svelte";

export type Scale<Unit extends string = string> = {
  /** Bytes in each unit, the smaller first. */
  units: Record<Unit, number>;
  /** The launcher refuses less. */
  min: number;
  /** What a switch back from "unlimited" starts with when there was no number before. */
  first: number;
  /** Keys of the units' names. */
  names: Record<Unit, Key>;
  /** Key of what is said when a number is none. */
  invalid: Key;
};

export type LimitUnit = "kB" | "MB";

/** Bytes per second. Less than the least moves no block within seconds. */
export const RATE: Scale<LimitUnit> = {
  units: { kB: 1000, MB: 1_000_000 },
  min: 4096,
  first: 1_000_000,
  names: { kB: "settings.unit_kB", MB: "settings.unit_MB" },
  invalid: "settings.limit_invalid",
};

/** Bytes in a month. */
export const VOLUME: Scale<"MB" | "GB"> = {
  units: { MB: 1_000_000, GB: 1_000_000_000 },
  min: 1_000_000,
  first: 20_000_000_000,
  names: { MB: "settings.volume_MB", GB: "settings.volume_GB" },
  invalid: "settings.volume_invalid",
};

/** Null when it is no number, or too little to be one. */
export function parseLimit<Unit extends string>(text: string, unit: Unit, scale: Scale<Unit>): number | null {
  const plain = latinDigits(text.trim()).replace(/[,٫]/, ".");
  if (!/^\d+(\.\d+)?$/.test(plain)) return null;
  const bytes = Math.round(Number(plain) * scale.units[unit]);
  return bytes >= scale.min && bytes <= Number.MAX_SAFE_INTEGER ? bytes : null;
}

/** Digits as Arabic and Japanese keyboards write them, read as the ones everybody's tables have. */
function latinDigits(text: string): string {
  return text.normalize("NFKC").replace(/[٠-٩۰-۹]/g, (digit) => String(digit.charCodeAt(0) & 15));
}

/** The unit in which a stored limit reads best. */
export function unitOf<Unit extends string>(bytes: number, scale: Scale<Unit>): Unit {
  const units = Object.keys(scale.units) as Unit[];
  return units.findLast((unit) => bytes >= scale.units[unit]) ?? units[0]!;
}

/** Digits for the text field, without grouping, in the locale's decimal sign. */
export function limitText<Unit extends string>(bytes: number, unit: Unit, locale: string, scale: Scale<Unit>): string {
  return new Intl.NumberFormat(locale, { useGrouping: false, maximumFractionDigits: 3 }).format(bytes / scale.units[unit]);
}
