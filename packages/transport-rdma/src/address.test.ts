import { parseRdmaAddress, parseRoutes, ROUTES_MAX } from "./address.js"

const to = (host: string, port = 4710) => ({ from: "", to: { host, port } })

it.each([
  ["rdma://10.0.0.1:4710", [to("10.0.0.1")]],
  ["rdma:[::1]:7", [to("::1", 7)]],
  ["rdma://10.0.0.1:4710,storage-1:4710", [to("10.0.0.1"), to("storage-1")]],
  ["rdma://10.0.0.9@10.0.0.1:4710", [{ ...to("10.0.0.1"), from: "10.0.0.9" }]],
  ["rdma://fe80::9@[fe80::1]:4710,b:1", [{ ...to("fe80::1"), from: "fe80::9" }, to("b", 1)]],
])("%s names its paths", (address, routes) => {
  expect(parseRoutes(address)).toEqual(routes)
})

it.each([
  ["tcp://10.0.0.1:4710", "unsupported"],
  ["rdma", "unsupported"],
  ["rdma://", "invalid-argument"],
  ["rdma://10.0.0.1:0", "invalid-argument"],
  ["rdma://10.0.0.1:4710,", "invalid-argument"],
  ["rdma://,10.0.0.1:4710", "invalid-argument"],
  ["rdma://here@10.0.0.1:4710", "invalid-argument"],
  ["rdma://10.0.0.9@", "invalid-argument"],
  [
    `rdma://${Array(ROUTES_MAX + 1)
      .fill("10.0.0.1:4710")
      .join()}`,
    "invalid-argument",
  ],
])("%s is refused", (address, code) => {
  expect(() => parseRoutes(address)).toThrow(code)
})

it("nobody listens at several places under one name", () => {
  expect(() => parseRdmaAddress("rdma://10.0.0.1:4710,10.0.1.1:4710")).toThrow("invalid-argument")
})
