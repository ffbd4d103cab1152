/** Files and block devices behind the block-file port. */
export { createFile, type FileSourceOptions, fileSource } from "./file-source.js"
