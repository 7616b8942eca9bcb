import type { ScheduleRefusal } from './order';

type Field = ScheduleRefusal['field'];

/** Tells a refusal from an order. */
export function isRefusal(value: object): value is ScheduleRefusal {
  return 'rule' in value;
}

/**
 * The legal values next to `value` on both sides, found by trying them: rules stay one predicate each and the
 * advice can never contradict them. Looks at most `reach` steps away.
 */
export function nearestLegal(value: number, legal: (candidate: number) => boolean, reach = 4096): number[] {
  const middle = Number.isFinite(value) ? Math.round(value) : 1;
  const out: number[] = [];
  for (let below = Math.min(middle - 1, middle); below >= 1 && middle - below <= reach; below -= 1) {
    if (legal(below)) {
      out.push(below);
      break;
    }
  }
  for (let above = Math.max(1, middle + 1); above - middle <= reach; above += 1) {
    if (legal(above)) {
      out.push(above);
      break;
    }
  }
  return out;
}

/** A refusal as data. */
export function refuse(
  rule: string,
  message: string,
  field: Field,
  value: number,
  nearest: readonly number[],
): ScheduleRefusal {
  return { rule, message, field, value: Number.isFinite(value) ? value : 0, nearest };
}
