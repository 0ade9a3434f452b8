import { describe, expect, it } from "@effect/vitest"
import type { Unread } from "../../src/model/PortState.ts"
import { problemsOf, summaryOf } from "../../src/model/Problems.ts"
import { reuse } from "../../src/model/Reuse.ts"
import { narrowed } from "../../src/model/Search.ts"
import type { Allocation, ListeningPort, Socket } from "../../src/model/Types.ts"
import { firstServices } from "../../src/model/Window.ts"
import { workingCopies } from "../../src/model/WorkingCopies.ts"

const allocation = (id: number, app: string, service: string, port: number): Allocation => ({
  id,
  app,
  instance: "main",
  service,
  port,
  created_at: "2026-11-29T12:00:00Z",
  path: `/home/me/${app}`
})

const listening = (port: number, ...listeners: ReadonlyArray<Partial<Socket>>): ListeningPort => ({
  port,
  addresses: [],
  listener: {},
  listeners: listeners.map((socket) => ({ protocol: "tcp", state: "listening", ...socket }))
})

const allocations = [
  allocation(1, "blog", "web", 3000),
  allocation(2, "shop", "web", 3001),
  allocation(3, "shop", "db", 3002),
  allocation(4, "tool", "service-10", 3010),
  allocation(5, "tool", "service-9", 3009)
]
const none = { allocations: [] }

const statesOf = (found: ReadonlyArray<ListeningPort> | Unread) =>
  workingCopies(allocations, found, none, []).flatMap(({ services }) =>
    services.map((service) => [service.allocation.port, service.state])
  )

describe("the working copies", () => {
  it("come by name, their services in the order of numbers, each with its state", () => {
    const found = [
      listening(3000, { belongs: "yes" }, { belongs: "yes" }),
      listening(3002, { belongs: "unknown" }, { belongs: "yes" }),
      listening(3009, {})
    ]
    expect(statesOf(found)).toEqual([
      [3000, "listening"],
      [3002, "unknown"],
      [3001, "idle"],
      [3009, "unknown"],
      [3010, "idle"]
    ])
  })

  it.each(["reading", "unreadable"] as const)("have no port that is called idle while the sockets are %s", (unread) => {
    expect(new Set(statesOf(unread).map(([, state]) => state))).toEqual(new Set([unread]))
    const [copy] = workingCopies(allocations, unread, none, [])
    expect(copy === undefined ? "" : summaryOf(copy)).toBe("1 port")
  })

  it("come first where something foreign is beside the own process, then where the folder is gone", () => {
    const found = [listening(3010, { belongs: "yes" }, { belongs: "no", command: "vite", cwd: "/home/me/blog" })]
    const copies = workingCopies(
      allocations,
      found,
      {
        allocations: allocations.slice(1, 2),
        kept: allocations.slice(2, 3).map((each) => ({ allocation: each, reason: "not_mounted" }))
      },
      []
    )
    expect(copies.map(({ app }) => app)).toEqual(["tool", "shop", "blog"])
    expect(problemsOf(copies)).toMatchObject([
      { title: "Port 3010 of tool/main service-10 is taken by vite", anchor: "port-3010" },
      { title: "The folder of shop/main is gone", detail: "/home/me/shop had 1 port, which nobody else gets." }
    ])
  })

  it("have containers: their own, and stopped ones, which are trouble when another project has them", () => {
    const container = (name: string, folder?: string) => ({
      id: name,
      name,
      image: "postgres",
      ...(folder === undefined ? {} : { folder })
    })
    const own = container("shop-web-1", "/home/me/shop")
    const copies = workingCopies(allocations, [listening(3001, { belongs: "yes", container: own })], none, [
      { port: 3002, container: container("shop-db-1", "/home/me/old-shop"), belongs: "yes" },
      { port: 3009, container: container("alone"), belongs: "unknown" },
      { port: 3000, container: container("inner-db-1", "/home/me/blog/.trees/inner"), belongs: "no", others: 1 }
    ])
    const services = copies.flatMap((copy) => copy.services)
    expect(
      services.map(({ allocation: { port }, reserved, state }) => [port, state, reserved?.container.name])
    ).toEqual([
      [3000, "idle", "inner-db-1"],
      [3002, "idle", "shop-db-1"],
      [3001, "container", undefined],
      [3009, "idle", "alone"],
      [3010, "idle", undefined]
    ])
    expect(problemsOf(copies)).toMatchObject([
      { title: "Port 3000 of blog/main web is published by a stopped container, inner-db-1" }
    ])
  })

  it("are found by each word of a search, and by state", () => {
    const copies = workingCopies(allocations, [listening(3001, { belongs: "yes", command: "Vite" })], none, [])
    const ports = (...args: readonly [string, "all" | "idle" | "running"]) =>
      narrowed(copies, ...args).flatMap(({ services }) => services.map((service) => service.allocation.port))
    expect(ports("shop", "all")).toEqual([3002, 3001])
    expect(ports("SHOP/main web", "all")).toEqual([3001])
    expect(ports("vite", "all")).toEqual([3001])
    expect(ports("shop", "idle")).toEqual([3002])
    expect(ports("", "running")).toEqual([3001])
    expect(ports("nobody", "all")).toEqual([])
  })

  it("are cut where a part of them is rendered", () => {
    const cut = firstServices(workingCopies(allocations, [], none, []), 2)
    expect(cut.map(({ app, services }) => [app, services.length])).toEqual([
      ["blog", 1],
      ["shop", 1]
    ])
  })

  it("stay the same objects while nothing changes in them", () => {
    const keep = reuse<ReturnType<typeof workingCopies>[number]>(({ key }) => key)
    const before = keep(workingCopies(allocations, [], none, []))
    const after = keep(workingCopies(allocations, [listening(3001, { belongs: "yes" })], none, []))
    expect(after.map((copy, index) => copy === before[index])).toEqual([true, false, true])
  })
})
