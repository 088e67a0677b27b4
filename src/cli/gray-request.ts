/** What the gray commands have in common: whom they mean, and how they report what they did. */
import type { GrayResponse } from '../model/api.js';
import type { GrayCommand } from './api-client.js';
import { type CommandSpec, defineCommand, type OptionSpec, type OutputFormat, type SharedFlag } from './command.js';
import { writeAnswer } from './output/answer.js';
import { formatGrayLine, nextCommands } from './output/gray-status.js';
import type { Session } from './session.js';
import { messageOption, waitForProxiesOption } from './shared-options.js';
import { waitForProxies } from './wait-for-proxies.js';

export interface GrayOptions {
  readonly message?: string;
  readonly wait?: boolean;
}

export const serviceArgument = { syntax: '<service>', description: 'the service', completes: 'services' } as const;

export const grayOptions: readonly OptionSpec[] = [messageOption, waitForProxiesOption];

export const grayFlags: { takes: readonly SharedFlag[]; output: readonly OutputFormat[]; connects: 'api' } = {
  takes: ['namespace'],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
};

/** The commands that only name a service and move its release: they differ in their verb and in their words. */
export function grayCommand(
  verb: GrayCommand,
  words: Pick<CommandSpec, 'details' | 'examples'> & { readonly full?: OptionSpec },
): CommandSpec<GrayOptions & { readonly full?: boolean }> {
  const { full, ...described } = words;
  return defineCommand<GrayOptions & { readonly full?: boolean }>({
    ...described,
    arguments: [serviceArgument],
    options: full === undefined ? grayOptions : [full, ...grayOptions],
    ...grayFlags,
    async run(session, [service = ''], options) {
      const api = await session.api();
      const request = { ...session.author(options.message), ...(options.full === true ? { full: true } : {}) };
      const response = await api.grayCommand(session.settings.namespace, service, verb, request);
      await concludeGray(session, response, options.wait);
    },
  });
}

/** Shows what changed, waits if asked, and says what can be typed next. */
export async function concludeGray(session: Session, response: GrayResponse, wait: boolean | undefined): Promise<void> {
  const { status, advice } = response;
  if (wait === true) await waitForProxies(session, await session.api(), response.storeRevision);
  await writeAnswer(session, {
    value: { apiVersion: 'mesh/v1', kind: 'GrayResult', ...response },
    names: [`${status.namespace}/${status.service}`],
    text: `${formatGrayLine(status, session.style)}\n`,
  });
  if (advice.length > 0) session.say(`It stays so until your definitions say it themselves:\n  ${advice.join('\n  ')}`);
  const { acked, total } = status.proxies;
  if (acked < total) session.say(`${acked} of ${total} proxies have acknowledged so far. Who lags: mesh proxy status`);
  const next = nextCommands(status).map((command) => `\n  ${command}`);
  session.say(`Revision ${response.revision}. Next:${next.join('')}`);
}
