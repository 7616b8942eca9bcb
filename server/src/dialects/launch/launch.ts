import { optionsOf, type Arity } from '../../syntax/arguments';
import { scalar } from '../../syntax/scalars';
import type { Word } from '../../syntax/shell-words';
import type { ConfigNode, ConfigTree, Entry, MapNode, ScalarNode, Span } from '../../syntax/tree';
import type { Finding } from '../../plan/finding';
import type { Plan, Planned, Sourced } from '../../plan/plan';
import type { ClusterSpec } from '../../engine/spec/cluster';
import { DIALECT_RULES } from '../common/findings';
import { numberOf } from '../common/nodes';
import { written } from '../common/sourced';
import type { DialectReading, ReadCompanion } from '../dialect';
import { adaptedPlan, programOf, softened } from '../megatron/adapted';
import { readMegatron } from '../megatron/read';
import { readSglangArguments } from '../sglang/read';
import { sglangArity } from '../sglang/keys';
import { readVllmArguments } from '../vllm/arguments';
import { vllmArity } from '../vllm/keys';
import { readTrl } from '../trl/read';
import { readVerl } from '../verl/read';
import { HUGGINGFACE_SERVER, renamedOptions } from './huggingface-server';
import { hydraOverrides } from './hydra';
import { megatronArity, type Launched, type Program } from './programs';
import { trtArity } from '../tensorrt-llm/arguments';
import { readTensorRt } from './tensorrt';

/** What a document says around a command. */
export interface Around {
  readonly text: string;
  readonly read: ReadCompanion;
  /** GPUs of the machines or pods that the command runs on, as far as the document says. */
  readonly cluster?: Planned<ClusterSpec>;
  /** What the command is for: `prefill`, `decode`, the name of a service. */
  readonly role?: string;
  /** A file that the same document carries, such as one in a ConfigMap, by the path that the command names. */
  readonly embedded?: (path: string) => MapNode | undefined;
}

/** One launch of a document, read with the program's own meaning. */
export interface Launch {
  readonly program: Program;
  readonly role?: string;
  readonly reading: DialectReading;
  /** Options as they stand, by name. */
  readonly options: MapNode;
  readonly complete: boolean;
}

const ARITY: Readonly<Record<Program, Arity>> = {
  sglang: sglangArity,
  vllm: vllmArity,
  'tensorrt-llm': trtArity,
  megatron: megatronArity,
  trainer: () => undefined,
  verl: () => undefined,
};

function spanOf(words: readonly Word[]): Span {
  const start = words[0]?.span.start ?? 0;
  return { start, end: Math.max(start, words.at(-1)?.span.end ?? start) };
}

function wordNode(word: Word, text: string): ScalarNode {
  const node = scalar(word.text, text.slice(word.span.start, word.span.end), word.span);
  return {
    ...node,
    unresolved: word.unresolved,
    ...(word.definition === undefined ? {} : { definition: word.definition }),
  };
}

/** A word as an entry of its own name: where the model is a position and not an option. */
function positionEntry(word: Word, key: string, text: string): Entry {
  return { key, keySpan: word.span, value: wordNode(word, text) };
}

/** Variables as texts, for what a program takes from its environment. */
function environmentOf({ command }: Launched): Record<string, string> {
  return Object.fromEntries(
    [...command.variables].flatMap(([name, words]) => {
      const [only] = words;
      return words.length === 1 && only !== undefined && !only.unresolved ? [[name, only.text] as const] : [];
    }),
  );
}

/** A number of launcher options such as torchrun's, in either spelling, or of srun's; the last one counts. */
function launcherCount(options: readonly Entry[], names: readonly string[]): Sourced<number> | undefined {
  const entry = options.findLast(({ key }) => names.includes(key.replaceAll('_', '-')));
  const value = numberOf(entry?.value);
  return entry === undefined || value === undefined || !Number.isInteger(value) || value < 1
    ? undefined
    : written(value, entry);
}

/** `accelerate launch` counts the processes of all machines together. */
function acceleratedCluster(options: readonly Entry[]): Planned<ClusterSpec> {
  const all = launcherCount(options, ['num-processes']);
  const machines = launcherCount(options, ['num-machines']);
  const each = all === undefined ? undefined : all.value / (machines?.value ?? 1);
  return {
    ...(machines === undefined ? {} : { nodes: machines }),
    ...(all === undefined || each === undefined || !Number.isInteger(each)
      ? {}
      : { gpusPerNode: { ...all, value: each } }),
  };
}

/** Nodes and GPUs of each from torchrun, srun or deepspeed in front of the program. */
function launcherCluster({ launcher }: Launched, text: string): Planned<ClusterSpec> {
  const options = optionsOf(launcher, text);
  const nodes = launcherCount(options, ['nnodes', 'nodes', 'N', 'num-nodes']);
  const gpus = launcherCount(options, ['nproc-per-node', 'gpus-per-node', 'ntasks-per-node', 'num-gpus']);
  if (launcher.some((word) => /(?:^|\/)accelerate$/.test(word.text))) return acceleratedCluster(options);
  return { ...(nodes === undefined ? {} : { nodes }), ...(gpus === undefined ? {} : { gpusPerNode: gpus }) };
}

function map(entries: readonly Entry[], span: Span): MapNode {
  return { kind: 'map', span, entries };
}

/** A mapping as the document of a reader that wants a file. */
function treeOf(root: MapNode, text: string): ConfigTree {
  return { language: 'arguments', text, documents: [root], comments: [], issues: [] };
}

