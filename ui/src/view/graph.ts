// Columns for the rate graph: download stacked by source upwards, upload mirrored downwards, caps as flat lines.
import type { Sample } from "../state/history";
import { HISTORY_SECONDS } from "../state/history";

type Column = (number | null)[];
export type GraphData = [number[], Column, Column, Column, Column, Column, Column];

/** Order of the columns after time. Each stack column lies on the one after it. */
export const COLUMNS = ["origin", "players", "lan", "cap_down", "up", "cap_up"] as const;

/** A cap far above anything that flows would flatten the graph to a line; beyond this many peaks it is left out. */
const CAP_PEAKS_MAX = 4;

export function graphData(samples: readonly Sample[], now: number, caps: { up: number | null; down: number | null }): GraphData {
  const start = now - HISTORY_SECONDS;
  const times = [start, ...samples.map(({ at }) => at), now].sort((a, b) => a - b);
  const bySecond = new Map(samples.map((sample) => [sample.at, sample]));
  const column = (value: (sample: Sample) => number): Column => times.map((at) => (bySecond.has(at) ? value(bySecond.get(at)!) : null));
  const peaks = peaksOf(samples);
  const flat = (cap: number | null, peak: number, sign: number): Column => times.map(() => (cap !== null && cap <= peak * CAP_PEAKS_MAX ? cap * sign : null));
  return [
    times,
    column(({ origin, players, lan }) => origin + players + lan),
    column(({ players, lan }) => players + lan),
    column(({ lan }) => lan),
    flat(caps.down, peaks.down, 1),
    column(({ up }) => -up),
    flat(caps.up, peaks.up, -1),
  ];
}

export function peaksOf(samples: readonly Sample[]): { down: number; up: number } {
  let [down, up] = [0, 0];
  for (const { origin, players, lan, up: out } of samples) {
    down = Math.max(down, origin + players + lan);
    up = Math.max(up, out);
  }
  return { down, up };
}

/** A round number at or above `value`, so that the axis does not twitch with every sample. */
export function ceilRound(value: number): number {
  const MIN = 10_000;
  if (value <= MIN) return MIN;
  const magnitude = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((factor) => factor * magnitude >= value) ?? 10;
  return step * magnitude;
}
