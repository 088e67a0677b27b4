/** The flags that several commands share, each described once. */
import { Option } from 'commander';
import { type CommandSpec, type OutputFormat, outputFormats, type SharedFlag } from './command.js';

const CONVERSATION = 'Flags of every command:';
const CONNECTION = 'Which mesh:';

const shared: Readonly<Record<SharedFlag, readonly [flags: string, description: string]>> = {
  namespace: ['-n, --namespace <name>', 'namespace (default: the context\'s, or "default")'],
  allNamespaces: ['-A, --all-namespaces', 'look into every namespace'],
  selector: ['-l, --selector <labels>', 'only what has these labels: a=b,c=d'],
  watch: ['-w, --watch', 'stay and show changes; with -o json one document per line'],
};

const server: readonly (readonly [string, string])[] = [
  ['-c, --context <name>', 'context from ~/.config/lightmesh/config.yaml'],
  ['--server <url>', "the pilot's HTTP API (default: MESH_SERVER, or http://127.0.0.1:7070)"],
];

const store: readonly (readonly [string, string])[] = [
  ['--store <url>', 'the store itself, etcd://host:port or embedded:DIR (break-glass where a pilot is the rule)'],
  ['--etcd-ca <file>', 'with etcds://, the CA that signed the certificates of etcd (or MESH_ETCD_CA)'],
  ['--etcd-cert <file>', 'with etcds://, the certificate to show (or MESH_ETCD_CERT)'],
  ['--etcd-key <file>', 'with etcds://, the key of that certificate (or MESH_ETCD_KEY)'],
  ['--etcd-user <name>', 'user of an etcd with auth on (or MESH_ETCD_USER); the password is in MESH_ETCD_PASSWORD'],
  ['--timeout <duration>', 'of each request, and of waiting where a command waits (default: 30s)'],
];

const conversation: readonly (readonly [string, string])[] = [
  ['-y, --yes', 'answer yes to every question'],
  ['--no-input', 'ask no question: fail instead'],
  ['--no-color', 'no colour (as NO_COLOR=1)'],
  ['-q, --quiet', 'only answers and errors'],
  ['--verbose', 'say what an error came from'],
];

/** All that may stand before the command's name. */
export function everyFlag(): Option[] {
  const sharedOptions = Object.values(shared).map(([flags, description]) => new Option(flags, description));
  return [...sharedOptions, outputOption(outputFormats), ...connectionFlags('api'), ...conversationFlags()].map(
    (option) => option.helpGroup(CONVERSATION),
  );
}

export function flagsOf(spec: CommandSpec): Option[] {
  return [
    ...(spec.takes ?? []).map((flag) => new Option(...shared[flag])),
    ...(spec.output === undefined ? [] : [outputOption(spec.output)]),
    ...connectionFlags(spec.connects),
    ...conversationFlags(),
  ];
}

function outputOption(formats: readonly OutputFormat[]): Option {
  return new Option('-o, --output <format>', `${formats.join(', ')} (default: ${formats[0]})`);
}

function connectionFlags(connects: CommandSpec['connects']): Option[] {
  const flagsOfIt = connects === undefined ? [] : connects === 'api' ? [...server, ...store] : store;
  return flagsOfIt.map(([flags, description]) => new Option(flags, description).helpGroup(CONNECTION));
}

function conversationFlags(): Option[] {
  return conversation.map(([flags, description]) => new Option(flags, description).helpGroup(CONVERSATION));
}
