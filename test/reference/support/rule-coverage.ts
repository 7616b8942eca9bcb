/// <reference types="vite/client" />
import type { Coverage } from '../../../server/src/dialects/common/conditions';

/** What one part of the code says it covers: the folder it stands in, and the table it exports. */
export interface CoverageTable {
  readonly owner: string;
  readonly entries: readonly Coverage[];
}

function isCoverage(value: unknown): value is readonly Coverage[] {
  return (
    Array.isArray(value) &&
    value.every((entry: unknown) => typeof entry === 'object' && entry !== null && 'rule' in entry && 'covers' in entry)
  );
}

/** Every table that a dialect or the shared rules export under a name that ends in `Coverage`. */
export function coverageTables(): CoverageTable[] {
  const modules = import.meta.glob<Record<string, unknown>>(
    [
      '../../../server/src/dialects/*/*{rules,conditions,coverage,quantization-args}*.ts',
      '../../../server/src/plan/rules/*.ts',
      '../../../server/src/features/rules/*.ts',
    ],
    { eager: true },
  );
  return Object.entries(modules).flatMap(([file, exported]) => {
    const owner = /dialects\/([^/]+)\//.exec(file)?.[1] ?? 'shared';
    return Object.entries(exported).flatMap(([name, value]): CoverageTable[] =>
      name.endsWith('Coverage') && isCoverage(value) ? [{ owner, entries: value }] : [],
    );
  });
}
