import { stringify } from 'yaml';

type Leaf = string | number | boolean | readonly (string | number)[];
/** A mapping to write as a whole file; edits of existing files keep their text and go through edits instead. */
export interface WritableTree {
  [key: string]: Leaf | WritableTree;
}

/** Tables of one level, which is all that job files have: JSON's scalars and lists are TOML's too. */
function toml(tree: WritableTree): string {
  const line = ([key, value]: [string, Leaf | WritableTree]): string => `${key} = ${JSON.stringify(value)}`;
  return Object.entries(tree)
    .map(
      ([section, values]) =>
        `[${section}]\n${Object.entries(values as WritableTree)
          .map(line)
          .join('\n')}\n`,
    )
    .join('\n');
}

/** A new file in one of the languages that are read. */
export function writeConfig(language: 'yaml' | 'json' | 'toml', tree: WritableTree): string {
  if (language === 'json') return `${JSON.stringify(tree, null, 2)}\n`;
  return language === 'toml' ? toml(tree) : stringify(tree);
}
