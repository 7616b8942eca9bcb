import type { ShellCommand } from '../../syntax/shell-variables';
import type { ConfigTree, MapNode } from '../../syntax/tree';
import type { Finding } from '../../plan/finding';
import type { Sourced } from '../../plan/plan';
import { weigh, when } from '../common/evidence';
import type { Detection, Dialect, DialectReading, ReadCompanion, Reference } from '../dialect';
import { combine } from '../launch/combine';
import { ALONE } from '../launch/containers';
import { readLaunch } from '../launch/launch';
import { roomFindings } from '../launch/room';
import { launchedBy } from '../launch/programs';
import { batchCluster } from './batch';
import { scriptCommands } from './commands';
import { writtenFiles } from './heredocs';
import { namedConfigs } from './runs';

/** Words that every script of ours has somewhere; looking for them is far cheaper than reading commands. */
const WORDS =
  /vllm|sglang|trtllm|tensorrt_llm|dynamo\.|model-parallel-size|deepspeed|accelerate|torchtitan|axolotl|llamafactory|config-file|per[_-]device[_-]train|verl\./;

function detect(tree: ConfigTree, _fileName: string): Detection | undefined {
  if (tree.language !== 'arguments' || !WORDS.test(tree.text)) return undefined;
  const commands = scriptCommands(tree.text);
  const launched = commands.flatMap((command) => launchedBy(command) ?? []);
  const programs = [...new Set(launched.map(({ program }) => program))];
  const configs = namedConfigs(commands, tree.text);
  return weigh('shell', [
    when(programs.length > 0, 0.9, `a command that starts ${programs.join(', ')}`),
    when(
      programs.length === 0 && configs.length > 0,
      0.7,
      `a trainer that is started with ${configs[0]?.target ?? ''}`,
    ),
  ]);
}

/** What a name such as `$CONFIG` stands for where a command runs. */
function valueOf({ variables }: ShellCommand, name: string): string | undefined {
  const variable = /^\$\{?(\w+)\}?$/.exec(name)?.[1];
  return variable === undefined ? undefined : variables.get(variable)?.[0]?.text;
}

/** GPUs that `CUDA_VISIBLE_DEVICES` leaves to a command. */
function visibleGpus({ variables }: ShellCommand): Sourced<number> | undefined {
  const [word, ...more] = variables.get('CUDA_VISIBLE_DEVICES') ?? [];
  if (word === undefined || more.length > 0 || word.unresolved || !/^\d+(?:,\d+)*$/.test(word.text)) return undefined;
  return { value: word.text.split(',').length, origin: 'file', at: { span: word.span }, label: 'CUDA_VISIBLE_DEVICES' };
}

/** A file that two readers name at one place is one link. */
function onePlace(references: readonly Reference[]): Reference[] {
  const places = new Map(references.map((reference) => [`${reference.at.span.start} ${reference.target}`, reference]));
  return [...places.values()];
}

function read(tree: ConfigTree, companion: ReadCompanion): DialectReading {
  const { text } = tree;
  const commands = scriptCommands(text);
  const cluster = batchCluster(tree);
  const files = writtenFiles(text);
  const room: Finding[] = [];
  const launches = commands.flatMap((command) => {
    const launched = launchedBy(command);
    if (launched === undefined) return [];
    const embedded = (path: string): MapNode | undefined =>
      files.findLast(({ name }) => name === path || valueOf(command, name) === path)?.root;
    const gpus = visibleGpus(command);
    const machines = gpus === undefined ? cluster : { ...cluster, gpusPerNode: gpus };
    const launch = readLaunch(launched, { text, read: companion, cluster: machines, embedded });
    if (gpus !== undefined && launch.complete) room.push(...roomFindings(launch, { ...ALONE, gpus }));
    return [launch];
  });
  const reading = combine(launches, room);
  const { plan } = reading;
  return {
    ...reading,
    plan: launches.length > 0 ? plan : { ...plan, task: 'training', cluster },
    references: onePlace([...reading.references, ...namedConfigs(commands, text)]),
  };
}

/** Launch scripts: what they start is read with the meaning of the program that they start. */
export const shell: Dialect = { id: 'shell', title: 'Launch script', languages: ['arguments'], detect, read };
