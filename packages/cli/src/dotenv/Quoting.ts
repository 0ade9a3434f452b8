import { singleQuoted } from "@port-server/command-line/command/ShellWord"

/** What no shell and no reader of dotenv files takes for anything but itself. */
const plain = /^[A-Za-z0-9_./:@%+,-]*$/

/**
 * A value as dotenv files have it. Their readers agree on a text in single quotes; one that has a single quote itself is
 * in double quotes, in which shells and most readers know these escapes.
 */
const dotenvQuoted = (value: string): string => {
  if (plain.test(value)) return value
  return value.includes("'") ? `"${value.replace(/[\\"$`]/g, "\\$&")}"` : `'${value}'`
}

/** A line that sets a variable, for a dotenv file or, as `export`, for a shell. The value has no line breaks. */
export const assignment = (format: "dotenv" | "export", name: string, value: string): string =>
  format === "export"
    ? `export ${name}=${plain.test(value) ? value : singleQuoted(value)}`
    : `${name}=${dotenvQuoted(value)}`
