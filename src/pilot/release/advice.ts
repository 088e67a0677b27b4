/** Which lines of the definitions still name the old version after a release has succeeded, as text for people. Pure. */
import { destinationRuleKind } from '../../dsl/destination-rule.js';
import { clusterKind, type Deploy, deployKey } from '../../model/cluster.js';
import type { DefinitionView } from '../../model/definition.js';
import type { Release } from '../../model/release.js';
import { routeKind } from '../../model/route.js';
import { serviceKind } from '../../model/service.js';

export function settlingAdvice(definitions: DefinitionView, release: Release): readonly string[] {
  const { namespace, service, stable, gray } = release;
  const line = (object: string, path: string): string => `${object} ${path}: ${stable} -> ${gray}`;
  const own = definitions.get(serviceKind, namespace, service);
  const stableLine = own?.spec.stable === stable ? [line(`Service ${namespace}/${service}`, 'spec.stable')] : [];
  const deploys = definitions.all(clusterKind).flatMap((cluster) =>
    cluster.spec.deploy.flatMap((deploy, i) => {
      const names = deploy.service === service && deploy.namespace === namespace && deploy.version === stable;
      return names
        ? [deployLine(cluster, i, gray) ?? line(`Cluster ${cluster.name}`, `spec.deploy[${i}].version`)]
        : [];
    }),
  );
  const routes = definitions
    .all(routeKind)
    .filter((route) => route.namespace === namespace && route.spec.service === service)
    .flatMap((route) =>
      route.spec.rules.flatMap((rule, i) =>
        rule.split.flatMap((part, j) =>
          part.version === stable
            ? [line(`Route ${namespace}/${route.name}`, `spec.rules[${i}].split[${j}].version`)]
            : [],
        ),
      ),
    );
  return [...stableLine, ...deploys, ...routes, ...subsetLines(definitions, release, line)];
}

/** Where the cluster runs the new version already, the changed entry would be that one a second time. */
function deployLine(
  { name, spec }: { readonly name: string; readonly spec: { readonly deploy: readonly Deploy[] } },
  index: number,
  gray: string,
): string | undefined {
  const changed = { ...(spec.deploy[index] as Deploy), version: gray };
  const twin = spec.deploy.findIndex((deploy) => deployKey(deploy) === deployKey(changed));
  if (twin < 0) return undefined;
  const numbers = changed.instances === undefined ? `perNode ${changed.perNode}` : `instances ${changed.instances}`;
  return `Cluster ${name} spec.deploy[${index}]: remove, and add its ${numbers} to spec.deploy[${twin}]`;
}

function subsetLines(
  definitions: DefinitionView,
  { service, stable }: Release,
  line: (object: string, path: string) => string,
): readonly string[] {
  return definitions.all(destinationRuleKind).flatMap((rule) => {
    // The host may be short or long; its first label is the service either way.
    if (rule.spec.host.split('.')[0] !== service) return [];
    return (rule.spec.subsets ?? []).flatMap((subset, i) => {
      const object = `DestinationRule ${rule.namespace}/${rule.name}`;
      return subset.labels?.['version'] === stable ? [line(object, `spec.subsets[${i}].labels.version`)] : [];
    });
  });
}
