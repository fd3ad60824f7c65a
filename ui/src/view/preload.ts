// What a preload says of itself in the dock.
import type { Preload } from "../ipc/bindings";
import type { Formatter } from "../i18n/format";
import type { Line } from "../i18n/i18n.svelte";

/** One line for each state. */
export function preloadLine({ version, unlock, state, bytes, have_bytes, need_bytes }: Preload, format: Formatter): Line {
  const when = format.moment(unlock) ?? unlock;
  const done = { done: format.bytes(have_bytes), total: format.bytes(bytes) };
  switch (state) {
    case "offered":
      return { key: "preload.offered", values: { version, when, need: format.bytes(need_bytes) } };
    case "preloading":
      return { key: "preload.preloading", values: { version, ...done } };
    case "held":
      return { key: "preload.held", values: { version, ...done } };
    case "preloaded":
      return { key: "preload.preloaded", values: { version, when } };
    case "waiting":
      return { key: "preload.waiting", values: { version } };
    case "unlocking":
      return { key: "preload.unlocking", values: { version } };
  }
}
