/** Commands of a gray release: one transition, one revision. */
import type { DefinitionView } from '../../model/definition.js';
import { fullName } from '../../model/names.js';
import { effectiveStable, type Release } from '../../model/release.js';
import type { Change } from '../../model/revision.js';
import { suggestion } from '../../model/suggestion.js';
import { versionKind } from '../../model/version.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { type NextRevision, RELEASE_KIND } from '../changes.js';
import type { MeshState } from '../mesh-state.js';
import { settlingAdvice } from '../release/advice.js';
import { releaseFindings } from '../release/effect.js';
import { type GrayCommand, nextRelease } from '../release/next-release.js';
import { type CommandContext, type Decision, runCommand } from '../revisions.js';
import type { OverlayFinding } from '../translate/index.js';
import { requireService } from './known-names.js';

/** `from` is the version that plain traffic gets, unless it is given. */
export type GrayRequest =
  | (Omit<Extract<GrayCommand, { command: 'start' }>, 'stable' | 'gray'> & {
      readonly to: string;
      readonly from?: string | undefined;
    })
  | Exclude<GrayCommand, { command: 'start' }>;

export interface GrayTarget {
  readonly namespace: string;
  readonly service: string;
  readonly by: string;
  readonly why?: string | undefined;
}

export interface GrayResult {
  readonly release: Release;
  readonly revision: number;
  readonly storeRevision: bigint;
  readonly advice: readonly string[];
}

export async function gray(
  context: CommandContext,
  target: GrayTarget,
  request: GrayRequest,
  signal?: AbortSignal,
): Promise<GrayResult> {
  const { by, why } = target;
  const options = { command: `gray ${request.command}`, by, why, instances: true, signal };
  const committed = await runCommand(context, options, (state, next) => decideGray(state, target, request, next));
  const { release, advice } = committed.decision;
  // Every transition carries its own revision, so none is without a change.
  return { release, advice, revision: committed.revision, storeRevision: committed.storeRevision ?? 0n };
}

export interface GrayDecision extends Decision {
  readonly release: Release;
  readonly advice: readonly string[];
}

/** Throws MESH2005 for what does not exist, MESH2004 where the state forbids it, MESH2012 where the request makes no sense. */
export function decideGray(
  state: MeshState,
  target: GrayTarget,
  request: GrayRequest,
  next: NextRevision,
): GrayDecision {
  const { namespace, service } = target;
  const current = state.snapshot.releases.get(fullName(namespace, service));
  const command = request.command === 'start' ? startCommand(state, target, request, current) : request;
  const transition = { namespace, service, ...next, by: target.by, why: target.why ?? '' };
  const outcome = nextRelease(current, command, transition);
  if (outcome.kind !== 'next') throw refusal(outcome);
  const { release } = outcome;
  requireInstances(state, current, release);
  if (command.command === 'start') requireEffect(releaseFindings(state.snapshot, release), release);
  const change: Change = {
    kind: RELEASE_KIND,
    namespace,
    name: service,
    ...(current === undefined ? {} : { before: current }),
    after: release,
  };
  const advice = release.phase === 'succeeded' ? settlingAdvice(state.snapshot.definitions, release) : [];
  return { changes: [change], release, advice };
}

function refusal(outcome: { kind: 'none' | 'conflict' | 'refused'; message: string; hint: string }): MeshError {
  const code = { none: 'MESH2005', conflict: 'MESH2004', refused: 'MESH2012' } as const;
  return new MeshError(code[outcome.kind], outcome.message, { hint: outcome.hint });
}

