/**
 * What sessions of every transport are made of: credits and their slots, requests in flight,
 * tickets, and what is handed over in a turn. How bytes travel is the transport's own (Carrier).
 */

export * from "./asked.js"
export { transportsByScheme } from "./by-scheme.js"
export * from "./credited-session.js"
export { Credits, NO_INDEX } from "./credits.js"
export { Deliveries } from "./deliveries.js"
export { EndpointSessions } from "./endpoint-sessions.js"
export * from "./greeting.js"
export * from "./request-id.js"
export { SessionIds } from "./session-ids.js"
export * from "./terms.js"
