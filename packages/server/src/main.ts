import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Command from "@port-server/command-line/command/Command"
import { launch } from "@port-server/command-line/Launch"
import { version } from "@port-server/domain/Defaults"
import { sentenceOf } from "@port-server/domain/EnvConfig"
import { escapeControls } from "@port-server/domain/Name"
import * as Layer from "effect/Layer"
import { portServer } from "./PortServer.ts"
import * as StopDeadline from "./runtime/StopDeadline.ts"

// What this process makes, database, -wal, -shm and logs, is the user's alone, whatever the umask was.
process.umask(0o077)

StopDeadline.install()

// A terminal that closes asks for the same stop, but for what was started by nohup.
process.on("SIGHUP", () => {
  if (process.env["PORT_SERVER_NOHUP"] !== "1") process.kill(process.pid, "SIGTERM")
})

launch(
  {
    root: Command.provide(Layer.mergeAll(NodeFileSystem.layer, NodePath.layer))(portServer),
    version,
    messageOf: sentenceOf,
    printable: escapeControls
  },
  true
)
