import type { WorkingCopyInfo } from "@port-server/domain/WorkingCopyInfo"
import * as Effect from "effect/Effect"
import { FolderProbe } from "../folders/FolderProbe.ts"
import { AllocationRepository } from "../storage/AllocationRepository.ts"
import { withPorts } from "../storage/WorkingCopyRows.ts"

/** The working copies, and what git has checked out in them. Can fail with a `StorageError`. */
export class WorkingCopies extends Effect.Service<WorkingCopies>()("@port-server/server/registry/WorkingCopies", {
  effect: Effect.gen(function* () {
    const store = yield* AllocationRepository
    const { probe } = yield* FolderProbe

    return {
      /** The working copies that have ports, in the order in which they came. */
      workingCopies: Effect.gen(function* () {
        const rows = yield* store.read(withPorts)
        const states = yield* probe(rows.map(({ home }) => `${home}/HEAD`))
        return rows.map(({ app, folder, home, instance }): WorkingCopyInfo => {
          const head = states.get(`${home}/HEAD`)
          const branch = head?._tag === "Present" ? head.branch : undefined
          return { app, instance, folder, ...(branch === undefined ? {} : { branch }) }
        })
      })
    } as const
  })
}) {}
