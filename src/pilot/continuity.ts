/**
 * Does the store still hold the mesh that this pilot serves, and for a pilot that has just begun: the mesh that others serve?
 * As long as it does not, nothing is pushed: see history.ts of the store.
 */
import type { LostHistory } from '../model/leased-values.js';
import { valueOf } from '../model/stored-value.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { parseEpoch } from '../store/epoch.js';
import { followHistory, isWitness, lostIn, noHistory } from '../store/history.js';
import type { Keys } from '../store/keys.js';
import type { Mirror, MirrorBatch } from '../store/store.js';

const ASK_AGAIN_MS = 200;
const WAY_OUT =
  'restore the store, or look at what it holds (`mesh store status`) and take it as it is with `mesh store adopt`';

export interface ContinuityOptions {
  readonly pilot: string;
  readonly keys: Keys;
  readonly mirror: () => Pick<Mirror, 'entries' | 'epoch'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** What is said of itself has become another. */
  readonly onChange: () => void;
}

interface Dispute {
  /** Where it is said. */
  readonly key: string;
  readonly by: string;
  readonly lost: LostHistory;
}

export interface Continuity {
  /** To be called with every batch. True when the store has just become one to go on with. */
  follow(batch: MirrorBatch): boolean;
  /** The last good view stays. */
  readonly isLost: boolean;
  /** For `pilot/<id>`. */
  lost(): LostHistory | undefined;
  /** For people, with the way out; empty while there is nothing to say. */
  reason(): string;
  /** Resolves when nobody who lives knows a mesh that this store has lost, this pilot included. */
  untilUndisputed(signal: AbortSignal): Promise<void>;
}

export function followContinuity(options: ContinuityOptions): Continuity {
  const { pilot, keys, mirror, clock, log, onChange } = options;
  let history = noHistory;
  /** Of somebody else, while this pilot has nothing of its own to compare with. */
  let dispute: Dispute | undefined;

  const reason = (): string => {
    if (history.lost !== undefined) return `frozen: ${history.lost}; the last good view is served on: ${WAY_OUT}`;
    if (dispute === undefined) return '';
    return `frozen: ${dispute.by} knows a mesh that this store has lost (${dispute.lost.reason}): ${WAY_OUT}`;
  };
  const disputed = (): Dispute | undefined => {
    const { entries, epoch } = mirror();
    for (const { key, value } of entries.values()) {
      const parsed = keys.parse(key);
      const isOther = parsed?.kind === 'node' || (parsed?.kind === 'pilot' && parsed.id !== pilot);
      const lost = isOther ? valueOf<{ lost?: LostHistory }>(value, [])?.lost : undefined;
      if (isOther && lost !== undefined && isWitness(lost, parseEpoch(epoch)))
        return { key, by: parsed.kind === 'node' ? `node ${parsed.node}` : `pilot ${parsed.id}`, lost };
    }
    return undefined;
  };
  /** Whoever objected and is gone has not taken it back: replaced one by one, pilots remember for each other. */
  const isRemembered = ({ key, lost }: Dispute): boolean => {
    return !mirror().entries.has(key) && isWitness(lost, parseEpoch(mirror().epoch));
  };
  return {
    follow(batch) {
      const { entries, epoch } = mirror();
      const before = history.lost;
      const head = entries.get(keys.revHead);
      history = followHistory(history, { ...batch, epoch: parseEpoch(epoch), head });
      if (history.lost === before) return false;
      if (history.lost !== undefined) log.error({ pilot }, reason());
      else log.warn({ pilot, epoch: history.epoch }, 'the store holds again what is to be served');
      onChange();
      return history.lost === undefined;
    },
    get isLost() {
      return history.lost !== undefined;
    },
    lost: () => lostIn(history) ?? dispute?.lost,
    reason,
    async untilUndisputed(signal) {
      for (;;) {
        const before = dispute;
        dispute = disputed() ?? (before !== undefined && isRemembered(before) ? before : undefined);
        if (before?.by !== dispute?.by) {
          if (dispute !== undefined) log.error({ pilot }, reason());
          onChange();
        }
        if (dispute === undefined && history.lost === undefined) return;
        await clock.sleep(ASK_AGAIN_MS, signal);
      }
    },
  };
}
