// The uPlot instance behind the rate graph. Time runs from left to right in every language: the graph is read beside those of other programs and
// of the system, which all do, and its axis stands at the left. Colours come from the theme, as a canvas cannot read custom properties itself.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { I18n } from "../i18n/i18n.svelte";
import { ceilRound, type GraphData } from "./graph";

/** Upload gets this share of the height, below the zero line. */
const UP_SHARE = 0.3;
const AXIS_PX = 74;
const AXIS_PADDING_PX = 16;
const FONT_PX = 11;
/** Two hex digits after a `#rrggbb` token. */
const STACK_ALPHA = "8c";

export function makePlot(host: HTMLElement, data: GraphData, i18n: I18n): uPlot {
  const colour = themeColours(host);
  const font = `${FONT_PX}px ${getComputedStyle(host).fontFamily}`;
  const stack = (stroke: string): uPlot.Series => ({ scale: "down", stroke, fill: `${stroke}${STACK_ALPHA}`, width: 1.5, points: { show: false } });
  const line = (scale: string, stroke: string, dash?: number[]): uPlot.Series => ({ scale, stroke, width: 1.5, points: { show: false }, ...(dash && { dash }) });
  const axis = { font, stroke: colour("--text-faint"), ticks: { show: false }, gap: 6 };
  return new uPlot(
    {
      width: host.clientWidth,
      height: host.clientHeight,
      padding: [8, 0, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: true },
        // Both zero lines fall on one height: download above it, upload mirrored below.
        down: { range: (_, low, high) => downRange(low, high) },
        up: { range: (_, low) => upRange(low) },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 26, space: 90, values: (_, times) => times.map((at) => i18n.format.clock(new Date(at * 1000))) },
        {
          ...axis,
          scale: "down",
          size: labelWidth,
          splits: (plot) => thirds(plot.scales.down?.max ?? 0),
          grid: { stroke: colour("--line"), width: 1 },
          values: (_, rates) => rates.map((rate) => i18n.format.rate(rate)),
        },
        {
          ...axis,
          scale: "up",
          side: 1,
          size: labelWidth,
          stroke: colour("--upload"),
          splits: (plot) => [plot.scales.up?.min ?? 0, 0],
          grid: { show: false },
          values: (_, rates) => rates.map((rate) => (rate < 0 ? i18n.format.rate(-rate) : "")),
        },
      ],
      series: [
        {},
        stack(colour("--source-origin")),
        stack(colour("--source-players")),
        stack(colour("--source-lan")),
        line("down", colour("--text-faint"), [5, 5]),
        { ...line("up", colour("--upload")), fill: colour("--upload-wash"), fillTo: () => 0 },
        line("up", colour("--upload"), [5, 5]),
      ],
      bands: [
        { series: [1, 2] },
        { series: [2, 3] },
      ],
    },
    data,
    host,
  );
}

/** As wide as the widest rate needs: a language may write "kB/s" out. */
function labelWidth(plot: uPlot, rates: string[] | null, axis: number): number {
  const font = plot.axes[axis]?.font;
  if (!rates || !font) return AXIS_PX;
  plot.ctx.font = Array.isArray(font) ? String(font[0]) : font;
  const widest = Math.max(0, ...rates.map((rate) => plot.ctx.measureText(rate).width / devicePixelRatio));
  return Math.max(AXIS_PX, Math.ceil(widest) + AXIS_PADDING_PX);
}

function downRange(_low: number, high: number): [number, number] {
  const top = ceilRound(high);
  return [(-top * UP_SHARE) / (1 - UP_SHARE), top];
}

function upRange(low: number): [number, number] {
  const bottom = ceilRound(-low);
  return [-bottom, (bottom * (1 - UP_SHARE)) / UP_SHARE];
}

function thirds(top: number): number[] {
  return [0, top / 2, top];
}

/** Reads tokens as they stand now; only plain colours may be asked for, a canvas does not mix. */
function themeColours(host: HTMLElement): (token: string) => string {
  const style = getComputedStyle(host);
  return (token) => style.getPropertyValue(token).trim();
}
