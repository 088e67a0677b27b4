/** Colour where the reader can see it, and symbols that the terminal can show. State is always a word as well. */
import { styleText } from 'node:util';
import type { Io } from '../io.js';

export type Tone = 'good' | 'bad' | 'warn' | 'dim' | 'bold' | 'accent';

const formats = { good: 'green', bad: 'red', warn: 'yellow', dim: 'gray', bold: 'bold', accent: 'cyan' } as const;

export interface Style {
  readonly unicode: boolean;
  /** The text in a colour, or as it is. */
  tone(tone: Tone, text: string): string;
  /** `✔`, `✖`, `!`, `→`, `·`, or what ASCII has for it. */
  readonly symbol: { readonly ok: string; readonly fail: string; readonly warn: string; readonly to: string };
}

const unicodeSymbols = { ok: '✔', fail: '✖', warn: '!', to: '→' };
const asciiSymbols = { ok: 'ok', fail: 'x', warn: '!', to: '->' };

export function styleFor(io: Pick<Io, 'env' | 'isTTY'>, stream: 'stdout' | 'stderr', allowed: boolean): Style {
  const color = allowed && wantsColor(io, stream);
  const unicode = isUnicode(io.env);
  return {
    unicode,
    // Whether to colour was decided above, from the stream that this text goes to and not from the process's stdout.
    tone: (tone, text) => (color ? styleText(formats[tone], text, { validateStream: false }) : text),
    symbol: unicode ? unicodeSymbols : asciiSymbols,
  };
}

function wantsColor(io: Pick<Io, 'env' | 'isTTY'>, stream: 'stdout' | 'stderr'): boolean {
  if (io.env['NO_COLOR']) return false;
  const forced = io.env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return io.isTTY[stream] && io.env['TERM'] !== 'dumb';
}

/** By the locale, in its order of precedence. No locale at all (a bare container) shows UTF-8 well enough today. */
function isUnicode(env: Io['env']): boolean {
  if (env['TERM'] === 'linux') return false;
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'];
  return locale === undefined || locale === '' || /utf-?8/i.test(locale);
}
