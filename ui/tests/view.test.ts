import { expect, test } from "vitest";
import { RateHistory, HISTORY_SECONDS } from "../src/state/history";
import { SNAPSHOTS } from "../src/ipc/mock/snapshots";
import { imageUrl } from "../src/ipc/client";
import { mendLanguage } from "../src/i18n/system-language";
import { accentTokens, contrast } from "../src/view/accent";
import { masked, portOf } from "../src/view/addresses";
import { ceilRound, graphData } from "../src/view/graph";
import { clockText, parseClock } from "../src/view/hours";
import { limitText, parseLimit, RATE, unitOf, VOLUME } from "../src/view/limit";

test.each([
  ["300", "kB", 300_000],
  ["1,5", "MB", 1_500_000],
  ["1.5", "MB", 1_500_000],
  [" 8 ", "MB", 8_000_000],
  ["0", "kB", null],
  ["4", "kB", null],
  ["5", "kB", 5000],
  ["-3", "kB", null],
  ["1e9", "MB", null],
  ["", "kB", null],
  ["many", "kB", null],
] as const)("a limit typed as %j %s is %j", (text, unit, bytes) => expect(parseLimit(text, unit, RATE)).toBe(bytes));

test.each([4096, 5000, 300_000, 999_999, 1_000_000, 1_500_000, 12_345_678])("a stored limit of %d survives being shown and typed again", (bytes) => {
  for (const locale of ["en", "de"]) {
    const unit = unitOf(bytes, RATE);
    const again = parseLimit(limitText(bytes, unit, locale, RATE), unit, RATE);
    expect(Math.abs((again ?? 0) - bytes)).toBeLessThanOrEqual(500);
  }
});

test.each(["#ffb454", "#1a1a80", "#000000", "#ffffff", "#777777"])("text on and in the accent %s can be read", (accent) => {
  const tokens = accentTokens(accent)!;
  const rgb = (colour: string) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) as [number, number, number];
  expect(contrast(rgb(tokens.accent), rgb(tokens.onAccent))).toBeGreaterThanOrEqual(4.4);
  expect(contrast(rgb(tokens.accentText), rgb("#0b0e14"))).toBeGreaterThanOrEqual(4.5);
});

test("an accent that is no colour is refused", () => expect(accentTokens("url(evil)")).toBeNull());

test.each([
  ["203.0.113.24:51413", "203.0.•.•"],
  ["[2001:db8:4::9c1]:51413", "2001:…"],
  ["somewhere", "•"],
])("%s is hidden as %s", (address, hidden) => expect(masked(address)).toBe(hidden));

test.each(["0.0.0.0:51413", "[::]:51413"])("of %s only the port says something", (address) => expect(portOf(address)).toBe("51413"));

test("only our own pictures are loaded, under the name each web view knows them by", () => {
  expect(imageUrl("muster://news/a", "X11; Linux")).toBe("muster://news/a");
  expect(imageUrl("muster://news/a", "Windows NT 10.0")).toBe("http://muster.localhost/news/a");
  expect(imageUrl("https://elsewhere.example/a.png", "X11; Linux")).toBeNull();
});

test("five minutes are kept, one sample a second, the last of a second wins", () => {
  const history = new RateHistory();
  const snapshot = SNAPSHOTS.downloading!;
  for (let at = 0; at < 2 * HISTORY_SECONDS; at += 1) {
    history.record(at, snapshot);
    history.record(at, { ...snapshot, rates: { ...snapshot.rates, up: at } });
  }
  const samples = history.samples();
  expect(samples.length).toBe(HISTORY_SECONDS);
  expect(samples.at(-1)).toMatchObject({ at: 599, up: 599 });
});

test("the graph stacks sources, mirrors upload and leaves out a cap far above the traffic", () => {
  const sample = { at: 100, origin: 4, players: 5, lan: 1, up: 2 };
  const [times, all, peers, lan, capDown, up, capUp] = graphData([sample], 110, { up: 3, down: 1_000_000 });
  const at = times.indexOf(100);
  expect([all[at], peers[at], lan[at], up[at]]).toEqual([10, 6, 1, -2]);
  expect(capUp.every((cap) => cap === -3)).toBe(true);
  expect(capDown.every((cap) => cap === null)).toBe(true);
});

test.each([
  [0, 10_000],
  [11_400_000, 15_000_000],
  [300_000, 300_000],
  [99_000_000, 100_000_000],
])("the axis above %d ends at %d", (value, top) => expect(ceilRound(value)).toBe(top));

test("a system without a language speaks English instead of showing nothing", () => {
  const plain = { language: "C" } as Navigator;
  mendLanguage(plain);
  expect(plain.language).toBe("en");
  const german = { language: "de-AT" } as Navigator;
  mendLanguage(german);
  expect(german.language).toBe("de-AT");
});

test("a month's budget is typed in larger units and refused when it is none", () => {
  expect(parseLimit("20", "GB", VOLUME)).toBe(20_000_000_000);
  expect(parseLimit("0,5", "MB", VOLUME)).toBeNull();
  expect(unitOf(999_000_000, VOLUME)).toBe("MB");
  expect(limitText(1_500_000_000, unitOf(1_500_000_000, VOLUME), "de", VOLUME)).toBe("1,5");
});

test("hours are minutes of a day in both directions", () => {
  expect(clockText(0)).toBe("00:00");
  expect(clockText(18 * 60 + 5)).toBe("18:05");
  for (const minute of [0, 59, 60, 1439]) expect(parseClock(clockText(minute))).toBe(minute);
  for (const text of ["", "24:00", "7", "ab:cd"]) expect(parseClock(text)).toBeNull();
});
