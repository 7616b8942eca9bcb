import { useMemo, useState } from 'preact/hooks';
import type { TimelineView } from '../../../server/src/protocol/timeline';
import type { Panel } from '../kit/panel';
import { blockId, findBlock, rankOf } from './model';
import type { TimelineModel } from './model';

/** The selected block by its lasting name, so that it survives edits and reloads. */
function useSelection(model: TimelineModel, panel: Panel<TimelineView>): readonly [number, (index: number) => void] {
  const [id, setId] = useState(() => String(panel.kept['selected'] ?? ''));
  const select = (index: number): void => {
    const next = index < 0 ? '' : blockId(model.blocks, index);
    setId(next);
    panel.keep({ selected: next === '' ? undefined : next });
  };
  return [useMemo(() => findBlock(model.blocks, id), [model, id]), select];
}

function asNumber(kept: unknown): number | undefined {
  return typeof kept === 'number' && Number.isFinite(kept) ? kept : undefined;
}

function asBoolean(kept: unknown): boolean | undefined {
  return typeof kept === 'boolean' ? kept : undefined;
}

function asSide(kept: unknown): Side | undefined {
  return kept === 'why' || kept === 'sweep' || kept === '' ? kept : undefined;
}

/** A small setting that is kept over reloads. */
function useKept<T extends number | boolean | string>(
  panel: Panel<TimelineView>,
  name: string,
  initial: T,
  read: (kept: unknown) => T | undefined,
): readonly [T, (value: T) => void] {
  const [value, setValue] = useState<T>(read(panel.kept[name]) ?? initial);
  const change = (next: T): void => {
    setValue(next);
    panel.keep({ [name]: next });
  };
  return [value, change];
}

/** Everything of the panel that the user has chosen. */
export interface Choices {
  readonly selected: number;
  readonly choose: (index: number) => void;
  readonly rank: number;
  readonly setRank: (rank: number) => void;
  readonly memory: boolean;
  readonly setMemory: (on: boolean) => void;
  readonly row: number;
  readonly setRow: (row: number) => void;
  readonly table: boolean;
  readonly setTable: (on: boolean) => void;
  /** What stands below the lanes. */
  readonly side: Side;
  readonly setSide: (side: Side) => void;
  /** Whether the chain of blocks that decides the step is marked. */
  readonly critical: boolean;
  readonly setCritical: (on: boolean) => void;
}

export type Side = '' | 'why' | 'sweep';

export function useChoices(model: TimelineModel, panel: Panel<TimelineView>): Choices {
  const [selected, select] = useSelection(model, panel);
  const [picked, setRank] = useKept<number>(panel, 'rank', -1, asNumber);
  const [memory, setMemory] = useKept<boolean>(panel, 'memory', true, asBoolean);
  const [row, setRow] = useKept<number>(panel, 'row', 0, asNumber);
  const [table, setTable] = useKept<boolean>(panel, 'table', false, asBoolean);
  const [side, setSide] = useKept<Side>(panel, 'side', '', asSide);
  const [critical, setCritical] = useKept<boolean>(panel, 'critical', false, asBoolean);
  const rank = picked >= 0 && picked < model.view.ranks ? picked : model.peakRank;
  const choose = (index: number): void => {
    select(index);
    if (index >= 0) setRank(rankOf(model.blocks, index));
  };
  const lanes = { selected, choose, rank, setRank, memory, setMemory, row, setRow };
  return { ...lanes, table, setTable, side, setSide, critical, setCritical };
}
