import type { ThroughputRow } from './throughput-report';

/** Two runs of one plan differ by a few per cent; only plans further apart say which is better. */
export const CLEAR = 0.05;
const LEAST_PLANS = 3;

/** One plan of a group: rows that state the same are one, by the geometric mean of what was measured and of what is predicted. */
export interface PlanPoint {
  readonly measured: number;
  readonly predicted: number;
  readonly rows: number;
}

/** Plans of one model on one GPU, for one task and on one stack. */
export interface OrderGroup {
  readonly group: string;
  /** The tables or the stack that the rows are from. */
  readonly source: string;
  readonly rows: number;
  readonly plans: readonly PlanPoint[];
  /** Spearman's rank correlation over plans; absent where there are fewer than three or all lie within `CLEAR`. */
  readonly correlation?: number;
  /** The same over single rows, as a table prints them, releases of one plan apart. */
  readonly rowCorrelation?: number;
  /** Pairs of plans measured more than `CLEAR` apart, and how many are predicted in the same order; a tie counts half. */
  readonly pairs: number;
  readonly right: number;
}

function ranks(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal + 1) / 2;
  });
}

/** Spearman's rank correlation, ties sharing their mean rank; 0 where one side does not vary. */
export function spearman(a: readonly number[], b: readonly number[]): number {
  const x = ranks(a);
  const y = ranks(b);
  const mean = (x.length + 1) / 2;
  let [xy, xx, yy] = [0, 0, 0];
  x.forEach((value, index) => {
    const dx = value - mean;
    const dy = (y[index] ?? 0) - mean;
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  });
  return xx === 0 || yy === 0 ? 0 : xy / Math.sqrt(xx * yy);
}

function planKey({ row }: ThroughputRow): string {
  const { gpus, precision, globalBatch, microBatch, sequence, tensor, pipeline, virtual, context, expert, fsdp } = row;
  const variant = /\(.*\)|tokendrop/.exec(row.model)?.[0] ?? '';
  return JSON.stringify([
    [gpus, precision, globalBatch, microBatch, sequence, variant],
    [tensor, pipeline, virtual, context, expert, fsdp, row.recompute ?? '', row.setting ?? ''],
  ]);
}

function plansOf(rows: readonly ThroughputRow[]): PlanPoint[] {
  const same = new Map<string, ThroughputRow[]>();
  for (const one of rows) same.set(planKey(one), [...(same.get(planKey(one)) ?? []), one]);
  const middle = (values: readonly number[]): number =>
    Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
  return [...same.values()].map((group) => ({
    measured: middle(group.map(({ measured }) => measured)),
    predicted: middle(group.map(({ predicted }) => predicted)),
    rows: group.length,
  }));
}

interface Pair {
  readonly measured: number;
  readonly predicted: number;
}

function correlationOf(points: readonly Pair[]): number | undefined {
  const measured = points.map((point) => point.measured);
  if (points.length < LEAST_PLANS || Math.max(...measured) < (1 + CLEAR) * Math.min(...measured)) return undefined;
  return spearman(
    points.map(({ predicted }) => predicted),
    measured,
  );
}

function pairsOf(points: readonly Pair[]): { readonly pairs: number; readonly right: number } {
  let [pairs, right] = [0, 0];
  points.forEach((a, index) => {
    for (const b of points.slice(index + 1)) {
      const apart = a.measured / b.measured;
      if (apart < 1 + CLEAR && apart > 1 / (1 + CLEAR)) continue;
      pairs += 1;
      if (Math.abs(a.predicted / b.predicted - 1) < 1e-9) right += 0.5;
      else if (a.predicted > b.predicted === apart > 1) right += 1;
    }
  });
  return { pairs, right };
}

/** Rows by model, GPU, task and stack, groups of one plan included. */
export function orderGroups(rows: readonly ThroughputRow[]): OrderGroup[] {
  const groups = new Map<string, ThroughputRow[]>();
  for (const one of rows) {
    const { model, gpu, task, group } = one.row;
    const key = [group, model.replace(/ \(.*/, ''), gpu, task].join(' · ');
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups].map(([key, members]) => {
    const [source = '', ...name] = key.split(' · ');
    const plans = plansOf(members);
    const correlation = correlationOf(plans);
    const rowCorrelation = correlationOf(members);
    return {
      group: name.join(' · '),
      source,
      rows: members.length,
      plans,
      ...(correlation === undefined ? {} : { correlation }),
      ...(rowCorrelation === undefined ? {} : { rowCorrelation }),
      ...pairsOf(plans),
    };
  });
}

/** Means over groups, each group counted once, and over their pairs. */
export interface OrderSummary {
  /** Groups with a rank correlation over plans. */
  readonly groups: number;
  readonly correlation: number;
  /** Groups with a rank correlation over single rows, and its mean. */
  readonly rowGroups: number;
  readonly rowCorrelation: number;
  readonly pairs: number;
  readonly right: number;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** How well plans are ordered: mean rank correlation over groups, and pairs in the right order. */
export function orderSummary(groups: readonly OrderGroup[]): OrderSummary {
  const found = groups.flatMap(({ correlation }) => (correlation === undefined ? [] : [correlation]));
  const single = groups.flatMap(({ rowCorrelation }) => (rowCorrelation === undefined ? [] : [rowCorrelation]));
  return {
    groups: found.length,
    correlation: mean(found),
    rowGroups: single.length,
    rowCorrelation: mean(single),
    pairs: groups.reduce((sum, { pairs }) => sum + pairs, 0),
    right: groups.reduce((sum, { right }) => sum + right, 0),
  };
}
