import type { Reference } from '../../dialects/dialect';
import { checkPlacementFile } from '../../dialects/placement/validate';
import type { PlacementContext } from '../../dialects/placement/sink';
import type { Finding } from '../../plan/finding';
import type { Place, ResolvedPlan } from '../../plan/plan';
import type { ConfigTree, Span } from '../../syntax/tree';
import type { FileLookup } from '../analysis';
import { indexLines, type LineIndex } from '../lines';
import { isTensorFile, readPlacementFile } from './loads';

export type LinkedReference = Reference & { readonly uri: string };

/** At most this many findings of one named file stand at its name: the file itself shows them all when it is opened. */
const MOST = 4;

/** What a config knows of the placement it names: only what is stated or follows from it, never what we assume. */
export function placementContext(resolved: ResolvedPlan): PlacementContext {
  const { plan, model, layout, experts } = resolved;
  const open = (field: string): boolean => plan.unresolved.some(({ path }) => path === field);
  const stated = plan.layout.expert !== undefined && plan.layout.expert.origin !== 'assumed';
  const ranks =
    layout !== undefined && stated && !open('layout.expert') && layout.expert > 1 ? layout.expert : undefined;
  // TensorRT-LLM counts slots in the placement file itself.
  const counted = plan.dialect !== 'tensorrt-llm' && plan.experts.redundant !== undefined && !open('experts.redundant');
  return {
    ...(model?.experts === undefined || model.experts <= 0 ? {} : { experts: model.experts }),
    ...(model === undefined ? {} : { layers: model.layers }),
    ...(model?.moeLayers === undefined ? {} : { moeLayers: model.moeLayers }),
    ...(ranks === undefined ? {} : { gpus: ranks }),
    ...(counted && model?.experts !== undefined && model.experts > 0
      ? { slots: model.experts + experts.redundant }
      : {}),
  };
}

/** A place in the named file, with its lines: the config has no line index for it. */
function placeIn(uri: string, lines: LineIndex, span: Span): Place {
  return { uri, span, range: lines.rangeOf(span) };
}

/** Lines of the config that the condition rests on. */
function ownLines({ plan }: ResolvedPlan, rule: string): { readonly at: Place; readonly message: string }[] {
  const sources =
    rule === 'placement-slots-not-divisible' || rule === 'placement-rank-number'
      ? [plan.layout.expert]
      : rule === 'placement-wrong-slots'
        ? [plan.experts.redundant, plan.model.experts]
        : rule === 'placement-expert-number' || rule === 'placement-expert-missing'
          ? [plan.model.experts]
          : rule === 'placement-wrong-layers'
            ? [plan.model.layers]
            : [];
  return sources.flatMap((source) =>
    source?.at === undefined ? [] : [{ at: source.at, message: `${source.label ?? 'here'}: ${String(source.value)}` }],
  );
}

function fromTree(resolved: ResolvedPlan, reference: LinkedReference, tree: ConfigTree): Finding[] {
  const found = checkPlacementFile(tree, placementContext(resolved));
  if (found.length === 0) return [];
  const lines = indexLines(tree.text);
  const shown = found.slice(0, MOST);
  return shown.map((finding, index) => {
    const span = finding.at?.span ?? { start: 0, end: 0 };
    const line = lines.positionAt(span.start).line + 1;
    const more = index === MOST - 1 && found.length > MOST ? ` ${found.length - MOST} more there.` : '';
    // A fix of another file would be an edit that nobody sees.
    const { fixes: _fixes, ...told } = finding;
    return {
      ...told,
      at: reference.at,
      message: `${reference.target}, line ${line}: ${finding.message}${more}`,
      related: [
        { at: placeIn(reference.uri, lines, span), message: finding.message },
        ...ownLines(resolved, finding.rule),
      ],
    };
  });
}

/** What a recording says against the model it is used for. */
function fromBytes(resolved: ResolvedPlan, reference: LinkedReference, text: string): Finding[] {
  const file = readPlacementFile(text);
  const say = (rule: string, message: string): Finding[] => [
    {
      rule,
      severity: 'error',
      at: reference.at,
      message: `${reference.target}: ${message}`,
      related: ownLines(resolved, rule),
    },
  ];
  if (file.kind === 'refused') return say('placement-not-usable', `${file.reason}.`);
  if (file.kind !== 'loads') return [];
  const { experts, layers } = placementContext(resolved);
  const width = file.loads[0]?.length ?? 0;
  if (file.recording === 'passes' && resolved.plan.dialect === 'sglang')
    return say(
      'placement-not-usable',
      'a per-pass recording is no initial expert location: SGLang stops with NotImplementedError. Record with the mode "stat".',
    );
  if (experts !== undefined && width !== experts)
    return say('placement-expert-number', `counts of ${width} experts, but the model has ${experts}.`);
  if (layers !== undefined && resolved.plan.dialect === 'sglang' && file.loads.length !== layers)
    return say(
      'placement-wrong-layers',
      `counts of ${file.loads.length} layers, but SGLang indexes it by model layer and the model has ${layers}, dense ones included.`,
    );
  return [];
}

/**
 * Findings of every placement that a config names, at its name, each with the line in the placement and the lines in the config that
 * it contradicts. Files that nobody could read say nothing.
 */
export function linkedPlacements(
  resolved: ResolvedPlan,
  references: readonly LinkedReference[],
  files: FileLookup,
  parse: (uri: string) => ConfigTree | undefined,
): readonly Finding[] {
  return references
    .filter(({ kind }) => kind === 'placement')
    .flatMap((reference) => {
      if (!isTensorFile(reference.target)) {
        const tree = parse(reference.uri);
        return tree === undefined ? [] : fromTree(resolved, reference, tree);
      }
      const text = files(reference.uri);
      return typeof text === 'string' ? fromBytes(resolved, reference, text) : [];
    });
}