function variableEntries(launched: Launched, text: string): Entry[] {
  return [...launched.command.variables].flatMap(([name, words]): Entry[] => {
    const [only] = words;
    return words.length === 1 && only !== undefined && !only.unresolved
      ? [{ key: name, keySpan: only.span, value: wordNode(only, text) }]
      : [];
  });
}

/** A script is as old as the repository that it stands in: what parsers of today no longer have may have been right for its own. */
function ofUnknownRelease(finding: Finding): Finding {
  return finding.rule === 'removed-key' && finding.severity === 'error' ? { ...finding, severity: 'warning' } : finding;
}

/** Megatron's own reader takes a file with `MODEL_ARGS` and `ENV_VARS`; a command line is just that, spelled otherwise. */
function readMegatronCommand(launched: Launched, options: MapNode, around: Around): DialectReading {
  const section = (key: string, value: ConfigNode): Entry => ({ key, keySpan: value.span, value });
  const dashed = options.entries.map((entry) => ({ ...entry, key: `--${entry.key}` }));
  const root = map(
    [
      section('ENV_VARS', map(variableEntries(launched, around.text), options.span)),
      section('MODEL_ARGS', map(dashed, options.span)),
    ],
    options.span,
  );
  const tree: ConfigTree = { language: 'arguments', text: around.text, documents: [root], comments: [], issues: [] };
  const reading = readMegatron(tree, around.read, { complete: launched.command.complete });
  const before = [...launched.launcher.map(({ text }) => text), launched.name];
  const program = programOf({ options: options.entries, before });
  if (program === 'own') return { ...reading, findings: reading.findings.map(ofUnknownRelease) };
  const findings = program === 'fork' ? [] : softened(reading.findings);
  return { ...reading, plan: adaptedPlan(reading.plan), findings };
}

/** The Trainer's own reader takes a YAML file of its arguments; a DeepSpeed script names the same file by another option. */
function readTrainerCommand(options: MapNode, around: Around): DialectReading {
  const named = options.entries.find(({ key }) => key === 'deepspeed_config');
  const entries = options.entries
    .filter(({ key }) => named === undefined || key !== 'deepspeed')
    .map((entry) => ({ ...entry, key: entry === named ? 'deepspeed' : entry.key.replaceAll('-', '_') }));
  const root = map(entries, options.span);
  const reading = readTrl(treeOf(root, around.text), around.read);
  // The script may take arguments that the Trainer does not know.
  return { ...reading, findings: reading.findings.filter(({ rule }) => rule !== 'unknown-key') };
}

function readProgram(launched: Launched, options: MapNode, around: Around): DialectReading {
  const { model, program } = launched;
  const { text, read } = around;
  switch (program) {
    case 'sglang':
      return readSglangArguments(options, read, {
        form: launched.wrapped ? 'wrapped' : 'command',
        environment: environmentOf(launched),
      });
    case 'vllm':
      return readVllmArguments(options, read, {
        text,
        form: launched.wrapped ? 'wrapped' : 'command',
        partial: !launched.command.complete,
        environment: environmentOf(launched),
        ...(model === undefined ? {} : { model: positionEntry(model, 'model', text) }),
      });
    case 'tensorrt-llm':
      return readTensorRt(options, around, model === undefined ? undefined : positionEntry(model, 'model', text));
    case 'megatron':
      return readMegatronCommand(launched, options, around);
    case 'trainer':
      return readTrainerCommand(options, around);
    case 'verl':
      return readVerl(treeOf(hydraOverrides(launched.words, options.span), text), read);
  }
}

function statedOnly<T>(section: Planned<T>): Planned<T> {
  return Object.fromEntries(
    Object.entries(section).filter(([, value]) => (value as Sourced<unknown>).origin === 'file'),
  ) as Planned<T>;
}

/** Where arguments may be missing, a default proves nothing: only what is written stays. */
export function withoutDefaults(plan: Plan): Plan {
  return {
    ...plan,
    layout: statedOnly(plan.layout),
    serving: statedOnly(plan.serving),
    experts: statedOnly(plan.experts),
    precision: statedOnly(plan.precision),
    optimizer: statedOnly(plan.optimizer),
    recompute: statedOnly(plan.recompute),
    pipeline: statedOnly(plan.pipeline),
  };
}

const BRANCH = /\{\{-?\s*(?:if|else|end|range|with)\b/;

/** Where arguments may be missing, only what is wrong with a word itself is certain. */
function ofSpelling({ rule }: Finding): boolean {
  return Object.hasOwn(DIALECT_RULES, rule) && rule !== 'exclusive-keys';
}

/** What the document says of its machines, below what the program's own arguments say. */
function withCluster(plan: Plan, cluster: Planned<ClusterSpec>): Plan {
  return { ...plan, cluster: { ...cluster, ...plan.cluster } };
}

/** Reads one launch with the meaning of its program; every place points into the document. */
export function readLaunch(launched: Launched, around: Around): Launch {
  const entries = optionsOf(launched.words, around.text, ARITY[launched.program]);
  const options = map(launched.name === HUGGINGFACE_SERVER ? renamedOptions(entries) : entries, spanOf(launched.words));
  const reading = readProgram(launched, options, around);
  const { start, end } = options.span;
  // Branches of a template may hold the arguments of one program each.
  const told = BRANCH.test(around.text.slice(start, end)) ? [] : reading.findings.filter(ofSpelling);
  const complete = launched.command.complete;
  const cluster = { ...around.cluster, ...launcherCluster(launched, around.text) };
  const plan = withCluster(complete ? reading.plan : withoutDefaults(reading.plan), cluster);
  return {
    program: launched.program,
    ...(around.role === undefined ? {} : { role: around.role }),
    options,
    complete,
    reading: complete ? { ...reading, plan } : { plan, findings: told, references: reading.references },
  };
}
