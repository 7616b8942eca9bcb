import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import {
  isPlacementRefusal,
  isPolicy,
  place,
  PLACEMENT_POLICIES,
  type PlacementPolicy,
  type PlacementRefusal,
} from '../engine/placement/place';
import type { Loads, Placement } from '../engine/placement/placement';
import { placementFileText, placementJson, type ModelRows } from '../features/placement/export';
import { isTensorFile, readPlacementFile, type PlacementFile } from '../features/placement/loads';
import { fallbackNote, plannedPlacement, type PlacementSizes } from '../features/placement/planned';
import { readTrtStatistics } from '../features/placement/trt-statistics';
import { MAX_CHARACTERS } from '../syntax/guards';
import { noView } from '../features/views/frame';
import { placementSources, type PlacementSources } from '../features/placement/sources';
import { openFile, readBytes, readText } from './files';
import { oneOf, readArguments, singleFile, wholeNumber, type Arguments } from './options';
import { placementText } from './place-text';
import { EXIT, UsageError, type Command, type ExitCode, type Terminal } from './usage';

const HELP = `shardlens place [FILE] [--loads L.json --replicas R --groups G --nodes K --gpus N --policy P]
                [--judge M.json] [--format text|json|sglang|trtllm|vllm|vllm-ascend|csv]

Where every expert replica sits, for a file's plan or for loads alone.

  --loads     [[load of expert e] for each layer] as JSON, an SGLang recorder dump
              (JSON or .pt, numbers only), a table (CSV), or a TensorRT-LLM statistics folder
  --judge     a second recording that the placement is judged on: will it hold tomorrow?
  --replicas  slots of a layer over all GPUs, redundant ones included
  --groups    expert groups of group-limited routing
  --nodes     nodes, --gpus: GPUs that share the experts
  --policy    ${PLACEMENT_POLICIES.join(', ')}
  --format    text (default), json, sglang (--init-expert-location), trtllm (load_balancer YAML), vllm (offline map),
              vllm-ascend (expert map), csv

Exit: 0 fine, 1 a placement that the balancer would refuse, 2 wrong usage or a file that cannot be read.
`;

const LOADS_BYTES = 64 * 1024 * 1024;

interface Placed {
  readonly placement: Placement;
  readonly loads: Loads;
  readonly uniformLoads: boolean;
  readonly rows: ModelRows;
  readonly notes: readonly string[];
}

/** A statistics folder is named by its path; everything else is one file. */
function readLoads(cwd: string, file: string): PlacementFile {
  const full = path.resolve(cwd, file);
  const isFolder = statSync(full, { throwIfNoEntry: false })?.isDirectory() === true;
  const answer = isFolder ? readStatistics(cwd, file, full) : readPlacementFile(textOf(cwd, file));
  if (answer.kind === 'refused') throw new UsageError(`cannot use ${file} as loads: ${answer.reason}`);
  return answer;
}

function textOf(cwd: string, file: string): string {
  return isTensorFile(file) ? readBytes(cwd, file, LOADS_BYTES).toString('latin1') : readText(cwd, file, LOADS_BYTES);
}

function readStatistics(cwd: string, file: string, full: string): PlacementFile {
  const names = readdirSync(full).filter((name) => /^rank\d+\.safetensors$/.test(name));
  const meta = readText(cwd, path.join(file, 'meta_info.json'));
  return readTrtStatistics(
    meta,
    names.sort().map((name) => readBytes(cwd, path.join(file, name), LOADS_BYTES)),
  );
}

function policyOf(given: Arguments): PlacementPolicy | undefined {
  const policy = given.text('policy');
  if (policy === undefined || isPolicy(policy)) return policy;
  throw new UsageError(`--policy must be one of ${PLACEMENT_POLICIES.join(', ')}, not ${JSON.stringify(policy)}`);
}

function sizesOf(given: Arguments): PlacementSizes {
  const sizes = {
    slots: wholeNumber(given, 'replicas'),
    groups: wholeNumber(given, 'groups'),
    nodes: wholeNumber(given, 'nodes'),
    gpus: wholeNumber(given, 'gpus'),
  };
  return Object.fromEntries(Object.entries(sizes).filter(([, size]) => size !== undefined));
}

interface Asked {
  readonly sizes: PlacementSizes;
  readonly policy: PlacementPolicy | undefined;
  readonly loads: PlacementFile | undefined;
}

/** Without a plan the loads tell layers and experts, and everything not given is as small as it can be. */
function placeLoads({ sizes, policy, loads: file }: Asked): Placed | PlacementRefusal {
  if (file?.kind === 'map')
    throw new UsageError('--loads names a placement, not loads: name it as the file itself, "shardlens place FILE"');
  if (file?.kind !== 'loads') throw new UsageError('name a file, or give --loads with rows of loads and --gpus');
  if (sizes.gpus === undefined) throw new UsageError('--gpus is missing: over how many GPUs are the experts spread?');
  const { loads, steps, traces, firstLayer = 0 } = file;
  const experts = loads[0]?.length ?? 0;
  const shape = { layers: loads.length, experts, slots: experts, nodes: 1, groups: 1, ...sizes, gpus: sizes.gpus };
  const placement = place(loads, shape, policy ?? 'eplb', {
    ...(steps === undefined ? {} : { profiles: steps }),
    ...(traces === undefined ? {} : { traces }),
  });
  return isPlacementRefusal(placement)
    ? placement
    : { placement, loads, uniformLoads: false, rows: { firstLayer }, notes: fallbackNote(shape, policy ?? 'eplb') };
}

