/** Refusals as all pilots know them, `quarantine/<kind>/<ns>/<name>`: what one has learnt none learns again. */
import { describeDefinition } from '../../model/definition.js';
import type { Refusal } from '../../model/refusal.js';
import type { Logger } from '../../runtime/logger.js';
import { messageOf } from '../../runtime/mesh-error.js';
import type { EventLog } from '../../store/event-log.js';
import type { Entry, Store } from '../../store/store.js';
import { readRefusal } from '../stored-values.js';
import type { Quarantine } from './quarantine.js';

/** A store that is away does not hold up what is decided; this pilot knows it anyway. */
const WRITE_LIMIT_MS = 2_000;
/** An event's message has one sentence. */
const MAX_ERROR_CHARS = 300;

export interface RefusalLogOptions {
  readonly store: Pick<Store, 'keys' | 'transact'>;
  readonly entry: (key: string) => Entry | undefined;
  readonly quarantine: () => Pick<Quarantine, 'learn'>;
  readonly events: Pick<EventLog, 'record'>;
  readonly log: Logger;
}

export interface RefusalLog {
  /** What the store says of it. */
  follow(batch: {
    readonly puts: readonly Pick<Entry, 'key' | 'value'>[];
    readonly deletes: readonly { readonly key: string }[];
  }): void;
  write(refusal: Refusal): Promise<void>;
  remove(refusal: Refusal): void;
}

export function refusalLog({ store, entry, quarantine, events, log }: RefusalLogOptions): RefusalLog {
  const { keys } = store;
  const keyOf = ({ kind, namespace, name }: Refusal): string => keys.quarantine(kind, namespace, name);
  const learn = (key: string, value: string | undefined): void => {
    const parsed = keys.parse(key);
    if (parsed?.kind !== 'quarantine') return;
    const { defKind: kind, namespace, name } = parsed;
    const refusal = readRefusal(value);
    if (value !== undefined && refusal === undefined)
      log.warn({ key }, 'a refusal cannot be read, and is not known here');
    quarantine().learn({ kind, namespace, name }, refusal);
  };
  return {
    follow({ puts, deletes }) {
      for (const { key, value } of puts) learn(key, value);
      for (const { key } of deletes) learn(key, undefined);
    },
    async write(refusal) {
      const { kind, namespace, name, error, proxy } = refusal;
      const where = namespace === undefined ? {} : { namespace };
      const message = `Envoy of ${proxy} refuses what came of it: ${error.slice(0, MAX_ERROR_CHARS)}`;
      events.record({ reason: 'refused', tone: 'warning', kind, ...where, name, message });
      try {
        const put = [{ key: keyOf(refusal), value: JSON.stringify(refusal) }];
        await store.transact({ compare: [], put, delete: [] }, AbortSignal.timeout(WRITE_LIMIT_MS));
      } catch (failure) {
        const definition = describeDefinition({ kind, namespace, name });
        log.warn({ definition, reason: messageOf(failure) }, 'other pilots do not know yet that Envoy refuses it');
      }
    },
    remove(refusal) {
      const key = keyOf(refusal);
      const found = entry(key);
      if (found === undefined || readRefusal(found.value)?.digest !== refusal.digest) return;
      const compare = [{ key, modRevision: found.modRevision }];
      // Not written: it stays, and says nothing of any definition that there is.
      store.transact({ compare, put: [], delete: [key] }, AbortSignal.timeout(WRITE_LIMIT_MS)).catch(() => undefined);
    },
  };
}
