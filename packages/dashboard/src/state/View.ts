import { signal } from "@preact/signals"
import type { StateFilter } from "../model/Search.ts"

/** The parts of the page. */
export const tabs = ["ports", "listeners", "history", "server"] as const
/** A part of the page. */
export type Tab = (typeof tabs)[number]

/** The part that the address names: itself, or one of the ports. */
const tabOf = (hash: string): Tab | undefined =>
  hash.startsWith("#port-") ? "ports" : tabs.find((tab) => `#/${tab}` === hash)

/** The part that is shown: the one that the address names. */
export const tab = signal<Tab>(tabOf(location.hash) ?? "ports")
/** What is searched for. */
export const query = signal("")
/** Which ports are shown by their state. */
export const filter = signal<StateFilter>("all")

addEventListener("hashchange", () => {
  tab.value = tabOf(location.hash) ?? tab.value
})

/** Show everything again. */
export const clearFilters = (): void => {
  query.value = ""
  filter.value = "all"
}
