import type { ConfigTree } from '../../syntax/tree';
import { when, weigh } from '../common/evidence';
import { rootMap } from '../common/nodes';
import type { Detection, Dialect, DialectReading, ReadCompanion } from '../dialect';
import { kubernetes } from '../kubernetes/dialect';
import { kindOf, objectsOf } from '../kubernetes/manifest';
import { combine } from '../launch/combine';
import { roomFindings } from '../launch/room';
import { dynamoServices, serviceLaunches } from './services';

const KIND = /^Dynamo(?:GraphDeployment(?:Request)?|ComponentDeployment)$/;

function detect(tree: ConfigTree, _fileName: string): Detection | undefined {
  if (tree.language !== 'yaml' || !/dynamo/i.test(tree.text.slice(0, 65_536))) return servicesOnly(tree);
  const kind = objectsOf(tree)
    .map(kindOf)
    .find((name) => KIND.test(name));
  if (kind !== undefined) return weigh('dynamo', [when(true, 0.95, `kind ${kind}`)]);
  return servicesOnly(tree);
}

function servicesOnly(tree: ConfigTree): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language !== 'yaml') return undefined;
  const services = dynamoServices(root);
  return weigh('dynamo', [
    when(services.length > 0, 0.8, `services of \`dynamo serve\`: ${services.map(({ key }) => key).join(', ')}`),
  ]);
}

function read(tree: ConfigTree, companion: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  if (root === undefined || dynamoServices(root).length === 0) return kubernetes.read(tree, companion);
  const launches = serviceLaunches(root, { text: tree.text, read: companion });
  const room = launches.flatMap((launch) => {
    const { gpusPerNode } = launch.reading.plan.cluster;
    return gpusPerNode === undefined
      ? []
      : roomFindings(launch, { environment: new Map(), grouped: false, gpus: gpusPerNode });
  });
  return combine(launches, room);
}

/** Dynamo's graphs: deployments on Kubernetes, and the service files of its first releases. */
export const dynamo: Dialect = { id: 'dynamo', title: 'Dynamo deployment', detect, read };
