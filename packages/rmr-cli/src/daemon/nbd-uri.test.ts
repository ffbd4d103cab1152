/** Addresses of exports, as programs take them apart again: no name may end its own address. */
import { nbdUri } from "./nbd-uri.js"

describe("the URI of an export", () => {
  it.each([
    [{ path: "/run/rmr/nbd.sock" }, "vault", "nbd+unix:///vault?socket=/run/rmr/nbd.sock"],
    [{ path: "/my disks/a&b#c?d" }, "a#1", "nbd+unix:///a%231?socket=/my%20disks/a%26b%23c%3Fd"],
    [{ host: "10.0.0.1", port: 10_809 }, "a?b/c d", "nbd://10.0.0.1:10809/a%3Fb%2Fc%20d"],
    [{ host: "::1", port: 10_809 }, "100%", "nbd://[::1]:10809/100%25"],
  ])("at %j of %s can be told apart again", (at, name, uri) => {
    expect(nbdUri(at, name)).toBe(uri)
    const parsed = new URL(uri)
    expect(decodeURIComponent(parsed.pathname.slice(1))).toBe(name)
    if ("path" in at) expect(parsed.searchParams.get("socket")).toBe(at.path)
  })
})