/** What the command line names goes before what the file names. */
function asSources(file: PlacementFile, named: PlacementSources): PlacementSources {
  if (file.kind === 'loads') return { ...named, loads: file };
  return file.kind === 'map' ? { ...named, map: file } : named;
}

/** A recording that is no text, or more of one than is analysed as a config, is loads without a plan. */
function recordingIn(cwd: string, file: string): PlacementFile | undefined {
  const size = statSync(path.resolve(cwd, file), { throwIfNoEntry: false })?.size ?? 0;
  if (!isTensorFile(file) && size <= MAX_CHARACTERS) return undefined;
  return readLoads(cwd, file);
}

function placePlan(file: string, asked: Asked, cwd: string): Placed | PlacementRefusal {
  const { sizes, policy, loads } = asked;
  const recording = loads === undefined ? recordingIn(cwd, file) : undefined;
  if (recording !== undefined) return placeLoads({ ...asked, loads: recording });
  const { analysis, lookup } = openFile(cwd, file);
  const { resolved } = analysis;
  const isPlacement = resolved?.plan.dialect === 'placement';
  if (resolved === undefined || ((resolved.model === undefined || resolved.layout === undefined) && !isPlacement))
    throw new UsageError(`no placement of ${file}: ${noView(analysis, 'The model is not known.').reason}`);
  const named = placementSources(analysis, lookup);
  const own: PlacementSources = loads === undefined ? named : asSources(loads, named);
  if (own.loads === undefined && own.map === undefined && own.refused !== undefined)
    throw new UsageError(
      isPlacement
        ? `no placement of ${file}: ${own.refused.replace(/^.*?: /, '')}`
        : `cannot use the loads that ${file} names: ${own.refused}${/above 1 MB/.test(own.refused) ? '; --loads reads files of up to 64 MB' : ''}`,
    );
  const planned = plannedPlacement(resolved, own, policy, sizes);
  if (planned === undefined) {
    const { model } = resolved;
    const dense = (model?.experts ?? 0) === 0;
    const reason =
      dense && model !== undefined ? `${model.name} has no routed experts` : 'all experts sit on every rank';
    throw new UsageError(`no placement of ${file}: ${reason}; --gpus says over how many GPUs they shall be spread`);
  }
  if ('rule' in planned) return planned;
  const { firstLayer, ...rest } = planned;
  return { ...rest, rows: { firstLayer, ...(resolved.model === undefined ? {} : { layers: resolved.model.layers }) } };
}

function refuse(refusal: PlacementRefusal, asJson: boolean, { out, err }: Terminal): ExitCode {
  if (asJson) out(`${JSON.stringify({ refusal }, null, 2)}\n`);
  else {
    const condition = refusal.condition === undefined ? '' : ` The condition: ${refusal.condition}.`;
    err(`shardlens place: ${refusal.message}${condition} [${refusal.rule}]\n`);
  }
  return EXIT.findings;
}

/** Loads of a second recording for the rows that were placed. */
function judgedOn(
  file: PlacementFile,
  { placement, rows }: Placed,
  name: string,
): { readonly name: string; readonly loads: Loads } {
  if (file.kind !== 'loads') throw new UsageError(`cannot judge on ${name}: it holds a placement, not loads`);
  const { layers, experts } = placement.shape;
  const from = file.loads.length === layers ? 0 : rows.firstLayer;
  const loads = file.loads.slice(from, from + layers);
  if (loads.length !== layers || loads.some((row) => row.length !== experts))
    throw new UsageError(
      `cannot judge on ${name}: it has ${file.loads.length} layers of ${file.loads[0]?.length ?? 0} experts, not ${layers} of ${experts}`,
    );
  return { name, loads };
}

function run(args: readonly string[], terminal: Terminal): ExitCode {
  const given = readArguments(args, ['loads', 'judge', 'replicas', 'groups', 'nodes', 'gpus', 'policy', 'format']);
  const format = oneOf(given, 'format', ['text', 'json', 'sglang', 'trtllm', 'vllm', 'vllm-ascend', 'csv']);
  const file = singleFile(given);
  const named = given.text('loads');
  const sizes = sizesOf(given);
  const policy = policyOf(given);
  const asked: Asked = { sizes, policy, loads: named === undefined ? undefined : readLoads(terminal.cwd, named) };
  const placed = file === undefined ? placeLoads(asked) : placePlan(file, asked, terminal.cwd);
  if ('rule' in placed) return refuse(placed, format === 'json', terminal);
  const { placement, loads, rows, notes } = placed;
  const second = given.text('judge');
  const judged = second === undefined ? undefined : judgedOn(readLoads(terminal.cwd, second), placed, second);
  if (format === 'text') terminal.out(placementText({ ...placed, ...(judged === undefined ? {} : { judged }) }));
  else if (format === 'json') terminal.out(`${JSON.stringify(placementJson(placement, loads, judged?.loads))}\n`);
  else terminal.out(placementFileText(format, placement, rows));
  if (format !== 'text') for (const note of notes) terminal.err(`shardlens place: ${note}\n`);
  return EXIT.fine;
}

export const placeCommand: Command = { name: 'place', summary: 'expert placement under a policy', help: HELP, run };
