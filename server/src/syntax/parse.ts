import { guardParser, refuseText } from './guards';
import { resolveReferences } from './interpolate';
import { parseJson } from './json';
import { parseToml } from './toml';
import type { ConfigLanguage, ConfigTree } from './tree';
import { parseYaml } from './yaml';

const PARSERS = { yaml: parseYaml, json: parseJson, toml: parseToml } as const;

/** Parses a document into one positioned tree. Never throws: every fault is an issue with a place. */
export function parseConfig(text: string, language: Exclude<ConfigLanguage, 'arguments'>): ConfigTree {
  const empty: ConfigTree = { language, text, documents: [], comments: [], issues: [] };
  const refusal = refuseText(text);
  if (refusal !== undefined) return { ...empty, issues: [refusal] };
  return guardParser<ConfigTree>(
    () => {
      const tree = PARSERS[language](text);
      const documents = tree.documents.map((root) => resolveReferences(root));
      return { ...tree, documents };
    },
    (issue) => ({ ...empty, issues: [issue] }),
  );
}
