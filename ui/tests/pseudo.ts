// A made-up language: longer, accented and bracketed, so that a text that never passed a catalog stands out.
import { parse, TYPE, type MessageFormatElement } from "@formatjs/icu-messageformat-parser";
import { printAST } from "@formatjs/icu-messageformat-parser/printer.js";

const ACCENTS: Record<string, string> = { a: "å", e: "ë", i: "ï", o: "ø", u: "ü", c: "ç", n: "ñ", s: "š", y: "ý" };

export function pseudo(catalog: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(catalog).map(([key, text]) => [key, `⟦${printAST(parse(text).map(accented))}⟧`]));
}

/** The same in the other direction: what is not wrapped would show on the wrong side. */
export function pseudoRightToLeft(catalog: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(pseudo(catalog)).map(([key, text]) => [key, `⟦\u202e${text.slice(1, -1)}\u202c⟧`]));
}

function accented(element: MessageFormatElement): MessageFormatElement {
  if (element.type === TYPE.literal) return { ...element, value: element.value.replace(/[a-z]/g, (letter) => ACCENTS[letter] ?? letter) + "~".repeat(Math.ceil(element.value.length * 0.3)) };
  if (element.type !== TYPE.plural && element.type !== TYPE.select) return element;
  const options = Object.fromEntries(Object.entries(element.options).map(([name, option]) => [name, { ...option, value: option.value.map(accented) }]));
  return { ...element, options } as MessageFormatElement;
}
