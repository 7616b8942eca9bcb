import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { staticGpuLoads } from '../../../server/src/engine/placement/dispatch';
import {
  balance,
  duplicates,
  evenness,
  isPlacementRefusal,
  place,
  type PlacementPolicy,
} from '../../../server/src/engine/placement/place';
import type {
  Loads,
  Placement,
  PlacementOptions,
  PlacementShape,
} from '../../../server/src/engine/placement/placement';
import { nodesReached, routedTokens, type RoutedTokens } from '../../../server/src/engine/placement/router';
import { readPlacementFile } from '../../../server/src/features/placement/loads';

const SHAPE: PlacementShape = { layers: 58, experts: 256, slots: 288, gpus: 32, nodes: 4, groups: 8 };
const ROUTING = { experts: 256, topK: 8, groups: 8, topGroups: 4 };
const TOKENS = 2048;
const POLICIES: readonly PlacementPolicy[] = [
  'trivial',
  'eplb',
  'eplb-global',
  'sglang-deepseek-vec',
  'tensorrt-llm',
  'optimized-anchored',
  'optimized-global',
];
const TRAINED = ['prefill_in512', 'prefill_in4096', 'decode_in500out1500', 'decode_in2000out100'];

/** Rows with load: a dump has zeros for the dense layers. */
function dumpsOf(folder: string): Map<string, Loads> {
  const found = new Map<string, Loads>();
  for (const name of readdirSync(folder).sort()) {
    if (!name.endsWith('.json')) continue;
    const file = readPlacementFile(readFileSync(path.join(folder, name), 'utf8'));
    if (file.kind !== 'loads') continue;
    const rows = file.loads.filter((row) => row.some((load) => load > 0));
    if (rows[0]?.length === SHAPE.experts) found.set(name.replace(/\.json$/, ''), rows);
  }
  return found;
}

function placed(
  loads: Loads,
  shape: PlacementShape,
  policy: PlacementPolicy,
  options: PlacementOptions = {},
): Placement {
  const placement = place(loads, { ...shape, layers: loads.length }, policy, options);
  if (isPlacementRefusal(placement)) throw new Error(placement.message);
  return placement;
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function head(cells: readonly string[]): string[] {
  return [line(cells), line(cells.map((_, at) => (at === 0 ? '---' : '---:')))];
}

/** Balance, duplicates and traffic of every policy on one dump. */
function policyTable(name: string, loads: Loads): string[] {
  const tokens: readonly RoutedTokens[] = loads.map((row) => routedTokens(row, ROUTING, TOKENS));
  const rows = POLICIES.map((policy) => {
    const placement = placed(loads, SHAPE, policy);
    const { meanOverMax } = balance(placement, loads);
    const remote = (mean(tokens.map((routed, layer) => nodesReached(placement, layer, routed))) * 3) / 4;
    const wasted = duplicates(placement).reduce((a, b) => a + b, 0);
    const fixed = staticGpuLoads(placement, loads).map(evenness);
    return { policy, meanOverMax, remote, wasted, fixed };
  });
  const hierarchical = rows.find(({ policy }) => policy === 'eplb')?.remote ?? 1;
  const bound = mean(balance(placed(loads, SHAPE, 'trivial'), loads).lowerBound);
  return [
    `### ${name}`,
    '',
    ...head([
      'policy',
      'balance, mean',
      'worst layer',
      'under static dispatch',
      'copies to other nodes a token',
      'of hierarchical EPLB',
      'duplicates',
    ]),
    ...rows.map(({ policy, meanOverMax, remote, wasted, fixed }) =>
      line([
        `\`${policy}\``,
        mean(meanOverMax).toFixed(4),
        Math.min(...meanOverMax).toFixed(3),
        mean(fixed).toFixed(3),
        remote.toFixed(2),
        `${((100 * remote) / hierarchical).toFixed(0)} %`,
        String(wasted),
      ]),
    ),
    line(['upper limit', bound.toFixed(4), '', '', '', '', '']),
    '',
  ];
}

/** Placed on some dumps, judged on the others. */
function robustTable(dumps: ReadonlyMap<string, Loads>): string[] {
  const profiles = TRAINED.map((name) => dumps.get(name)).filter((loads) => loads !== undefined);
  if (profiles.length !== TRAINED.length) return [];
  const first = profiles[0] ?? [];
  const sum = first.map((row, layer) =>
    row.map((_, expert) => profiles.reduce((all, loads) => all + (loads[layer]?.[expert] ?? 0), 0)),
  );
  const held = [...dumps.keys()].filter((name) => !TRAINED.includes(name));
  const policies: readonly PlacementPolicy[] = ['eplb', 'eplb-global', 'sglang-deepseek-vec', 'optimized-robust'];
  const body = policies.map((policy) => {
    const placement = placed(sum, SHAPE, policy, { profiles });
    const scores = (names: readonly string[]): number[] =>
      names.map((name) => mean(balance(placement, dumps.get(name) ?? []).meanOverMax));
    return line([`\`${policy}\``, mean(scores(TRAINED)).toFixed(3), ...scores(held).map((score) => score.toFixed(3))]);
  });
  return [
    '### Placed on four recordings, judged on the others',
    '',
    `Trained on ${TRAINED.join(', ')} (EPLB on their sum).`,
    '',
    ...head(['policy', 'trained on, mean', ...held]),
    ...body,
    '',
  ];
}

/** The tables of `docs/placement.md` for a folder of SGLang recordings of a model with 256 experts in 8 groups. */
export function placementTables(folder: string): string {
  const dumps = dumpsOf(folder);
  if (dumps.size === 0) throw new Error(`${folder} has no recording with ${SHAPE.experts} experts a layer.`);
  const shown = ['prefill_in4096', 'prefill_in1024', 'decode_in1000out1000'].filter((name) => dumps.has(name));
  const names = shown.length > 0 ? shown : [...dumps.keys()];
  const lines = [...names.flatMap((name) => policyTable(name, dumps.get(name) ?? [])), ...robustTable(dumps)];
  return `${lines.join('\n').trimEnd()}\n`;
}
