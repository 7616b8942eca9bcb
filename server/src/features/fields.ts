import type { SourceLink } from '../protocol/common';
import { SECTIONS } from '../plan/sections';
import type { Place, Plan, Sourced } from '../plan/plan';
import { nodeAt } from '../syntax/query';
import type { Analysis } from './analysis';
import { rangeOfPlace } from './diagnostics';

type Section = (typeof SECTIONS)[number];
type Values = Readonly<Record<string, Sourced<unknown> | undefined>>;

function isSection(name: string): name is Section {
  return (SECTIONS as readonly string[]).includes(name);
}

/** One value of the plan by its dotted name, such as `layout.tensor`. */
export function planField(plan: Plan, field: string): Sourced<unknown> | undefined {
  const [section = '', key = ''] = field.split('.');
  return isSection(section) ? (plan[section] as Values)[key] : undefined;
}

/** One value that stands in a document. */
export interface PlacedField {
  readonly field: string;
  readonly value: Sourced<unknown>;
  readonly at: Place;
}

/** All plan values that stand in this document, with their dotted names. */
export function fieldsInDocument(plan: Plan): PlacedField[] {
  return SECTIONS.flatMap((section) =>
    Object.entries(plan[section] as Values).flatMap(([key, value]) =>
      value?.at !== undefined && value.at.uri === undefined
        ? [{ field: `${section}.${key}`, value, at: value.at }]
        : [],
    ),
  );
}

/** A place to jump to from a panel; undefined for values that stand nowhere, and for other files until they can be opened at a range. */
export function linkTo(analysis: Analysis, field: string): SourceLink | undefined {
  const value = analysis.resolved === undefined ? undefined : planField(analysis.resolved.plan, field);
  if (value?.at === undefined) return undefined;
  return { uri: value.at.uri ?? analysis.uri, range: rangeOfPlace(analysis, value.at), label: value.label ?? field };
}

/** Links of several fields, each place once, unknown ones left out; keys of one name are told apart by the section they stand in. */
export function linksTo(analysis: Analysis, fields: readonly string[]): SourceLink[] {
  const seen = new Set<string>();
  const links = fields.flatMap((field) => {
    const link = linkTo(analysis, field);
    const key = JSON.stringify(link);
    if (link === undefined || seen.has(key)) return [];
    seen.add(key);
    return [link];
  });
  const names = links.map(({ label }) => label);
  return links.map((link) => {
    if (names.indexOf(link.label) === names.lastIndexOf(link.label) || link.uri !== analysis.uri) return link;
    const path = nodeAt(analysis.tree, analysis.lines.offsetAt(link.range.start))?.path ?? [];
    return { ...link, label: path.length < 2 ? link.label : path.slice(-2).join('.') };
  });
}
