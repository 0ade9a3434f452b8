import { launch } from "@port-server/command-line/Launch"
import { avoidLoadingFetch } from "./client/Transport.ts"
import { portctl } from "./Portctl.ts"

avoidLoadingFetch()

launch(portctl)
