/**
 * @rmr/brmr-client: a block device over a pool. `device/` maps a pool as one; `nbd/` exports
 * volumes to kernels, virtual machines and tools.
 */
export * from "./device/index.js"
export * from "./nbd/index.js"
