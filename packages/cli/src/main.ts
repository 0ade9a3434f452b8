import { launch } from "@port-server/command-line/Launch"
import { portctl } from "./Portctl.ts"

launch(portctl)
