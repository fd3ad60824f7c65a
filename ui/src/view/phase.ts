// From one snapshot to the words of the dock. Nothing here decides what may be done: the snapshot already says so.
import type { Failure, LastExit, Phase, Snapshot } from "../ipc/bindings";
import type { Formatter } from "../i18n/format";
import { span } from "../i18n/format";
import { clockText } from "./hours";
import type { Line, MessageKey, Said } from "../i18n/i18n.svelte";

/** The headline of the dock. */
export function phaseLine({ phase, available, installed, repair_offered }: Snapshot): Line {
  switch (phase.kind) {
    case "update_available":
    case "downloading":
    case "applying":
      return available ? { key: `phase.${phase.kind}`, values: { version: available.version } } : { key: `phase.${phase.kind}_unnamed` };
    case "paused":
      if (phase.reason === "schedule") return phase.until !== null ? { key: "phase.paused_schedule", values: { time: clockText(phase.until) } } : { key: "phase.paused_schedule_unnamed" };
      return { key: `phase.paused_${phase.reason}` };
    case "offline":
      return { key: installed === null ? "phase.offline_none" : "phase.offline_installed" };
    case "blocked":
      return { key: "phase.blocked", values: { by: phase.by } };
    case "ready":
      return { key: repair_offered.length > 0 ? "phase.ready_damaged" : "phase.ready" };
    default:
      return { key: `phase.${phase.kind}` };
  }
}

/** The small lines under the headline, joined by a dot where they are shown. */
export function detailLines(snapshot: Snapshot, format: Formatter, now: Date): Said[] {
  const { phase, progress, available } = snapshot;
  switch (phase.kind) {
    case "not_installed":
      return available ? [{ key: "version.name", values: { version: available.version } }, { key: "detail.needs", values: { size: format.bytes(available.need_bytes) } }] : [];
    case "update_available":
      return available?.notes ? [available.notes] : [];
    case "applying":
      return [{ key: "detail.applying" }];
    case "needs_space":
      return [{ key: "detail.space", values: { need: format.bytes(phase.need_bytes), have: format.bytes(phase.have_bytes), dir: phase.dir } }];
    case "blocked":
      return [{ key: "detail.blocked" }];
    case "folder_missing":
      return [{ key: "detail.folder_missing", values: { dir: phase.dir } }];
    case "running":
      if (phase.still.length > 0) return [{ key: "detail.running_still", values: { programs: phase.still.join(", ") } }];
      return snapshot.sets ? [{ key: "detail.running_rest" }, ...progressLines(snapshot, format)] : [{ key: "detail.running" }];
    case "offline":
      return [{ key: snapshot.installed === null ? "detail.offline_none" : "detail.offline_installed" }];
    case "paused":
      if (phase.reason === "space") return [{ key: "detail.paused_space" }];
      if (phase.reason === "metered" || phase.reason === "schedule") return [{ key: `detail.paused_${phase.reason}` }, ...progressLines(snapshot, format)];
      return progressLines(snapshot, format);
    case "ready":
      return snapshot.repair_offered.length > 0 ? [{ key: "detail.ready_damaged" }] : checkedLine(snapshot.last_check, format, now);
    default:
      return progress ? [...setLines(snapshot, format), ...progressLines(snapshot, format)] : [];
  }
}

/** What stands small inside the big button: a size before the click, the time left after it. */
export function buttonDetail(snapshot: Snapshot, format: Formatter): Said | null {
  const { phase, available, progress } = snapshot;
  switch (phase.kind) {
    case "not_installed":
    case "update_available":
      return available ? format.bytes(available.download_bytes) : null;
    case "downloading":
    case "repairing":
    case "verifying": {
      // On a button that says Play it would read as the time until it can be pressed.
      const left = snapshot.primary.action === "play" ? null : span(progress?.eta_seconds ?? null);
      return left && { key: `eta.${left.unit}` as MessageKey, values: { count: left.count } };
    }
    case "running":
      return format.stopwatch(phase.since_seconds);
    default:
      return null;
  }
}

/** How the game ended, where it did not end well. */
export function exitLine({ code, signal, seconds, crash }: LastExit, format: Formatter): Line {
  const time = format.stopwatch(seconds);
  if (crash) return code === null ? { key: "banner.crashed_signal", values: { time, signal: String(signal ?? "") } } : { key: "banner.crashed", values: { time, code: String(code) } };
  return code === null ? { key: "banner.exit_unknown", values: { time } } : { key: "banner.exit", values: { time, code: String(code) } };
}

/** Phases whose bar has no end in sight. */
export function isIndeterminate({ phase, progress }: Snapshot): boolean {
  return phase.kind === "checking" || phase.kind === "starting" || (isWorking(phase) && progress === null);
}

/** Whether the dock shows a bar at all. */
export function showsProgress(snapshot: Snapshot): boolean {
  return snapshot.progress !== null || isIndeterminate(snapshot);
}

/** The failure the phase itself carries. */
export function phaseFailure(phase: Phase): Failure | null {
  return phase.kind === "failed" ? phase.failure : null;
}

function isWorking(phase: Phase): boolean {
  return phase.kind === "downloading" || phase.kind === "verifying" || phase.kind === "repairing" || phase.kind === "applying";
}

function progressLines({ phase, progress }: Snapshot, format: Formatter): Said[] {
  if (!progress) return [];
  const lines: Said[] = [];
  const counted = progress.files_total > 0 && (phase.kind === "verifying" || phase.kind === "repairing");
  if (counted) lines.push({ key: "detail.files", values: { done: progress.files_done, total: progress.files_total } });
  lines.push({ key: "detail.progress", values: { done: format.bytes(progress.done_bytes), total: format.bytes(progress.total_bytes) } });
  if (progress.rate_bytes_per_second > 0 && phase.kind !== "paused") lines.push(format.rate(progress.rate_bytes_per_second));
  return lines;
}

/** When the game can begin, where that is before all is there. */
function setLines({ sets }: Snapshot, format: Formatter): Said[] {
  if (!sets) return [];
  if (sets.playable) return [{ key: "detail.playable" }];
  const before = sets.sets.filter(({ set }) => set !== "optional");
  const left = before.reduce((sum, { total_bytes, done_bytes }) => sum + total_bytes - done_bytes, 0);
  return [{ key: "detail.until_playable", values: { size: format.bytes(left) } }];
}

function checkedLine(lastCheck: string | null, format: Formatter, now: Date): Line[] {
  const when = lastCheck && format.ago(lastCheck, now);
  return when ? [{ key: "detail.checked", values: { when } }] : [];
}
