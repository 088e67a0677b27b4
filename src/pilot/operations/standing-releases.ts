/**
 * What a change of definitions means for gray releases. A succeeded release stands in for its Service until the Service names
 * another version itself; a running one needs the Service and both versions.
 */
import { type DefinitionIndex, viewOf } from '../../model/definition.js';
import type { Problem } from '../../model/problem.js';
import { isActive, type Release } from '../../model/release.js';
import type { Change } from '../../model/revision.js';
import { serviceKind } from '../../model/service.js';
import { versionKind } from '../../model/version.js';
import { RELEASE_KIND } from '../changes.js';

export interface ReleaseConsequences {
  /** Releases that retire with this revision. */
  readonly changes: readonly Change[];
  readonly problems: readonly Problem[];
}

/** `touched` tells whether this command names the Service; only then it is told again that the release still stands. */
export function releaseConsequences(
  releases: ReadonlyMap<string, Release>,
  before: DefinitionIndex,
  after: DefinitionIndex,
  touched: (namespace: string, service: string) => boolean,
): ReleaseConsequences {
  const changes: Change[] = [];
  const problems: Problem[] = [];
  for (const release of releases.values()) {
    const service = viewOf(after).get(serviceKind, release.namespace, release.service);
    if (service === undefined || hasSettled(release, service.spec.stable)) {
      changes.push(retirement(release));
      continue;
    }
    for (const version of neededVersions(release)) {
      if (hasVersion(before, release, version) && !hasVersion(after, release, version)) {
        problems.push(lostVersion(release, version));
      }
    }
    if (release.phase === 'succeeded' && touched(release.namespace, release.service))
      problems.push(stillStands(release));
  }
  return { changes, problems };
}

function hasSettled(release: Release, stable: string | undefined): boolean {
  return release.phase === 'succeeded' && stable !== release.stable;
}

function retirement(release: Release): Change {
  return { kind: RELEASE_KIND, namespace: release.namespace, name: release.service, before: release };
}

function neededVersions(release: Release): readonly string[] {
  if (isActive(release)) return [release.stable, release.gray];
  return release.phase === 'succeeded' ? [release.gray] : [];
}

function hasVersion(index: DefinitionIndex, release: Release, version: string): boolean {
  return viewOf(index)
    .all(versionKind)
    .some(
      (definition) =>
        definition.namespace === release.namespace &&
        definition.spec.service === release.service &&
        definition.spec.version === version,
    );
}

function lostVersion(release: Release, version: string): Problem {
  return {
    code: 'MESH1010',
    severity: 'error',
    path: `Release ${release.namespace}/${release.service}`,
    message: `version "${version}" of ${release.service} is used by its gray release (${release.phase}, ${release.stable} to ${release.gray})`,
    hint:
      release.phase === 'succeeded'
        ? `write stable: ${release.gray} into Service ${release.service}, or mesh gray undo ${release.service}`
        : `end it first: mesh gray promote ${release.service} --full, or mesh gray rollback ${release.service}`,
  };
}

function stillStands(release: Release): Problem {
  return {
    code: 'MESH1017',
    severity: 'warning',
    path: `Service ${release.namespace}/${release.service} spec.stable`,
    message: `stable: ${release.stable} is kept as written, but ${release.gray} is effective since the gray release of revision ${release.revision} succeeded`,
    hint: `write stable: ${release.gray} to settle it, or go back with: mesh gray undo ${release.service}`,
  };
}
