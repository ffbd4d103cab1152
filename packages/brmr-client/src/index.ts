/**
 * @rmr/brmr-client: a block device over a pool. `nbd/` exports volumes to kernels, virtual machines
 * and tools.
 */
export * from "./nbd/index.js"
