/** What Telemetries say for a proxy: the levels (mesh, namespace, instance) put together as Istio does (reference: 1.13). */
import { peerOf } from '../../dsl/provider.js';
import type { AccessLogging, CustomTag, TelemetryMode, TelemetrySpec, Tracing } from '../../dsl/telemetry-shape.js';
import { precedes } from '../../dsl/virtual-service.js';
import type { Definition } from '../../model/definition.js';
import { builtInProviders, type ExtensionProvider, findProvider } from '../../model/extension-provider.js';
import { selects } from '../../model/labels.js';
import { remember, sameContent, sameList } from './remember.js';
import type { Caller } from './rules.js';

export type Telemetry = Definition<TelemetrySpec>;
export type Side = Exclude<TelemetryMode, 'CLIENT_AND_SERVER'>;

export interface LogTo {
  readonly provider: ExtensionProvider;
  /** In CEL. */
  readonly filter: string | undefined;
}

export interface TraceTo {
  readonly provider: ExtensionProvider;
  readonly samplingPercent: number;
  readonly tags: Readonly<Record<string, CustomTag>>;
  readonly isByRequestId: boolean;
  readonly hasIstioTags: boolean;
  readonly isPassedOn: boolean;
}

/** For one side of a proxy. Undefined: it stays as it is. */
export interface Reports {
  readonly logs: readonly LogTo[] | undefined;
  readonly trace: TraceTo | undefined;
}

const DEFAULT_SAMPLING_PERCENT = 1;
const DEFAULT_LOG = builtInProviders[0] as ExtensionProvider; // the first of a list of our own

/** From the widest level to the narrowest; of several in one level the oldest. */
export const telemetriesFor: (
  all: readonly Telemetry[],
  caller: Caller,
  rootNamespace: string,
) => readonly Telemetry[] = remember(
  (all: readonly Telemetry[], caller: Caller, rootNamespace: string): readonly Telemetry[] => {
    const sorted = all.toSorted((a, b) => (precedes(a, b) ? -1 : 1));
    const labels = ({ spec }: Telemetry): Readonly<Record<string, string>> => spec.selector?.matchLabels ?? {};
    const isForAll = (one: Telemetry): boolean => Object.keys(labels(one)).length === 0;
    const isOwn = ({ namespace }: Telemetry): boolean => namespace === caller.namespace;
    const levels = [
      sorted.find((one) => one.namespace === rootNamespace && isForAll(one)),
      sorted.find((one) => isOwn(one) && caller.namespace !== rootNamespace && isForAll(one)),
      sorted.find((one) => isOwn(one) && !isForAll(one) && selects(labels(one), caller.labels)),
    ];
    return sameList(levels.filter((one) => one !== undefined));
  },
);

/** The same object for equal answers. */
export const reportsOf: (levels: readonly Telemetry[], defined: readonly ExtensionProvider[], side: Side) => Reports =
  remember(
    (levels: readonly Telemetry[], defined: readonly ExtensionProvider[], side: Side): Reports =>
      sameContent({
        logs: logsOf(
          levels.map(({ spec }) => spec.accessLogging).filter((one) => one.length > 0),
          defined,
          side,
        ),
        trace: traceOf(
          levels.flatMap(({ spec }) => spec.tracing.slice(0, 1)),
          defined,
          side,
        ),
      }),
  );

function isOn({ match }: Pick<AccessLogging, 'match'>, side: Side): boolean {
  const mode = match?.mode ?? 'CLIENT_AND_SERVER';
  return mode === 'CLIENT_AND_SERVER' || mode === side;
}

/** The narrowest level that names providers says which; each level says whether and what of them, the narrower ones last. */
function logsOf(
  levels: readonly (readonly AccessLogging[])[],
  defined: readonly ExtensionProvider[],
  side: Side,
): readonly LogTo[] | undefined {
  const own = levels.map((level) => level.filter((one) => isOn(one, side)));
  if (own.every((level) => level.length === 0)) return undefined;
  const named = own.map((level) => level.flatMap(({ providers }) => providers.map(({ name }) => name)));
  const wanted = named.findLast((names) => names.length > 0) ?? [DEFAULT_LOG.name];
  const logs = new Map<string, string | undefined>(
    wanted.includes(DEFAULT_LOG.name) ? [[DEFAULT_LOG.name, undefined]] : [],
  );
  let inherited: readonly string[] = [DEFAULT_LOG.name];
  for (const { providers, disabled, filter } of own.flat()) {
    if (providers.length > 0) inherited = providers.map(({ name }) => name);
    for (const name of inherited.filter((one) => wanted.includes(one))) {
      if (disabled) logs.delete(name);
      else logs.set(name, filter?.expression);
    }
  }
  return [...logs].flatMap(([name, filter]) => {
    const provider = findProvider(defined, name);
    return provider === undefined ? [] : [{ provider, filter }];
  });
}

/** Each level overrides what it says. */
function traceOf(levels: readonly Tracing[], defined: readonly ExtensionProvider[], side: Side): TraceTo | undefined {
  const own = levels.filter((one) => isOn(one, side));
  const last = <Value>(read: (one: Tracing) => Value | undefined): Value | undefined =>
    own.map(read).findLast((value) => value !== undefined);
  const name = last(({ providers }) => providers[0]?.name);
  const provider = name === undefined ? undefined : findProvider(defined, name);
  if (provider === undefined || last((one) => one.disableSpanReporting) === true) return undefined;
  return {
    provider,
    samplingPercent: last((one) => one.randomSamplingPercentage) ?? DEFAULT_SAMPLING_PERCENT,
    tags: last(({ customTags }) => (Object.keys(customTags).length === 0 ? undefined : customTags)) ?? {},
    isByRequestId: last((one) => one.useRequestIdForTraceSampling) ?? true,
    hasIstioTags: last((one) => one.enableIstioTags) ?? true,
    isPassedOn: last((one) => one.disableContextPropagation) !== true,
  };
}

/** Providers of both sides that report to somebody. */
export function reportingProviders(sides: readonly Reports[]): readonly ExtensionProvider[] {
  const all = sides.flatMap(({ logs = [], trace }) => [
    ...logs.map(({ provider }) => provider),
    ...(trace ? [trace.provider] : []),
  ]);
  return [...new Set(all)].filter((provider) => peerOf(provider) !== undefined);
}
