/** Labels, and what a selector of them takes. */
import type { Definition } from './definition.js';
import type { VersionSpec } from './version.js';

export type Labels = Readonly<Record<string, string>>;

/** All labels of the selector must be there; an empty selector selects everything. */
export function selects(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

/** Every instance has `app` and `version` besides its own labels, so that selectors written for Istio match. */
export function labelsOf(service: string, version: string, own: Labels): Labels {
  return { ...own, app: service, ...(version === '' ? {} : { version }) };
}

export function labelsOfVersion({ spec }: Definition<VersionSpec>): Labels {
  return labelsOf(spec.service, spec.version, spec.labels);
}
