import { emptyPlanOf } from '../common/empty-plan';
import type { DialectReading, ReadCompanion, Reference } from '../dialect';
import type { ModelSpec } from '../../engine/model/spec';
import type { Plan, Planned } from '../../plan/plan';
import type { ConfigTree, MapNode } from '../../syntax/tree';
import { remark } from '../common/findings';
import { placeOf, rootMap, textOf } from '../common/nodes';
import { derived, present, written } from '../common/sourced';
import { readArguments, type SglangArguments } from './arguments';
import { withConfigFile } from './config-file';
import { completeSglang } from './defaults';
import { asksForFp8Cache, checkpointFamily, checkpointMethod } from '../common/checkpoint';
import { checkSglang } from './rules';
import { factsOf } from './facts';
import { DIFFUSION } from './detect';
import { placedSlots, readExperts } from './experts';
import { hiddenDegrees, readCluster, readDegrees, readLayout } from './layout';
import { readQuantization, readServing } from './serving';
import { spellingFindings, type SglangForm } from './spelling';

const NOTHING = emptyPlanOf('sglang', 'serving');

function isLocal(path: string): boolean {
  return /^(\.{0,2}\/|~\/|[A-Za-z]:[\\/])/.test(path);
}

/** Fields of config.json that the shape of a model hangs on. */
const RESHAPED =
  /num_hidden_layers|hidden_size|intermediate_size|num_attention_heads|num_key_value_heads|n_routed_experts|num_experts/;

/** What stands at an argument, whatever its type. */
function shownText(args: SglangArguments, flag: string): string {
  const value = args.entry(flag)?.value;
  if (value === undefined) return '';
  return value.kind === 'map' ? value.entries.map(({ key }) => key).join(' ') : (textOf(value) ?? '');
}

/** The model: a repository id as it stands; of a local folder the name of the folder, with its config.json as reference. */
function readModel(
  args: SglangArguments,
  read: ReadCompanion,
): { readonly model: Planned<ModelSpec>; readonly references: readonly Reference[] } {
  const entry = args.entry('model-path');
  const path = args.text('model-path');
  if (entry === undefined || path === undefined || path.length === 0) return { model: {}, references: [] };
  // Overrides that change the shape make it another model.
  if (RESHAPED.test(shownText(args, 'json-model-override-args'))) return { model: {}, references: [] };
  const config = `${path.replace(/\/+$/, '')}/config.json`;
  // SGLang asks the file system before the hub, so `org/model` below this file is a folder too.
  const local = isLocal(path) || read(config) !== undefined;
  const name = isLocal(path)
    ? (path
        .split('/')
        .filter((part) => part.length > 0 && part !== '.' && part !== '..')
        .at(-1) ?? path)
    : path;
  const references: Reference[] = local ? [{ at: placeOf(entry), target: config, kind: 'model-config' }] : [];
  return {
    model: { name: name === path ? written(path, entry) : derived(name, 'the folder of model-path', entry) },
    references,
  };
}

/** Other files that arguments name. */
function otherFiles(args: SglangArguments): Reference[] {
  const kinds = [
    ['quantization-param-path', 'quantization'],
    ['deepep-config', 'config'],
    ['lmcache-config-file', 'config'],
    ['flexkv-config-file', 'config'],
    ['pdmux-config-path', 'config'],
  ] as const;
  const files = kinds.flatMap(([flag, kind]): Reference[] => {
    const entry = args.entry(flag);
    const target = args.text(flag);
    return entry === undefined || target === undefined || target.trimStart().startsWith('{')
      ? []
      : [{ at: placeOf(entry), target, kind }];
  });
  const entry = args.entry('speculative-draft-model-path');
  const draft = args.text('speculative-draft-model-path');
  if (entry !== undefined && draft !== undefined && isLocal(draft))
    files.push({ at: placeOf(entry), target: `${draft.replace(/\/+$/, '')}/config.json`, kind: 'config' });
  return files;
}

