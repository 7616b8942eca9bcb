import type { Detection } from '../dialect';
import type { ConfigTree } from '../../syntax/tree';
import { weigh, when, keysSeen } from '../common/evidence';
import { childOf, integerOf, rootMap } from '../common/nodes';

const SECTIONS = [
  'model',
  'cluster',
  'parallelism',
  'schedule',
  'precision',
  'optimizer',
  'recompute',
  'batch',
  'experts',
  'serving',
  'quantization',
];

/** A plan says `shardlens: <version>` at its top; the file name adds to that and, with the sections of a plan, can stand in for it. */
export function detectShardlens(tree: ConfigTree, fileName: string): Detection | undefined {
  const root = rootMap(tree);
  const named = /.\.shardlens\.(ya?ml|jsonc?|toml)$/i.test(fileName);
  if (root === undefined) {
    // An empty plan is still a plan: completion must work on its first line.
    return named && tree.documents.length === 0
      ? { dialect: 'shardlens', confidence: 0.6, reasons: ['file name *.shardlens.*'] }
      : undefined;
  }
  const version = integerOf(childOf(root, 'shardlens'));
  const keys = new Set(root.entries.map(({ key }) => key));
  return weigh('shardlens', [
    when(version !== undefined, 0.9, `top-level key \`shardlens: ${version ?? ''}\``),
    when(named, 0.3, 'file name *.shardlens.*'),
    version !== undefined || named ? keysSeen(keys, SECTIONS, 0.15, 0.45) : undefined,
  ]);
}
