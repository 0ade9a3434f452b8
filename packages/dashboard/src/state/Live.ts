import { follow } from "../api/Stream.ts"
import { addEvent, historyError, readHistory } from "./History.ts"
import { firstAllocations, readFolders, refresh } from "./Registry.ts"

/** How often the ports that nobody allocated are read, which the stream is not about, in ms. */
const interval = 5_000

/** Changes that come together are read together, in ms. */
const pause = 100

/** How long a page is blank at most while the server has not answered, in ms. */
const longestBlank = 200

/** How often it is looked which folders are gone, in ms. */
const foldersInterval = 30_000

let foldersRead = 0
let unfollow: (() => void) | undefined
let timer: ReturnType<typeof setTimeout> | undefined

const refreshLater = (delay: number): void => {
  clearTimeout(timer)
  const own = setTimeout(async () => {
    await refresh()
    if (historyError.value !== undefined) await readHistory()
    if (Date.now() - foldersRead > foldersInterval) {
      foldersRead = Date.now()
      await readFolders()
    }
    // What has happened meanwhile is read sooner.
    if (unfollow !== undefined && timer === own) refreshLater(interval)
  }, delay)
  timer = own
}

const readEverything = (): void => {
  refreshLater(0)
  void readHistory()
}

const connect = (): void => {
  unfollow ??= follow({
    onOpen: readEverything,
    onReset: readEverything,
    onListeners: () => refreshLater(pause),
    onEvent: (event) => {
      addEvent(event)
      refreshLater(pause)
    },
    // A server that is there can say why.
    onLost: () => refreshLater(0)
  })
}

const disconnect = (): void => {
  clearTimeout(timer)
  unfollow?.()
  unfollow = undefined
}

/**
 * Keep the page as the registry is, for as long as somebody can see it: a browser has few connections for a server, and
 * the server looks at sockets while it is followed. Returns when there is something to show.
 */
export const start = (): Promise<void> => {
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") connect()
    else disconnect()
  })
  // The ports are shown first; opening a stream takes Chromium some 20 ms.
  void refresh().then(() => {
    if (document.visibilityState === "visible") connect()
  })
  return firstAllocations(longestBlank)
}
