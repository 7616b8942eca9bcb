import type { AnalysisSettings } from '../features/analysis';
import type { Severity } from '../plan/finding';

const SEVERITIES: ReadonlySet<string> = new Set(['error', 'warning', 'information', 'hint', 'off']);

export const DEFAULT_SETTINGS: AnalysisSettings = { rules: {} };

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim().length > 0 ? value.trim() : undefined;
}

function size(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

function amount(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;
}

/** Settings as a client sends them (`shardlens.*`), everything unknown or of a wrong type left out. */
export function readSettings(sent: unknown): AnalysisSettings {
  const values = record(sent);
  const rules = Object.entries(record(values['rules'])).filter(
    (entry): entry is [string, Severity | 'off'] => typeof entry[1] === 'string' && SEVERITIES.has(entry[1]),
  );
  const dialect = text(values['dialect']);
  const fields = {
    model: text(values['model']),
    gpu: text(values['gpu']),
    nodes: size(values['nodes']),
    gpus: size(values['gpus']),
    price: amount(values['price']),
    watts: amount(values['watts']),
    tokens: amount(values['tokens']),
    calibration: text(values['calibration']),
    dialect: dialect === 'auto' ? undefined : dialect,
  };
  const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return { ...known, rules: Object.fromEntries(rules) };
}
