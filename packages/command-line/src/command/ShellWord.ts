/**
 * A text in single quotes, for POSIX shells and for fish: that knows backslashes in single quotes, so they stand outside,
 * as single quotes do.
 */
export const singleQuoted = (text: string): string => `'${text.replace(/[\\']/g, "'\\$&'")}'`

/** A text as one word of a shell, in quotes only where it needs them. zsh replaces one that begins with `=`. */
export const shellWord = (text: string): string => (/^(?!=)[\w@%+=:,./-]+$/.test(text) ? text : singleQuoted(text))
