// A brand's colours as the window's tokens. What a brand does not name stays as theme.css has it.
import type { Brand } from "../ipc/bindings";
import { accentTokens, isLight, parse } from "./accent";

export type Theme = { tokens: Record<string, string>; scheme: "light" | "dark" };

export function themeOf({ accent, colours }: Brand): Theme {
  const tokens: Record<string, string> = {};
  for (const [name, colour] of Object.entries(colours)) tokens[`--${name.replaceAll("_", "-")}`] = colour;
  const ground = parse(colours.ground ?? "");
  // Where pictures are dimmed, towards the ground.
  if (ground) tokens["--scrim"] = ground.join(" ");
  const made = accentTokens(accent, ground ?? undefined);
  if (made) Object.assign(tokens, { "--accent": made.accent, "--on-accent": made.onAccent, "--accent-text": made.accentText });
  return { tokens, scheme: ground && isLight(ground) ? "light" : "dark" };
}
