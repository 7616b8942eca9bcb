import type { Plan, Planned } from '../../plan/plan';
import type { ClusterSpec } from '../../engine/spec/cluster';
import type { ConfigNode, Entry, MapNode } from '../../syntax/tree';
import { isScalar, pythonBoolean, textOf } from '../common/nodes';
import { written } from '../common/sourced';
import type { DialectReading } from '../dialect';
import { readSglangArguments } from '../sglang/read';
import { readVllmArguments } from '../vllm/arguments';
import { matchVllmKey } from '../vllm/keys';
import { withoutDefaults, type Around, type Launch } from './launch';
import type { Program } from './programs';
import { readTensorRt } from './tensorrt';

/** Arguments of one server that stand as keys of another tool's file, which hands them on to the server's command line. */
export interface HandedOn {
  readonly program: Exclude<Program, 'megatron' | 'trainer' | 'verl'>;
  readonly options: MapNode;
  /** The model, where the file names it beside the arguments. */
  readonly model?: Entry;
  readonly environment?: Readonly<Record<string, string>>;
  readonly role?: string;
  readonly cluster?: Planned<ClusterSpec>;
  /** False where the other tool adds arguments of its own: then nothing follows from what is left out. */
  readonly complete?: boolean;
}

function isAbsent(node: ConfigNode): boolean {
  return isScalar(node) && (node.value === null || pythonBoolean(node) === false);
}

/** What becomes of the keys on the command line: null and false leave an option out, underscores become hyphens. */
function handed(options: MapNode): MapNode {
  const entries = options.entries
    .filter(({ value }) => !isAbsent(value))
    .map((entry) => ({ ...entry, key: entry.key.replaceAll('_', '-') }));
  return { ...options, entries };
}

function isVllm({ key }: Entry): boolean {
  const { kind } = matchVllmKey(key);
  return kind === 'known' || kind === 'removed';
}

function readEngine({ program, options, model, environment = {} }: HandedOn, around: Around): DialectReading {
  const { text, read } = around;
  const name = textOf(model?.value);
  switch (program) {
    case 'sglang':
      return readSglangArguments(handed(options), read, {
        form: 'handed-on',
        environment,
        ...(name === undefined ? {} : { model: name }),
      });
    case 'vllm': {
      // Keys that vLLM does not know are the other tool's own.
      const own = handed(options);
      const known = { ...own, entries: own.entries.filter(isVllm) };
      return readVllmArguments(known, read, {
        text,
        form: 'command',
        environment,
        ...(model === undefined ? {} : { model }),
      });
    }
    case 'tensorrt-llm':
      return readTensorRt(options, around, model);
  }
}

/** The model as the tool's own file names it: only where the arguments name none. */
function named(plan: Plan, model: Entry | undefined): Plan {
  const name = textOf(model?.value);
  return model === undefined || name === undefined || plan.model.name !== undefined
    ? plan
    : { ...plan, model: { ...plan.model, name: written(name, model) } };
}

/** Degrees that the other tool may fill in are unknown, not 1. */
function hidden(plan: Plan, { span }: MapNode): Plan {
  const stated = withoutDefaults(plan);
  return stated.layout.tensor === undefined
    ? { ...stated, unresolved: [...stated.unresolved, { path: 'layout.tensor', at: { span } }] }
    : stated;
}

/** Reads arguments that another tool hands on, with the meaning of the server that gets them. */
export function readHandedOn(given: HandedOn, around: Around): Launch {
  const reading = readEngine(given, around);
  const complete = given.complete !== false;
  const plan = named({ ...reading.plan, cluster: { ...given.cluster, ...reading.plan.cluster } }, given.model);
  return {
    program: given.program,
    ...(given.role === undefined ? {} : { role: given.role }),
    options: given.options,
    complete,
    reading: complete ? { ...reading, plan } : { plan: hidden(plan, given.options), findings: [], references: [] },
  };
}
