import picomatch from 'picomatch';
import { modelFromConfig } from '../dialects/hf-config/model';
import { findGpu, findModel } from '../dialects/presets';
import type { Companion, DialectReading } from '../dialects/dialect';
import type { ModelSpec } from '../engine/model/spec';
import type { ClusterSpec } from '../engine/spec/cluster';
import type { QuantizationSpec } from '../engine/spec/numbers';
import { missingModelFields } from '../plan/resolve-model';
import type { Origin, Place, Plan, Planned, Sourced } from '../plan/plan';
import { workspaceDirective, type Directive } from './directives';
import { childOf, foldersOf, pathBelow } from './uris';

/** Reads a file by absolute URI, remembering what was asked for. */
export type ReadUri = (uri: string) => Companion | undefined;

/** Where companions of one document are looked for. */
export interface Surroundings {
  readonly uri: string;
  readonly read: ReadUri;
  /** Resolves a path written in the document. */
  readonly beside: (path: string) => string | undefined;
}

/** The nearest `.shardlens.yaml` above the document that says something about it. */
export function findWorkspaceDirective(uri: string, read: ReadUri): Directive {
  for (const folder of foldersOf(uri)) {
    const file = childOf(folder, '.shardlens.yaml');
    const companion = read(file);
    const below = pathBelow(folder, uri);
    if (companion === undefined || below === undefined) continue;
    return workspaceDirective(companion.tree.documents[0], companion.uri, (glob) =>
      picomatch.isMatch(below, glob, { dot: true }),
    );
  }
  return { ignore: [] };
}

interface ModelParts {
  readonly model: Planned<ModelSpec>;
  readonly quantization: Planned<QuantizationSpec>;
}

/** Rewrites provenance of borrowed values: they come from a companion, at its place when it is a file. */
function borrowed<T>(
  section: Planned<T>,
  origin: Origin,
  note: string,
  at?: (own: Place | undefined) => Place | undefined,
): Planned<T> {
  const entries = Object.entries(section as Record<string, Sourced<unknown> | undefined>).flatMap(([key, value]) => {
    if (value === undefined) return [];
    const place = at?.(value.at);
    const { at: _own, ...rest } = value;
    return [
      [
        key,
        {
          ...rest,
          origin: value.origin === 'file' ? origin : value.origin,
          note: value.note ?? note,
          ...(place === undefined ? {} : { at: place }),
        },
      ],
    ];
  });
  return Object.fromEntries(entries) as Planned<T>;
}

function fromCompanion(companion: Companion): ModelParts | undefined {
  const root = companion.tree.documents[0];
  if (root?.kind !== 'map') return undefined;
  const found = modelFromConfig(root);
  if (missingModelFields(found.model).length > 0) return undefined;
  const at = (own: Place | undefined): Place | undefined =>
    own === undefined ? undefined : { ...own, uri: companion.uri };
  return {
    model: borrowed(found.model, 'companion', 'config.json', at),
    quantization: borrowed(found.quantization, 'companion', 'config.json', at),
  };
}

