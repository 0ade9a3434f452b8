import * as OpenApi from "@effect/platform/OpenApi"
import { version } from "../Defaults.ts"
import { baseApi, group } from "./BaseApi.ts"
import { allocate } from "./endpoints/Allocate.ts"
import { check } from "./endpoints/Check.ts"
import { containers } from "./endpoints/Containers.ts"
import { ensure } from "./endpoints/Ensure.ts"
import { eventStream, events } from "./endpoints/Events.ts"
import { health } from "./endpoints/Health.ts"
import { importAll } from "./endpoints/Import.ts"
import { list } from "./endpoints/List.ts"
import { listeners } from "./endpoints/Listeners.ts"
import { prune } from "./endpoints/Prune.ts"
import { release, releaseMatching } from "./endpoints/Release.ts"
import { server } from "./endpoints/Server.ts"
import { workingCopies } from "./endpoints/WorkingCopies.ts"
import { asAnswered } from "./OpenApiDocument.ts"

class Endpoints extends group
  .add(health)
  .add(allocate)
  .add(list)
  .add(check)
  .add(release)
  .add(releaseMatching)
  .add(ensure)
  .add(listeners)
  .add(containers)
  .add(prune)
  .add(workingCopies)
  .add(server)
  .add(events)
  .add(eventStream)
  .add(importAll) {}

/** Everything that port-server answers over HTTP: the one description that server, client and documents derive from. */
export class PortServerApi extends baseApi.add(Endpoints).annotateContext(
  OpenApi.annotations({
    title: "port-server",
    version,
    description:
      'Hands out the ports of this machine, and never one to two owners. A body is read as JSON whatever its type says. Every error is `{"error": "<one sentence>"}`.',
    transform: asAnswered
  })
) {}
