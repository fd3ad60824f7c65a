// The transfer view as plain text, for a forum post or a support request.
import type { Snapshot } from "../ipc/bindings";
import type { I18n } from "../i18n/i18n.svelte";
import { masked, portOf } from "./addresses";
import { phaseLine } from "./phase";

export function transferReport(snapshot: Snapshot, i18n: I18n, hideAddresses: boolean): string {
  const { game, transfer, rates, downloaded, uploaded_bytes } = snapshot;
  const { format } = i18n;
  const named = (label: string, value: string) => `${label}: ${value}`;
  const mark = (ok: boolean) => i18n.t(ok ? "transfer.ok" : "transfer.not_ok");
  const address = (of: string) => (hideAddresses ? masked(of) : of);
  return [
    `${game.title} · ${snapshot.installed ?? i18n.t("version.none")} · ${game.channel}`,
    i18n.say(phaseLine(snapshot)),
    named(i18n.t("transfer.down"), format.rate(rates.down)),
    named(i18n.t("transfer.up"), `${format.rate(rates.up)}, ${i18n.t("upload.total", { size: format.bytes(uploaded_bytes) })}`),
    ...(["origin", "players", "lan"] as const).map((source) => named(i18n.t(`source.${source}`), format.bytes(downloaded[source]))),
    named(i18n.t("transfer.pieces"), i18n.t("transfer.pieces_count", { have: transfer.pieces_have, total: transfer.pieces_total })),
    i18n.t("transfer.bad", { count: transfer.bad_pieces }),
    transfer.listen === null ? i18n.t("transfer.listen_none") : i18n.t("transfer.listen", { port: portOf(transfer.listen) }),
    i18n.t(`transfer.reach_${transfer.reachability}`),
    i18n.t("transfer.peers", { count: transfer.peers.length }),
    ...transfer.peers.map((peer) => `  ${address(peer.address)}  ${peer.client}  ↓ ${format.rate(peer.down_rate)}  ↑ ${format.rate(peer.up_rate)}  ${format.percent(peer.percent)}`),
    `${i18n.t("transfer.origins")}:`,
    ...transfer.origins.map(({ url, ok, detail }) => `  ${url}  ${mark(ok)} ${detail}`.trimEnd()),
    `${i18n.t("transfer.trackers")}:`,
    ...transfer.trackers.map(({ url, ok, detail }) => `  ${url}  ${mark(ok)} ${detail}`.trimEnd()),
  ].join("\n");
}
