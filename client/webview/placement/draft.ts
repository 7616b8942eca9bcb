import type { SlotChange } from '../../../server/src/protocol/placement';
import { expertAt, gpuOf, withSlots } from './model';
import type { PlacementModel } from './model';

/** The experts of two slots change places; nothing where both hold the same. */
export function swapOf(model: PlacementModel, row: number, a: number, b: number): readonly SlotChange[] {
  const [first, second] = [expertAt(model, row, a), expertAt(model, row, b)];
  if (a === b || first < 0 || second < 0 || first === second) return [];
  return [
    { row, slot: a, expert: second },
    { row, slot: b, expert: first },
  ];
}

/** A further copy of the expert in `from` takes the slot `to`; nothing where that would leave the other expert without any. */
export function copyOf(model: PlacementModel, row: number, from: number, to: number): readonly SlotChange[] {
  const [kept, lost] = [expertAt(model, row, from), expertAt(model, row, to)];
  const copies = model.copies[row * model.view.experts + lost] ?? 0;
  return from === to || kept < 0 || lost < 0 || kept === lost || copies < 2 ? [] : [{ row, slot: to, expert: kept }];
}

/** What undoes a change of the placement in view. */
export function inverseOf(model: PlacementModel, changes: readonly SlotChange[]): readonly SlotChange[] {
  return changes.map(({ row, slot }) => ({ row, slot, expert: expertAt(model, row, slot) }));
}

/** What a change would do to its layer, as a sentence. */
export function effectOf(model: PlacementModel, changes: readonly SlotChange[]): string {
  const row = changes[0]?.row;
  if (row === undefined) return 'Nothing would change.';
  const before = model.view.meanOverMax[row] ?? 1;
  const after =
    withSlots(
      rowOf(model, row),
      changes.map((change) => ({ ...change, row: 0 })),
    ).view.meanOverMax[0] ?? 1;
  const nodes = new Set(changes.map(({ slot }) => Math.floor(gpuOf(model, slot) / model.gpusPerNode)));
  const crosses = changes.length > 1 && nodes.size > 1 ? ', across nodes' : '';
  return `Balance of the layer ${before.toFixed(3)} → ${after.toFixed(3)}${crosses}`;
}

/** One layer as a placement of its own: trying a change then costs one row, not all of them. */
function rowOf(model: PlacementModel, row: number): PlacementModel {
  const { view } = model;
  const part = <Values extends Int32Array | Float64Array>(values: Values, width: number): Values =>
    values.slice(row * width, (row + 1) * width) as Values;
  return {
    ...model,
    view: {
      ...view,
      layers: 1,
      firstLayer: view.firstLayer + row,
      meanOverMax: [view.meanOverMax[row] ?? 1],
      lowerBound: [view.lowerBound[row] ?? 1],
    },
    map: part(model.map, view.slots),
    loads: part(model.loads, view.experts),
  };
}
