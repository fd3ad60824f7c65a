// A publisher's accent made safe to read: the text on it, and the accent itself as text on the ground.

export type Rgb = readonly [number, number, number];

const DARK: Rgb = [11, 14, 20];
const LIGHT: Rgb = [255, 255, 255];
/** WCAG AA for body text. */
const CONTRAST_MIN = 4.5;
const LIGHTEN_STEP = 0.08;

export type AccentTokens = { accent: string; onAccent: string; accentText: string };

/** Null when the brand's accent is not a `#rrggbb` colour; the theme's own then stays. `ground` is what text lies on. */
export function accentTokens(accent: string, ground: Rgb = DARK): AccentTokens | null {
  const rgb = parse(accent);
  if (!rgb) return null;
  const onAccent = contrast(rgb, DARK) >= contrast(rgb, LIGHT) ? DARK : LIGHT;
  const away = isLight(ground) ? DARK : LIGHT;
  let text = rgb;
  while (contrast(text, ground) < CONTRAST_MIN) text = mix(text, away, LIGHTEN_STEP);
  return { accent: hex(rgb), onAccent: hex(onAccent), accentText: hex(text) };
}

export function contrast(a: Rgb, b: Rgb): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

/** Whether dark text is the one to be read on it. */
export function isLight(ground: Rgb): boolean {
  return contrast(ground, DARK) > contrast(ground, LIGHT);
}

export function parse(colour: string): Rgb | null {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  return match ? [parseInt(match[1]!, 16), parseInt(match[2]!, 16), parseInt(match[3]!, 16)] : null;
}

function hex(rgb: Rgb): string {
  return `#${rgb.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;
}

function mix(from: Rgb, to: Rgb, share: number): Rgb {
  return [0, 1, 2].map((at) => Math.round(from[at]! + (to[at]! - from[at]!) * share)) as unknown as Rgb;
}

function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((part) => {
    const c = part / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
