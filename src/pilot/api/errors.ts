/** Every failure as the API's one shape of errors. */
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { ErrorBody } from '../../model/api.js';
import type { ErrorCode } from '../../runtime/error-codes.js';
import type { Logger } from '../../runtime/logger.js';
import { MeshError, messageOf } from '../../runtime/mesh-error.js';
import { InvalidInput } from '../operations/invalid-input.js';

/** Those that are not in it are ours to mend: 500. */
const statusByCode: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  MESH2001: 503,
  MESH2002: 503,
  MESH2003: 504,
  MESH2004: 409,
  MESH2005: 404,
  MESH2007: 400,
  MESH2008: 503,
  MESH2012: 422,
  MESH2015: 422,
  MESH2016: 403,
  MESH2054: 409,
};

export function errorResponse(context: Context, error: unknown, log: Logger): Response {
  const failure = error instanceof MeshError ? error : new MeshError('MESH2000', `internal error: ${messageOf(error)}`);
  const status = statusByCode[failure.code] ?? 500;
  if (status === 500) {
    const stack = error instanceof Error ? error.stack : undefined;
    log.error(
      { method: context.req.method, path: context.req.path, error: messageOf(error), stack },
      'a request failed',
    );
  }
  return context.json(bodyOf(failure), status);
}

export function bodyOf(failure: MeshError): ErrorBody {
  return {
    error: {
      code: failure.code,
      message: failure.message,
      ...(failure.hint === undefined ? {} : { hint: failure.hint }),
      ...(failure instanceof InvalidInput ? { problems: failure.problems } : {}),
    },
  };
}
