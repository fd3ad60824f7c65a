import { describe, expect, test } from "vitest";
import { Formatter, percentFloor, shares, span } from "../src/i18n/format";

// Intl puts narrow and no-break spaces; a person sees a space.
const plain = (text: string | null) => text?.replace(/\s/g, " ");
const en = new Formatter("en");
const de = new Formatter("de");

test.each([
  [0, "0 kB"],
  [512, "0.5 kB"],
  [240_000, "240 kB"],
  [999_499, "999 kB"],
  [999_500, "1.0 MB"],
  [412_000_000, "412 MB"],
  [4_200_000_000, "4.2 GB"],
  [99_940_000_000, "99.9 GB"],
  [99_960_000_000, "100 GB"],
  [7_300_000_000_000_000, "7,300 TB"],
  [-5, "0 kB"],
  [Number.NaN, "0 kB"],
])("%d bytes read %s", (value, text) => expect(plain(en.bytes(value))).toBe(text));

test("rates carry their second, and German its comma", () => {
  expect(plain(en.rate(11_340_000))).toBe("11.3 MB/s");
  expect(plain(de.rate(11_340_000))).toBe("11,3 MB/s");
  expect(plain(en.rate(240_000))).toBe("240 kB/s");
});

test.each([
  [99.99, 99],
  [100, 100],
  [100.4, 100],
  [-3, 0],
  [Number.NaN, 0],
  [Number.POSITIVE_INFINITY, 0],
])("percent %d is floored to %d, so that 100 means done", (value, floor) => expect(percentFloor(value)).toBe(floor));

describe("shares", () => {
  test.each([
    [[0, 0, 0], [0, 0, 0]],
    [[1, 1, 1], [34, 33, 33]],
    [[988, 1326, 286], [38, 51, 11]],
    [[0, 0, 7], [0, 0, 100]],
  ])("of %j are %j", (parts, percents) => expect(shares(parts)).toEqual(percents));

  test("always add up to 100", () => {
    for (let seed = 1; seed < 500; seed += 1) {
      const parts = [seed % 7, (seed * 31) % 101, (seed * 17) % 13];
      const sum = shares(parts).reduce((total, part) => total + part, 0);
      expect(sum, `seed ${seed}`).toBe(100);
    }
  });
});

test.each([
  [null, null],
  [Number.NaN, null],
  [-1, null],
  [12, "seconds"],
  [150, "minutes"],
  [7200, "hours"],
  [4_294_967_295, "days"],
])("%d seconds left are told in %s", (seconds, unit) => expect(span(seconds)?.unit ?? null).toBe(unit));

test("a stopwatch never shows sixty seconds", () => {
  expect(en.stopwatch(42)).toBe("0:42");
  expect(en.stopwatch(2542.9)).toBe("42:22");
  expect(en.stopwatch(7265)).toBe("2:01:05");
});

test("news tells its age, then its date, and never the future", () => {
  const now = new Date("2026-11-20T12:00:00Z");
  expect(en.ago("2026-11-17T09:00:00Z", now)).toBe("3 days ago");
  expect(en.ago("2026-11-20T11:48:00Z", now)).toBe("12 minutes ago");
  expect(en.ago("2026-11-21T11:48:00Z", now)).toBe("this minute");
  expect(en.ago("2026-10-01T09:00:00Z", now)).toBe("Oct 1, 2026");
  expect(en.ago("yesterday", now)).toBeNull();
});
