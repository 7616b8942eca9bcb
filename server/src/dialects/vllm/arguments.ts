import { emptyPlanOf } from '../common/empty-plan';
import type { DialectReading, ReadCompanion, Reference } from '../dialect';
import type { DType } from '../../engine/spec/numbers';
import type { ModelSpec } from '../../engine/model/spec';
import type { Finding } from '../../plan/finding';
import type { Plan, Planned } from '../../plan/plan';
import type { Entry, MapNode } from '../../syntax/tree';
import { placeOf, textOf } from '../common/nodes';
import { derived, written } from '../common/sourced';
import { vllmJsonFindings } from './json-keys';
import { readCheckpoint } from './checkpoint';
import { configFile } from './config-file';
import { vllmPlacements } from './placement';
import { checkVllm } from './rules';
import { checkVllmModel } from './rules-model';
import { vllmSource } from './source';
import { hiddenFields, readVllmCluster, readVllmLayout, vllmDegrees } from './layout';
import { completeVllm, readVllmExperts, readVllmQuantization, readVllmServing } from './serving';
import { vllmSpelling } from './spelling';
import { vllmValues, type VllmArguments, type VllmForm } from './values';

/** What is known about a command beside its options. */
export interface VllmCommand {
  /** Text of the whole document: the places of the options point into it. */
  readonly text: string;
  /** A config file turns every key into `--key`; a command line also has one-dash names. */
  readonly form: VllmForm;
  /** The document gives only some of the arguments: nothing follows from those that it leaves out. */
  readonly partial?: boolean;
  /** The positional model of `vllm serve MODEL`, as an entry whose value is the word. */
  readonly model?: Entry;
  /** Environment of the process, as far as the document sets it. */
  readonly environment?: Readonly<Record<string, string>>;
}

export const NOTHING = emptyPlanOf('vllm', 'serving');

/** True for a folder of the file system rather than a repository id. */
export function isLocal(path: string): boolean {
  return /^(\.{0,2}\/|~\/|[A-Za-z]:[\\/])/.test(path);
}

/** The model: a repository id as it stands; of a local folder its name, with its config.json as reference. */
export function namedModel(
  entry: Entry | undefined,
  read: ReadCompanion,
): { readonly model: Planned<ModelSpec>; readonly references: readonly Reference[] } {
  const path = textOf(entry?.value);
  if (entry === undefined || path === undefined || path.length === 0) return { model: {}, references: [] };
  const config = `${path.replace(/\/+$/, '')}/config.json`;
  // The file system is asked before the hub, so `org/model` below this file is a folder too.
  const local = isLocal(path) || read(config) !== undefined;
  const name = isLocal(path)
    ? (path
        .split('/')
        .filter((part) => !/^\.{0,2}$/.test(part))
        .at(-1) ?? path)
    : path;
  return {
    model: { name: name === path ? written(path, entry) : derived(name, `the folder of ${entry.key}`, entry) },
    references: local ? [{ at: placeOf(entry), target: config, kind: 'model-config' }] : [],
  };
}

function planOf(args: VllmArguments, model: Planned<ModelSpec>, cache: DType | undefined): Plan {
  return {
    ...NOTHING,
    model,
    layout: readVllmLayout(args, vllmDegrees(args)),
    quantization: readVllmQuantization(args),
    cluster: readVllmCluster(args),
    serving: readVllmServing(args, cache),
    experts: readVllmExperts(args),
    unresolved: hiddenFields(args),
  };
}

/** `vllm serve MODEL --model OTHER`: the positional one wins. */
function twiceNamed(args: VllmArguments, { form, model }: VllmCommand): Finding[] {
  const entry = args.entry('model');
  const [first, second] = [textOf(model?.value), args.text('model')];
  if (form !== 'command' || entry === undefined || first === undefined || second === undefined) return [];
  if (first === second) return [];
  return [
    {
      rule: 'model-named-twice',
      severity: 'warning',
      at: placeOf(entry),
      source: vllmSource('utils/argparse_utils.py', 'FlexibleArgumentParser.parse_args'),
      message: `\`${second}\` is passed over: the model before the options, \`${first}\`, wins, and --model is on its way out of vllm serve.`,
      tags: ['unnecessary'],
    },
  ];
}

/**
 * Reads the arguments of one vLLM server with vLLM's own meaning. `root` holds options by name without dashes, as `parseArguments` and
 * `optionsOf` give them (with `vllmArity`) or as a config file has them.
 */
export function readVllmArguments(root: MapNode, read: ReadCompanion, command: VllmCommand): DialectReading {
  const file = configFile(root, command.form, read);
  const complete = command.partial !== true && !file.hidden;
  const args = vllmValues(root, command.text, command.form, { complete, below: file.below });
  const { model, references } = namedModel(command.model ?? args.entry('model'), read);
  const findings = [
    ...vllmSpelling(root, command.form, command.text),
    ...vllmJsonFindings(args),
    ...twiceNamed(args, command),
    ...checkVllm(args),
  ];
  const checkpoint = readCheckpoint(textOf((command.model ?? args.entry('model'))?.value), read);
  const around = { ...checkpoint, environment: command.environment ?? {} };
  return {
    plan: planOf(args, model, checkpoint.cache),
    complete: completeVllm(args),
    findings,
    references: [...references, ...vllmPlacements(args), ...(file.reference === undefined ? [] : [file.reference])],
    check: (resolved) => checkVllmModel(args, resolved, around),
  };
}
