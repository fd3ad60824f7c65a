// A finding in a player's words: what was found, of whom, and what to do.
import type { Finding } from "../ipc/bindings";
import type { I18n } from "../i18n/i18n.svelte";

export type FindingLine = { words: string; detail: string | null; advice: string | null };

export function findingLine(finding: Finding, i18n: I18n): FindingLine {
  const { code, figure, failure, about, milliseconds } = finding;
  const { format } = i18n;
  const words = i18n.t(`finding.${code}`, { figure: figure ?? 0, size: format.bytes(figure ?? 0), time: format.stopwatch(figure ?? 0) });
  const why = failure && (i18n.maybe(`error.${failure.code}`) ?? failure.message);
  const took = milliseconds === null ? null : i18n.t("help.took", { milliseconds });
  const detail = [about, took].filter((part) => part !== null).join(" · ");
  return { words, detail: detail || null, advice: [why, i18n.maybe(`advice.${code}`)].filter(Boolean).join(" ") || null };
}
