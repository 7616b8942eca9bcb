import type { Companion, ReadCompanion, Reference } from '../dialect';
import type { ExpertsSpec } from '../../engine/spec/serving';
import type { Planned, Sourced } from '../../plan/plan';
import { parseConfig } from '../../syntax/parse';
import { childOf, hasKey, isList, placeOf, textOf } from '../common/nodes';
import { byDefault, derived, present, written } from '../common/sourced';
import type { SglangArguments } from './arguments';
import type { SglangDegrees } from './layout';

const DEFAULT = "SGLang's default";

/** True for the argument that names a file rather than holding JSON or the word trivial. */
function isFile(text: string): boolean {
  return text !== 'trivial' && !text.trimStart().startsWith('{');
}

/** What an expert location holds: loads to be balanced, or a finished placement. */
function contents(text: string, companion: Companion | undefined): 'loads' | 'placement' | undefined {
  if (!isFile(text))
    return text.includes('physical_to_logical_map')
      ? 'placement'
      : text.includes('logical_count')
        ? 'loads'
        : undefined;
  const root = companion?.tree.documents[0];
  if (hasKey(root, 'physical_to_logical_map')) return 'placement';
  return hasKey(root, 'logical_count') ? 'loads' : undefined;
}

function algorithm(
  args: SglangArguments,
  location: string,
  companion: Companion | undefined,
): Sourced<ExpertsSpec['algorithm']> {
  const named = args.entry('eplb-algorithm');
  const word = args.text('eplb-algorithm') ?? 'auto';
  const place = args.entry('init-expert-location');
  const balanced = args.flag('enable-eplb');
  if (location === 'trivial' && !balanced) return byDefault('trivial', 'experts in order, copies dealt out in turn');
  if (contents(location, companion) === 'placement')
    return derived('custom', 'init-expert-location holds a finished placement', place);
  const hierarchical = word === 'auto' || word.includes('hierarchical');
  return named === undefined
    ? byDefault('eplb', 'eplb-algorithm auto: hierarchical where expert groups divide over the nodes')
    : written(hierarchical ? 'eplb' : 'eplb-global', named);
}

function dispatch(
  args: SglangArguments,
  degrees: SglangDegrees,
  location: string,
): Sourced<NonNullable<ExpertsSpec['dispatch']>> | undefined {
  const entry = args.entry('ep-dispatch-algorithm');
  const word = args.text('ep-dispatch-algorithm');
  if (entry !== undefined)
    return word === 'static' || word === 'dynamic' || word === 'lp' ? written(word, entry) : undefined;
  if (!args.flag('enable-eplb') && location === 'trivial') return undefined;
  return derived(
    degrees.a2aBackend === 'none' ? 'dynamic' : 'static',
    `set because experts are placed${degrees.a2aBackend === 'none' ? '' : ` and moe-a2a-backend is ${degrees.a2aBackend}`}`,
  );
}

/** Redundant experts and their placement. Source: python/sglang/srt/eplb/expert_location.py; server_args.py, `_handle_eplb_and_dispatch`. */
export function readExperts(
  args: SglangArguments,
  degrees: SglangDegrees,
  read: ReadCompanion,
): { readonly experts: Planned<ExpertsSpec>; readonly references: readonly Reference[] } {
  const redundantEntry = args.entry('ep-num-redundant-experts');
  const redundant = args.integer('ep-num-redundant-experts');
  const entry = args.entry('init-expert-location');
  const location = args.text('init-expert-location') ?? 'trivial';
  const file = entry !== undefined && textOf(entry.value) !== undefined && isFile(location);
  const companion = file && location.endsWith('.json') ? read(location) : undefined;
  const hidden = args.unknown('init-expert-location');
  return {
    experts: present<Planned<ExpertsSpec>>({
      redundant:
        redundantEntry === undefined
          ? byDefault(0, DEFAULT)
          : redundant === undefined
            ? undefined
            : written(redundant, redundantEntry),
      algorithm: hidden ? undefined : algorithm(args, location, companion),
      locationFile: file && entry !== undefined ? written(location, entry) : undefined,
      dispatch: hidden ? undefined : dispatch(args, degrees, location),
    }),
    references: file && entry !== undefined ? [{ at: placeOf(entry), target: location, kind: 'placement' }] : [],
  };
}

/** Slots of a layer in a finished placement, from the file or the JSON that `init-expert-location` gives; undefined where it is none. */
export function placedSlots(args: SglangArguments, read: ReadCompanion): number | undefined {
  const location = args.text('init-expert-location') ?? 'trivial';
  const inline = location.trimStart().startsWith('{') ? parseConfig(location, 'json') : undefined;
  const tree = inline ?? (location.endsWith('.json') ? read(location)?.tree : undefined);
  const layers = childOf(tree?.documents[0], 'physical_to_logical_map');
  const first = isList(layers) ? layers.items[0] : undefined;
  return isList(first) ? first.items.length : undefined;
}