/** SGLang's diffusion server has arguments of its own; only the degrees mean the same. */
function readDiffusion(root: MapNode): DialectReading {
  const args = readArguments(root);
  const gpus = root.entries.find(({ key }) => key === 'num-gpus');
  const count = gpus?.value.kind === 'scalar' && typeof gpus.value.value === 'number' ? gpus.value.value : undefined;
  const layout = readLayout(args, readDegrees(args));
  const plan: Plan = {
    ...NOTHING,
    layout: present<Plan['layout']>({
      tensor: layout.tensor,
      pipeline: layout.pipeline,
      worldSize: gpus === undefined || count === undefined ? layout.worldSize : written(count, gpus),
    }),
    cluster: gpus === undefined || count === undefined ? {} : { gpus: written(count, gpus) },
    model: readModel(args, () => undefined).model,
  };
  return { plan, findings: [], references: [] };
}

/**
 * Reads a `--config` file of the SGLang server with SGLang's own semantics: keys as argparse matches them, values as they will be in effect.
 * What the framework would change without a word is `derived`, at the place of what was written, with a note that says why.
 */
export function readSglang(tree: ConfigTree, read: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) {
    const first = tree.documents[0];
    const findings =
      first === undefined || (first.kind === 'scalar' && first.value === null)
        ? []
        : [
            remark({
              rule: 'not-a-map',
              severity: 'error',
              at: { span: first.span },
              message: 'SGLang wants a mapping of arguments to values at the top of a --config file.',
            }),
          ];
    return { plan: NOTHING, findings, references: [] };
  }
  return readSglangArguments(root, read, { form: 'file' });
}

/** Where arguments stand, and what is known beside them. */
export interface SglangContext {
  readonly form: SglangForm;
  /** Environment of the process, as far as the document sets it. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The model, where the document names it beside the arguments. */
  readonly model?: string;
}

/** `auto` follows a checkpoint that asks for an FP8 cache. Source: mem_cache/kv_cache_dtype.py, `configure_kv_cache_dtype`. */
function checkpointCache(args: SglangArguments, read: ReadCompanion): Partial<Plan['serving']> {
  const entry = args.entry('kv-cache-dtype');
  const follows = entry === undefined || args.text('kv-cache-dtype') === 'auto';
  return follows && asksForFp8Cache(args.text('model-path'), read)
    ? { kvDType: derived('F8_E4M3', 'the checkpoint asks for an FP8 cache', entry) }
    : {};
}

/**
 * Reads the arguments of one SGLang server. `given` holds options by name without dashes, as a `--config` file has them or as
 * `optionsOf` gives them (with `sglangArity`).
 */
export function readSglangArguments(given: MapNode, read: ReadCompanion, context: SglangContext): DialectReading {
  const { root, own, reference, hidden } = withConfigFile(given, context.form, read);
  const named = reference === undefined ? [] : [reference];
  // What a file says that cannot be read is not known, and so is nothing that it could have said.
  if (hidden) return { plan: NOTHING, findings: spellingFindings(own, context.form), references: named };
  if (root.entries.filter(({ key }) => DIFFUSION.includes(key)).length >= 2) return readDiffusion(root);
  const args = readArguments(root);
  const degrees = readDegrees(args);
  const layout = readLayout(args, degrees);
  const { model, references } = readModel(args, read);
  const placed = readExperts(args, degrees, read);
  const plan: Plan = {
    ...NOTHING,
    model,
    layout,
    quantization: readQuantization(args),
    cluster: readCluster(args, layout.worldSize?.value),
    serving: { ...readServing(args, degrees), ...checkpointCache(args, read) },
    experts: placed.experts,
    unresolved: hiddenDegrees(args),
  };
  const around = {
    environment: context.environment ?? {},
    checkpoint: checkpointMethod(args.text('model-path') ?? context.model, read),
    slots: placedSlots(args, read),
    family: checkpointFamily(args.text('model-path'), read),
  };
  return {
    plan,
    complete: completeSglang(args, degrees),
    findings: spellingFindings(own, context.form),
    check: (resolved) => checkSglang(factsOf(args, degrees, resolved, around)),
    references: [...named, ...references, ...placed.references, ...otherFiles(args)],
  };
}
