import type { ConfigTree } from '../../syntax/tree';
import { schemaOfKey } from '../common/json-schema';
import { weigh, when } from '../common/evidence';
import { hasKey, mapOf, rootMap } from '../common/nodes';
import type { Detection } from '../dialect';
import { titanSchema } from './schema-data';

/** Sections of which a job file always has several; `tool`, `package` and their like belong to package manifests. */
const FOREIGN = ['package', 'project', 'build-system', 'tool', 'dependencies', 'workspace'];

/** Share of the keys in known sections that the job configuration has: another tool's `[model]` has other keys. */
function knownShare(tree: ConfigTree): { readonly sections: number; readonly keys: number; readonly share: number } {
  const root = rootMap(tree);
  let sections = 0;
  let keys = 0;
  let known = 0;
  for (const { key, value } of root?.entries ?? []) {
    const section = schemaOfKey(titanSchema, titanSchema, key);
    if (value.kind !== 'map' || section === undefined) continue;
    const own = value.entries.filter((entry) => section.properties?.[entry.key] !== undefined).length;
    if (own === 0) continue;
    sections += 1;
    keys += value.entries.length;
    known += own;
  }
  return { sections, keys: known, share: keys === 0 ? 0 : known / keys };
}

/** A TOML whose sections and keys are those of torchtitan's JobConfig. */
export function detectTorchtitan(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language !== 'toml' || FOREIGN.some((key) => hasKey(root, key))) return undefined;
  const training = mapOf(root, 'training');
  const model = mapOf(root, 'model');
  const parallel = mapOf(root, 'parallelism');
  const { sections, keys, share } = knownShare(tree);
  if (sections === 0 || share < 0.5) return undefined;
  const degrees = (parallel?.entries ?? []).filter(({ key }) => key.endsWith('_degree')).length;
  return weigh('torchtitan', [
    when(
      model !== undefined && hasKey(model, 'flavor') && hasKey(model, 'name'),
      0.45,
      'section `[model]` with `name` and `flavor`',
    ),
    when(degrees > 0, 0.4, 'section `[parallelism]` with degrees'),
    when(training !== undefined && hasKey(training, 'seq_len'), 0.2, 'section `[training]` with `seq_len`'),
    when(mapOf(root, 'activation_checkpoint') !== undefined, 0.2, 'section `[activation_checkpoint]`'),
    when(
      mapOf(root, 'job') !== undefined && hasKey(mapOf(root, 'job'), 'dump_folder'),
      0.2,
      'section `[job]` with `dump_folder`',
    ),
    when(sections >= 3 && keys >= 6, 0.3, `${sections} sections of the job configuration`),
  ]);
}
