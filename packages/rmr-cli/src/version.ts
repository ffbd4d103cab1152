/** Name and version of this program, as peers and people read it. */
export const VERSION = "0.0.0"
export const SOFTWARE: string = `rmr ${VERSION}`
