/** What starts port-server with the user's session: systemd on Linux, launchd on macOS. */
export type Format = "systemd" | "launchd"

/** How systemd and launchd know the service. */
export const names = { systemd: "port-server.service", launchd: "dev.port-server" } as const

/** How many seconds the server may take to stop before it is killed: it has 5 by itself. */
const stopTimeout = 10

/** Whether a word can stand in a unit or a property list at all. */
export const isWritable = (word: string): boolean => !/[\u0000-\u001f\u007f]/.test(word)

/** A word of `ExecStart`, which unescapes C's way and reads `%` itself (systemd.service(5), "Command lines"). */
const quoted = (word: string): string => `"${word.replace(/[\\"]/g, "\\$&").replaceAll("%", "%%")}"`

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" }

const escaped = (text: string): string => text.replace(/[&<>]/g, (char) => entities[char] ?? char)

/** Words of a command line as a service file has them. */
export const wordsOf = (format: Format, words: ReadonlyArray<string>): string =>
  format === "systemd"
    ? words.map(quoted).join(" ")
    : words.map((word) => `    <string>${escaped(word)}</string>`).join("\n")

const systemd = ([program = "", ...args]: ReadonlyArray<string>): string =>
  [
    "[Unit]",
    "Description=port-server, the port registry of this machine",
    "",
    "[Service]",
    // The colon: no $VARIABLE is looked for in what follows.
    `ExecStart=${wordsOf("systemd", [`:${program}`, ...args])}`,
    "Restart=on-failure",
    "RestartSec=1",
    `TimeoutStopSec=${stopTimeout}`,
    "",
    "[Install]",
    "WantedBy=default.target",
    ""
  ].join("\n")

const launchd = (command: ReadonlyArray<string>): string =>
  [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    "<dict>",
    "  <key>Label</key>",
    `  <string>${names.launchd}</string>`,
    "  <key>ProgramArguments</key>",
    "  <array>",
    wordsOf("launchd", command),
    "  </array>",
    "  <key>RunAtLoad</key>",
    "  <true/>",
    "  <key>KeepAlive</key>",
    "  <dict>",
    "    <key>SuccessfulExit</key>",
    "    <false/>",
    "  </dict>",
    "  <key>ExitTimeOut</key>",
    `  <integer>${stopTimeout}</integer>`,
    "  <key>ProcessType</key>",
    "  <string>Background</string>",
    "</dict>",
    "</plist>",
    ""
  ].join("\n")

/** The service file for a command with absolute paths: restarted when it fails, not when it stops. */
export const unit = (format: Format, command: ReadonlyArray<string>): string =>
  format === "systemd" ? systemd(command) : launchd(command)