function startCommand(
  state: MeshState,
  { namespace, service }: GrayTarget,
  { to, from, ...rest }: Extract<GrayRequest, { command: 'start' }>,
  current: Release | undefined,
): GrayCommand {
  const { definitions } = state.snapshot;
  const definition = requireService(state.snapshot, namespace, service);
  const effective = effectiveStable(definition.spec, current);
  if (current?.phase === 'succeeded' && effective !== definition.spec.stable) {
    throw new MeshError(
      'MESH2012',
      `the gray release of ${service} to ${current.gray} still stands in for the definitions`,
      { hint: `settle it first: ${settlingAdvice(definitions, current).join('; ')}` },
    );
  }
  const stable = from ?? effective;
  if (stable === undefined) {
    throw new MeshError('MESH2012', `Service ${namespace}/${service} has no stable version to release from`, {
      hint: 'write stable: VERSION into the Service, or name it with --from',
    });
  }
  const known = knownVersions(state, namespace, service);
  for (const version of [to, stable]) {
    if (known.includes(version)) continue;
    throw new MeshError('MESH2005', `version "${version}" of ${service} does not exist`, {
      hint: suggestion(version, known),
    });
  }
  return { ...rest, stable, gray: to };
}

/** Defined, or registered by itself. */
function knownVersions({ snapshot }: MeshState, namespace: string, service: string): readonly string[] {
  return [...new Set([...definedVersions(snapshot.definitions, namespace, service), ...registered()])].toSorted();

  function registered(): readonly string[] {
    const endpoints = snapshot.endpoints.get(fullName(namespace, service)) ?? [];
    return endpoints.map((endpoint) => endpoint.version).filter((version) => version !== '');
  }
}

function definedVersions(definitions: DefinitionView, namespace: string, service: string): readonly string[] {
  return definitions
    .all(versionKind)
    .filter((version) => version.namespace === namespace && version.spec.service === service)
    .map((version) => version.spec.version);
}

/** Nobody is sent to a version that has no healthy instance. Taking traffic away from one needs none. */
function requireInstances({ snapshot }: MeshState, before: Release | undefined, after: Release): void {
  const gainer = whoGains(before, after);
  if (gainer === undefined) return;
  const endpoints = snapshot.endpoints.get(fullName(after.namespace, after.service)) ?? [];
  if (endpoints.some((endpoint) => endpoint.version === gainer && endpoint.health === 'HEALTHY')) return;
  throw new MeshError('MESH2012', `${after.service} ${gainer} has no healthy instance that could take traffic`, {
    hint: `deploy it first, see: mesh ps ${after.service}`,
  });
}

function whoGains(before: Release | undefined, after: Release): string | undefined {
  switch (after.phase) {
    case 'step': {
      const isStart = before === undefined || before.startedAt !== after.startedAt;
      const hasMore = isStart ? after.weight > 0 || after.matches.length > 0 : after.weight > before.weight;
      return hasMore ? after.gray : undefined;
    }
    case 'succeeded':
      return after.gray;
    case 'undone':
      return after.stable;
    case 'paused':
    case 'rolled-back':
      return undefined;
  }
}

/** A release that would move nothing, or that no weight could hold, is refused with what was found. */
function requireEffect(findings: readonly OverlayFinding[], release: Release): void {
  const mixed = findings.filter((finding) => finding.effect === 'mixes');
  if (findings.some((finding) => finding.effect === 'shifts') && mixed.length === 0) return;
  const found = (mixed.length > 0 ? mixed : findings).map(describeFinding);
  const message =
    mixed.length > 0
      ? `destinations of ${release.service} select ${release.stable} and ${release.gray} together, so no weight can part them`
      : `no destination of ${release.service} selects just ${release.stable}, so there is nothing to shift`;
  throw new MeshError('MESH2012', `${message}; found: ${found.length === 0 ? 'none' : found.join(', ')}`, {
    hint: `route to ${release.stable} by a split, a subset by its labels, or by stable: ${release.stable} in the Service`,
  });
}

function describeFinding({ rule, versions }: OverlayFinding): string {
  const { kind, namespace, name } = rule.source;
  return `${kind} ${namespace}/${name} rule ${rule.name} -> ${versions.join(' and ') || 'no version'}`;
}
