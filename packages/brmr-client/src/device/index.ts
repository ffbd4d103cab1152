/** A pool as a block device: mapped, remapped and unmapped on all of its legs. */
export * from "./device.js"
