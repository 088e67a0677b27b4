/** What an error means for the shell: the exit codes of docs/reference/exit-codes.md. */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 10 | 130;

export interface ErrorCodeInfo {
  readonly title: string;
  readonly exit: ExitCode;
  readonly cause: string;
  readonly cure: string;
}

/**
 * Codes of operations that failed (2000 and up; input problems are 1000 and up, in model/problem.ts).
 * A code never changes its meaning, and a retired one is never used again.
 */
export const errorCodes = {
  MESH2000: {
    title: 'internal error',
    exit: 1,
    cause: 'A defect of lightmesh.',
    cure: 'Report it with the output of the command run again with --verbose.',
  },
  MESH2001: {
    title: 'store unreachable',
    exit: 6,
    cause: 'No etcd endpoint answered in time.',
    cure: 'Check the address in --store and that etcd runs there.',
  },
  MESH2002: {
    title: 'pilot unreachable',
    exit: 6,
    cause: 'The pilot did not answer on its HTTP address.',
    cure: 'Start one with `mesh up` or `mesh pilot`, or name it with --server.',
  },
  MESH2003: {
    title: 'timed out',
    exit: 6,
    cause: 'The operation was not finished within --timeout.',
    cure: 'Look at `mesh status`, then try again or wait longer with --timeout.',
  },
  MESH2004: {
    title: 'conflict',
    exit: 5,
    cause: 'The mesh moved to a newer revision, or somebody else holds the lock.',
    cure: 'Read the current state (`mesh history`) and try again.',
  },
  MESH2005: {
    title: 'not found',
    exit: 4,
    cause: 'There is no object of that kind and name.',
    cure: 'List what exists with `mesh get KIND`.',
  },
  MESH2006: {
    title: 'store refused',
    exit: 1,
    cause: 'etcd answered with an error: quota, size, permission.',
    cure: 'Read the message; `mesh store status` shows quota and alarms.',
  },
  MESH2007: {
    title: 'wrong usage',
    exit: 2,
    cause: 'An argument or a flag is missing, unknown or malformed.',
    cure: 'See `mesh COMMAND --help`.',
  },
  MESH2008: {
    title: 'not ready',
    exit: 6,
    cause: 'The pilot has no complete view of the store yet.',
    cure: 'Wait; `/readyz` says what is missing.',
  },
  MESH2009: {
    title: 'Docker failed',
    exit: 1,
    cause: 'The Docker engine or compose answered with an error.',
    cure: 'Read the message; `mesh doctor` checks the engine.',
  },
  MESH2010: {
    title: 'address in use',
    exit: 1,
    cause: 'Another process listens on that address.',
    cure: 'Stop it or choose another address.',
  },
  MESH2011: {
    title: 'data directory in use',
    exit: 5,
    cause: 'Another process holds the lock file of the embedded store.',
    cure: 'Stop it (`mesh down`) or choose another --data-dir.',
  },
  MESH2012: {
    title: 'gray release refused',
    exit: 3,
    cause: 'The request does not fit the routes or the state of the release.',
    cure: 'See `mesh gray status SERVICE`.',
  },
  MESH2013: {
    title: 'deployment failed',
    exit: 1,
    cause: 'A node did not reach its plan in time.',
    cure: 'See `mesh ps` and `mesh logs SERVICE`.',
  },
  MESH2014: {
    title: 'journal damaged',
    exit: 1,
    cause:
      'The journal of the embedded store does not match its checksums, or is shorter than what was safe on the disk.',
    cure: 'Bring back a backup with `mesh store restore FILE --store embedded:DIR --replace`.',
  },
  MESH2015: {
    title: 'input invalid',
    exit: 3,
    cause: 'The definitions have mistakes; nothing of them was applied.',
    cure: 'Correct what the problems name; `mesh validate -f FILE` finds them without a pilot.',
  },
  MESH2016: {
    title: 'source refused',
    exit: 1,
    cause: 'The request came in plain text from an address outside of the trusted networks.',
    cure: 'Start the pilot with --trusted-network CIDR that covers the caller.',
  },
  MESH2017: {
    title: 'node has an agent',
    exit: 5,
    cause: 'Another agent of this node is alive, or its lease in the store is.',
    cure: 'Stop the other one, or give this machine a Node of its own; after a crash elsewhere wait for the lease (10 s).',
  },
  MESH2018: {
    title: 'refused by Envoy',
    exit: 1,
    cause: 'A proxy refused what came of a definition; it was undone, and the one before stays in effect.',
    cure: "Read Envoy's words, correct the definition and apply it again.",
  },
  MESH2030: {
    title: 'not confirmed',
    exit: 1,
    cause: 'The question before a destructive step was not answered with yes.',
    cure: 'Answer y, or give -y.',
  },
  MESH2031: {
    title: 'mesh did not start',
    exit: 1,
    cause: 'The process that was started in the background ended, or was not ready in time.',
    cure: 'Read its log; the message names the file.',
  },
  MESH2050: {
    title: 'store incomplete',
    exit: 5,
    cause: 'A copy or a restore into this store was interrupted: a part of the mesh is missing.',
    cure: 'Type the same `mesh store copy` or `mesh store restore` again; it goes on where it was.',
  },
  MESH2051: {
    title: 'pilots still run',
    exit: 5,
    cause: 'A pilot serves from the store that is to be copied or overwritten.',
    cure: 'Stop the pilots that the message names; proxies go on with what they have.',
  },
  MESH2052: {
    title: 'store not empty',
    exit: 5,
    cause: 'The store that is to be written holds a mesh already.',
    cure: 'Choose another one, or give --replace to overwrite it.',
  },
  MESH2053: {
    title: 'backup not usable',
    exit: 3,
    cause: 'The file is no backup of lightmesh, or it was changed or cut short.',
    cure: 'Use another copy of it.',
  },
  MESH2054: {
    title: 'store is not the one that is served',
    exit: 5,
    cause:
      'The store was wiped, restored or exchanged: pilots are frozen, and what it holds must not be built upon unseen.',
    cure: 'See `mesh store status`; restore a backup, or take the store as it is with `mesh store adopt`.',
  },
} as const satisfies Record<string, ErrorCodeInfo>;

export type ErrorCode = keyof typeof errorCodes;
