import type { ResolvedPlan } from '../../plan/plan';

export type SettingValue = string | number | boolean | readonly (string | number)[];

/** One line of the translated file, and the plan fields that it carries over. */
export interface Setting {
  readonly path: readonly string[];
  readonly value: SettingValue;
  readonly fields: readonly string[];
}

/** What cannot be said in the target, or is said differently: one sentence each. */
export interface Loss {
  readonly fields: readonly string[];
  readonly text: string;
}

export interface Draft {
  readonly settings: readonly Setting[];
  readonly losses: readonly Loss[];
}

/** A file format that a layout can be written in. */
export interface TranslationTarget {
  /** The dialect that reads the result. */
  readonly dialect: string;
  readonly title: string;
  readonly language: 'yaml' | 'json' | 'toml';
  readonly task: 'training' | 'serving';
  readonly draft: (plan: ResolvedPlan) => Draft;
}

/** A setting, or nothing where its value is not known. */
export function setting(path: string, value: SettingValue | undefined, ...fields: string[]): Setting[] {
  return value === undefined ? [] : [{ path: path.split('/'), value, fields }];
}

/** A setting that is only written where it differs from what the target does by itself; its fields count as carried either way. */
export function unless(
  otherwise: SettingValue,
  path: string,
  value: SettingValue | undefined,
  ...fields: string[]
): Setting[] {
  return value === otherwise ? [{ path: [], value, fields }] : setting(path, value, ...fields);
}
