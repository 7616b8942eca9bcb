import type { ConfigLanguage, ConfigTree } from '../syntax/tree';
import type { Detection, Dialect } from './dialect';

const CONFIGS: readonly ConfigLanguage[] = ['yaml', 'json', 'toml'];

/** Below this confidence nothing is said about a file. */
export const CERTAIN_ENOUGH = 0.5;

/**
 * The dialect that the content speaks for most. Ties go to the one that stands first, so that the more specific formats come first in the list.
 * A detector that fails on strange content counts as silent: looking at a file must never break an editor.
 */
export function strongest(dialects: readonly Dialect[], tree: ConfigTree, fileName: string): Detection | undefined {
  let best: Detection | undefined;
  for (const dialect of dialects) {
    if (!(dialect.languages ?? CONFIGS).includes(tree.language)) continue;
    const found = dialect.detect(tree, fileName);
    if (found !== undefined && found.confidence >= CERTAIN_ENOUGH && found.confidence > (best?.confidence ?? 0))
      best = found;
  }
  return best;
}
