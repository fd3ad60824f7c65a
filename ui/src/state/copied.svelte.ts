// "Copy" with a short "copied" afterwards.

const SHOWN_MS = 2000;

export class Copied {
  shown = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;

  async copy(text: string): Promise<void> {
    if (!(await write(text))) return;
    this.shown = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.shown = false), SHOWN_MS);
  }
}

async function write(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Some web views keep the clipboard interface closed; a selection copied by hand works in all of them.
    return writeBySelection(text);
  }
}

function writeBySelection(text: string): boolean {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "off-screen";
  // Inside an open dialog the focus trap would take the focus back from a field outside of it.
  const host = document.activeElement?.closest("[role=dialog], [role=alertdialog]") ?? document.body;
  host.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}
