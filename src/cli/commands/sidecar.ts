import type { NodePlan, PlannedInstance } from '../../model/node-plan.js';
import { suggestion } from '../../model/suggestion.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';

interface Options {
  readonly proxylessBootstrap?: boolean;
  readonly instance?: string;
  readonly pilot?: readonly string[];
}

interface Planned {
  readonly plan: NodePlan;
  readonly instance: PlannedInstance;
}

export const command = defineCommand<Options>({
  details:
    'A gRPC client that speaks xDS calls the mesh by itself: with `xds:///host:port` as its target, and with this file named by GRPC_XDS_BOOTSTRAP.',
  examples: [
    {
      line: 'mesh sidecar web --proxyless-bootstrap > grpc-bootstrap.json',
      what: 'for a gRPC client that calls as the service web, without a sidecar',
    },
    {
      line: 'mesh sidecar web --proxyless-bootstrap --instance web-v1-2 --pilot pilot.example:15010',
      what: 'as one of several instances, at a pilot behind a name',
    },
  ],
  arguments: [{ syntax: '<service>', description: 'who calls', completes: 'services' }],
  options: [
    { flags: '--proxyless-bootstrap', description: 'print the xDS bootstrap of a gRPC client' },
    {
      flags: '--instance <name>',
      description: 'which of its instances, when there are several',
      completes: 'instances',
    },
    {
      flags: '--pilot <host:port>',
      description: 'xDS of a pilot, instead of all that are live; repeatable',
      repeats: true,
    },
  ],
  takes: ['namespace'],
  connects: 'api',
  async run(session, [service = ''], { proxylessBootstrap = false, instance, pilot }) {
    if (!proxylessBootstrap) {
      throw new MeshError('MESH2007', 'there is nothing to print', { hint: 'add --proxyless-bootstrap' });
    }
    const api = await session.api();
    const { namespace } = session.settings;
    const { plans } = await api.plan({ namespace });
    const caller = oneOf(ofService(plans, namespace, service), service, instance);
    const pilots = pilot ?? (await api.status()).pilots.map(({ xds }) => xds).filter((xds) => xds !== '');
    const { grpcBootstrap } = await import('../../planner/grpc-bootstrap.js');
    session.write(`${JSON.stringify(grpcBootstrap(caller.plan, caller.instance, pilots), null, 2)}\n`);
  },
});

function ofService(plans: readonly NodePlan[], namespace: string, service: string): readonly Planned[] {
  const all = plans.flatMap((plan) => plan.instances.map((instance) => ({ plan, instance })));
  const own = all.filter(({ instance }) => instance.namespace === namespace);
  const found = own.filter(({ instance }) => instance.service === service);
  if (found.length > 0) return found;
  throw new MeshError('MESH2005', `no instance of "${service}" is planned in ${namespace}`, {
    hint: suggestion(
      service,
      own.map(({ instance }) => instance.service),
    ),
  });
}

function oneOf(planned: readonly Planned[], service: string, wanted: string | undefined): Planned {
  const names = planned.map(({ instance }) => instance.instance);
  const [only, ...others] = planned.filter(({ instance }) => wanted === undefined || instance.instance === wanted);
  if (only !== undefined && others.length === 0) return only;
  if (only === undefined) {
    throw new MeshError('MESH2005', `${service} has no instance "${wanted}"`, {
      hint: suggestion(wanted ?? '', names),
    });
  }
  throw new MeshError('MESH2007', `${service} has ${names.length} instances`, {
    hint: `say which one calls: --instance ${names.join(', or ')}`,
  });
}
