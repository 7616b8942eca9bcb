/** One measured figure. A file `*.bench.ts` exports `run(): Promise<Row[]>`, or uses `bench` and `describe` of vitest. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Upper limit of the value; where `atLeast` is set, lower limit of the ratio. */
  readonly goal?: number;
  /** The same work done by somebody else, in the same run unless `name` says otherwise. */
  readonly peer?: { readonly name: string; readonly value: number };
  /** Peer over ours: how many times smaller our figure is. */
  readonly ratio?: number;
  readonly atLeast?: number;
}

/** Value below which a share `p` of the samples lies, by the nearest rank; the samples may come in any order. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? 0;
}

/** Three significant digits, or whole numbers above them. */
export function rounded(value: number): number {
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** A row with the ratio to a peer's figure. */
export function against(row: Row, peer: { readonly name: string; readonly value: number }): Row {
  return { ...row, peer: { ...peer, value: rounded(peer.value) }, ratio: rounded(peer.value / row.value) };
}