/** A model by what a person wrote: a path to a config.json or its folder, or the name of a preset. */
function modelBy(name: string, surroundings: Surroundings): ModelParts | undefined {
  const path = surroundings.beside(name);
  if (path !== undefined) {
    const candidates = path.endsWith('.json') ? [path] : [childOf(path, 'config.json')];
    for (const candidate of candidates) {
      // A hub name such as `org/model` is a path too; only a name with a file sign or dot is worth a read.
      if (!/\.json$|^\.{0,2}\//.test(name)) continue;
      const companion = surroundings.read(candidate);
      const found = companion === undefined ? undefined : fromCompanion(companion);
      if (found !== undefined) return found;
    }
  }
  const preset = findModel(name);
  if (preset === undefined) return undefined;
  return {
    model: borrowed(preset.model, 'companion', `preset ${preset.name}`),
    quantization: borrowed(preset.quantization, 'companion', `preset ${preset.name}`),
  };
}

function siblingModel(plan: Plan, reading: DialectReading, surroundings: Surroundings): ModelParts | undefined {
  for (const reference of reading.references.filter(({ kind }) => kind === 'model-config')) {
    const uri = surroundings.beside(reference.target);
    if (uri === undefined) continue;
    for (const candidate of uri.endsWith('.json') ? [uri] : [childOf(uri, 'config.json')]) {
      const companion = surroundings.read(candidate);
      const found = companion === undefined ? undefined : fromCompanion(companion);
      if (found !== undefined) return found;
    }
  }
  if (plan.dialect === 'hf-config') return undefined;
  const folder = foldersOf(surroundings.uri, 1)[0];
  const sibling = folder === undefined ? undefined : surroundings.read(childOf(folder, 'config.json'));
  return sibling === undefined ? undefined : fromCompanion(sibling);
}

/** Completes the model of a plan: the file first, then comment, workspace file, settings, and a config.json beside it. */
function withModel(
  plan: Plan,
  reading: DialectReading,
  directives: readonly Directive[],
  surroundings: Surroundings,
): Plan {
  if (missingModelFields(plan.model).length === 0) return plan;
  const own = plan.model.name?.value;
  const named = [own, ...directives.map(({ model }) => model?.value)].filter(
    (name): name is string => name !== undefined,
  );
  const stated = named.map((name) => modelBy(name, surroundings)).find((found) => found !== undefined);
  const parts = stated ?? siblingModel(plan, reading, surroundings);
  if (parts === undefined) return plan;
  return {
    ...plan,
    model: { ...parts.model, ...plan.model, ...nameOf(parts, plan) },
    quantization: { ...parts.quantization, ...plan.quantization },
  };
}

/** The preset's name reads better than a path, but the place of the file's own name must stay. */
function nameOf(parts: ModelParts, plan: Plan): Pick<Planned<ModelSpec>, 'name'> {
  const name = parts.model.name ?? plan.model.name;
  if (name === undefined) return {};
  const { at, label, value } = plan.model.name ?? {};
  // A repository keeps its own name: `GLM-4.6` has the shape of a GLM-4.5 and is none.
  const own = value !== undefined && /^[\w.-]+\/[\w.-]+$/.test(value) ? { value } : {};
  return { name: { ...name, ...own, ...(at === undefined ? {} : { at }), ...(label === undefined ? {} : { label }) } };
}

const DEFAULT_GPU = 'H100';

/** The first value that any directive states, nearest directive first. */
function first<T>(directives: readonly Directive[], value: (directive: Directive) => T | undefined): T | undefined {
  return directives.map(value).find((found) => found !== undefined);
}

/** Completes the cluster: the GPU named by file, comment, workspace or settings; else one that is marked as assumed. */
function withCluster(plan: Plan, directives: readonly Directive[]): Plan {
  const named: Sourced<string> = plan.cluster.gpu ??
    first(directives, ({ gpu }) => gpu) ?? { value: DEFAULT_GPU, origin: 'assumed', note: 'no file names a GPU' };
  const preset = findGpu(named.value);
  const counts = {
    nodes: first(directives, ({ nodes }) => nodes),
    gpus: first(directives, ({ gpus }) => gpus),
    gpusPerNode: first(directives, ({ gpusPerNode }) => gpusPerNode),
  };
  const known = Object.fromEntries(
    Object.entries(counts).filter(([, value]) => value !== undefined),
  ) as Planned<ClusterSpec>;
  const origin = named.origin === 'assumed' ? 'assumed' : 'companion';
  const fields = preset === undefined ? {} : borrowed<ClusterSpec>(preset.cluster, origin, `preset ${preset.name}`);
  // A GPU that no preset knows keeps its name, so that the status item can say what is missing.
  const gpu = preset === undefined ? named : { ...named, value: preset.name };
  return { ...plan, cluster: { ...fields, ...known, ...plan.cluster, gpu } };
}

/**
 * The plan with model and cluster filled from everything that may say them, nearest first:
 * the file, a `# shardlens:` comment, the workspace's `.shardlens.yaml`, settings, a config.json beside the file, the default.
 */
export function completePlan(
  reading: DialectReading,
  directives: readonly Directive[],
  surroundings: Surroundings,
): Plan {
  const withShape = withModel(reading.plan, reading, directives, surroundings);
  // A placement is for GPUs as well, though it says nothing of them.
  const bare = reading.plan.task === 'model' && reading.plan.dialect !== 'placement';
  return bare ? withShape : withCluster(withShape, directives);
}
