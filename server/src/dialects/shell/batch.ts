import { optionsOf, splitCommands } from '../../syntax/arguments';
import { scalar } from '../../syntax/scalars';
import type { Comment, ConfigTree, Entry } from '../../syntax/tree';
import type { Planned } from '../../plan/plan';
import type { ClusterSpec } from '../../engine/spec/cluster';
import { integerOf, textOf } from '../common/nodes';
import { written } from '../common/sourced';

/** `gpu:8`, `gpu:h100:8`, `8`: the count of a resource request. */
const GPUS = /^(?:gpu(?::[\w.-]+)?:)?(\d+)$/;

/** Options of one `#SBATCH` line. */
function optionsIn({ text, span }: Comment, whole: string): Entry[] {
  if (!/^SBATCH\s/.test(text)) return [];
  const from = whole.indexOf('SBATCH', span.start) + 'SBATCH'.length;
  const body = whole.slice(from, span.end).split(/\s#/)[0] ?? '';
  const node = scalar(body, body, { start: from, end: from + body.length });
  return splitCommands(node, whole).flatMap((command) => optionsOf(command, whole));
}

function gpusOf(entry: Entry): number | undefined {
  return entry.key === 'gres' || entry.key.startsWith('gpus')
    ? Number(GPUS.exec(textOf(entry.value) ?? '')?.[1] ?? Number.NaN)
    : integerOf(entry.value);
}

/** Nodes and GPUs that a batch script asks Slurm for. Source: the sbatch manual, `--nodes`, `--gres`, `--gpus-per-node`. */
export function batchCluster(tree: ConfigTree): Planned<ClusterSpec> {
  const options = tree.comments.flatMap((comment) => optionsIn(comment, tree.text));
  const last = (names: readonly string[]): Entry | undefined => options.findLast(({ key }) => names.includes(key));
  const pick = (names: readonly string[]): Planned<ClusterSpec>['nodes'] => {
    const entry = last(names);
    const value = entry === undefined ? undefined : gpusOf(entry);
    return entry === undefined || value === undefined || !Number.isInteger(value) || value < 1
      ? undefined
      : written(value, entry);
  };
  const nodes = pick(['nodes', 'N']);
  const gpusPerNode = pick(['gpus-per-node', 'gres']);
  return { ...(nodes === undefined ? {} : { nodes }), ...(gpusPerNode === undefined ? {} : { gpusPerNode }) };
}
