/**
 * Addresses of sockets: what reads, reads back, and nonsense is refused before anybody is asked.
 */
import { formatSocketAddress, parseSocketAddress } from "./index.js"

it.each([
  ["127.0.0.1:80", "127.0.0.1", 80],
  ["[::1]:0", "::1", 0],
  ["[fe80::1%eth0]:7", "fe80::1%eth0", 7],
  ["storage-1.example.org:65535", "storage-1.example.org", 65_535],
  ["localhost:1", "localhost", 1],
])("%s is a host and a port, and reads back", (text, host, port) => {
  expect(parseSocketAddress(text)).toEqual({ host, port })
  expect(formatSocketAddress({ host, port })).toBe(text)
})

it.each([
  "",
  ":80",
  "host",
  "host:",
  "host:65536",
  "host:-1",
  "host:1:2",
  "::1:80",
  "[::1]",
  "[::1]:80x",
  "[host]:80",
  "[1.2.3.4]:80",
  "ho st:80",
  "host/path:80",
  "300.1.1.1:80",
  "1.2.3:80",
  "-host:80",
  `${"a".repeat(64)}:80`,
])('"%s" is refused with invalid-argument', (text) => {
  expect(() => parseSocketAddress(text)).toThrow("invalid-argument")
})
