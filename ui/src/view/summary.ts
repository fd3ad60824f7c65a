// "412 MB: 71 % from players, 24 % from your network, 5 % from the server; you passed on 180 MB".
import type { Summary } from "../ipc/bindings";
import { shares } from "../i18n/format";
import type { I18n, MessageKey } from "../i18n/i18n.svelte";

const SOURCES = ["players", "lan", "origin"] as const;

export function summaryLine({ version, downloaded, uploaded_bytes, seconds }: Summary, i18n: I18n): string {
  const { format } = i18n;
  const bytes = SOURCES.map((source) => downloaded[source]);
  const total = bytes.reduce((sum, part) => sum + part, 0);
  if (total === 0) return i18n.t("summary.none", { version });
  const said = [i18n.t("summary.line", { version, size: format.bytes(total), time: format.stopwatch(seconds) })];
  const parts = shares(bytes);
  const named = SOURCES.flatMap((source, at) => (parts[at]! > 0 ? [i18n.t(`summary.${source}` as MessageKey, { share: format.percent(parts[at]!) })] : []));
  said.push(...named);
  if (uploaded_bytes > 0) said.push(i18n.t("summary.passed_on", { size: format.bytes(uploaded_bytes) }));
  return said.join(" · ");
}
