// On a system with the plain "C" locale WebKitGTK names its language "C", which Intl refuses with an exception. Libraries that
// ask Intl for the browser's language while they load (uPlot does) would leave the window blank. So this is imported first.

export function mendLanguage(navigator: Navigator): void {
  if (!isLanguage(navigator.language)) Object.defineProperty(navigator, "language", { value: "en", configurable: true });
}

function isLanguage(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

mendLanguage(navigator);
