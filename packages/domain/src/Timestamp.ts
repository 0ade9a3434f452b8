const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

/** Whether a text is a time in UTC and whole seconds, such as `2025-02-08T15:04:05Z`, of a day that there is. */
export const isTimestamp = (text: string): boolean =>
  timestamp.test(text) && !Number.isNaN(Date.parse(text)) && new Date(text).toISOString().startsWith(text.slice(0, 19))

/** A time in ms since 1970 as such a text. */
export const timestampOf = (time: number): string => `${new Date(time).toISOString().slice(0, 19)}Z`
