// What is wrong with a translated message, compared with the English one.
import { parse, TYPE, type MessageFormatElement } from "@formatjs/icu-messageformat-parser";

/** In words, empty when nothing is. */
export function faults(language: string, source: string, text: string): string[] {
  if (text.trim() === "") return ["empty"];
  let elements: MessageFormatElement[];
  try {
    elements = parse(text, { ignoreTag: true });
  } catch (error) {
    return [`does not parse: ${String(error)}`];
  }
  const found = [];
  if (text !== text.trim()) found.push("spaces at its ends");
  // A straight one quotes what follows in ICU; whoever means the letter's sign writes the curved one.
  if (language !== "en" && text.includes("'")) found.push("a straight apostrophe");
  const [wanted, given] = [placeholders(parse(source, { ignoreTag: true })), placeholders(elements)];
  if (wanted.join() !== given.join()) found.push(`placeholders ${given.join()} instead of ${wanted.join()}`);
  return [...found, ...plurals(elements).flatMap((element) => categoryFaults(language, element))];
}

/** Names and kinds of the arguments of a message, with the branches of a select. */
function placeholders(elements: MessageFormatElement[]): string[] {
  const found = new Set<string>();
  walk(elements, (element) => {
    if (element.type === TYPE.argument) found.add(element.value);
    if (element.type === TYPE.plural) found.add(`${element.value}#plural`);
    if (element.type === TYPE.select) found.add(`${element.value}#select(${Object.keys(element.options).sort()})`);
  });
  return [...found].sort();
}

type Plural = Extract<MessageFormatElement, { type: TYPE.plural }>;

function plurals(elements: MessageFormatElement[]): Plural[] {
  const found: Plural[] = [];
  walk(elements, (element) => element.type === TYPE.plural && found.push(element));
  return found;
}

/** Every category of the language's grammar, and no other; exact numbers ("=0") may come besides. */
function categoryFaults(language: string, { value, options }: Plural): string[] {
  const grammar = new Intl.PluralRules(language).resolvedOptions().pluralCategories as string[];
  const given = Object.keys(options).filter((category) => !category.startsWith("="));
  const order = ["zero", "one", "two", "few", "many", "other"];
  const missing = order.filter((category) => grammar.includes(category) && !given.includes(category));
  const strange = given.filter((category) => !grammar.includes(category));
  return [...(missing.length > 0 ? [`${value} lacks ${missing.join(", ")}`] : []), ...(strange.length > 0 ? [`${value} has ${strange.join(", ")}, which the language has not`] : [])];
}

function walk(elements: MessageFormatElement[], visit: (element: MessageFormatElement) => void): void {
  for (const element of elements) {
    visit(element);
    if (element.type === TYPE.plural || element.type === TYPE.select) Object.values(element.options).forEach(({ value }) => walk(value, visit));
  }
}
