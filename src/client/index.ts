/**
 * What an application in the mesh may use. `lightmesh/client` is a few lines and weighs nothing; `lightmesh/client/naming`
 * (live addresses), `lightmesh/client/grpc` (`etcd:///…` for grpc-js) and `lightmesh/client/register` (a service that lists
 * itself) bring a client of etcd: some 14 MB of memory, and as much again for grpc-js.
 */
export { type Environment, isHttpUpstream, resolveAddress, type UpstreamAddress } from './address.js';
