/**
 * What a member keeps in the cells of its store: one codec per kind, and no meaning elsewhere
 * (docs/adr/0003). docs/DATA_LAYOUT.md draws them.
 */
export {
  CELL_FORMAT,
  CELL_HEAD,
  CELL_OVERHEAD_BYTES,
  type CellCodec,
} from "./cell-codec.js"
export * from "./identity-cell.js"
export * from "./last-io-cell.js"
export * from "./map-cells.js"
export * from "./pool-metadata-cell.js"
export * from "./state-cell.js"
