import type { SourceLink } from '../protocol/common';
import type { Place, Plan, Sourced } from '../plan/plan';
import type { Analysis } from './analysis';
import { rangeOfPlace } from './diagnostics';

/** One value of the plan by its dotted name, such as `layout.tensor`. */
export function planField(plan: Plan, field: string): Sourced<unknown> | undefined {
  const [section, key] = field.split('.');
  if (section === undefined || key === undefined) return undefined;
  const values = (plan as unknown as Readonly<Record<string, unknown>>)[section];
  if (typeof values !== 'object' || values === null) return undefined;
  return (values as Readonly<Record<string, Sourced<unknown> | undefined>>)[key];
}

/** All plan values that stand in this document, with their dotted names. */
export function fieldsInDocument(plan: Plan): { readonly field: string; readonly value: Sourced<unknown>; readonly at: Place }[] {
  const sections = ['model', 'quantization', 'cluster', 'layout', 'precision', 'optimizer', 'recompute', 'batch', 'pipeline', 'serving', 'experts'] as const;
  return sections.flatMap((section) =>
    Object.entries(plan[section] as Readonly<Record<string, Sourced<unknown> | undefined>>).flatMap(([key, value]) =>
      value?.at !== undefined && value.at.uri === undefined ? [{ field: `${section}.${key}`, value, at: value.at }] : [],
    ),
  );
}

/** A place to jump to from a panel; undefined for values that stand nowhere, and for other files until they can be opened at a range. */
export function linkTo(analysis: Analysis, field: string): SourceLink | undefined {
  const value = analysis.resolved === undefined ? undefined : planField(analysis.resolved.plan, field);
  if (value?.at === undefined) return undefined;
  return { uri: value.at.uri ?? analysis.uri, range: rangeOfPlace(analysis, value.at), label: value.label ?? field };
}

/** Links of several fields, each place once, unknown ones left out. */
export function linksTo(analysis: Analysis, fields: readonly string[]): SourceLink[] {
  const seen = new Set<string>();
  return fields.flatMap((field) => {
    const link = linkTo(analysis, field);
    const key = JSON.stringify(link);
    if (link === undefined || seen.has(key)) return [];
    seen.add(key);
    return [link];
  });
}
