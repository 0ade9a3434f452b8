const loopback = /^(?:localhost|127\.0\.0\.1|\[::1\])$/i

/** Whether a host is this machine by a name that needs no token. */
export const isLoopbackHost = (host: string): boolean => loopback.test(host)

/** Whether a host is where a port-server of this machine listens by TCP. */
export const isServerHost = (host: string): boolean => /^(127\.0\.0\.1|localhost)$/i.test(host)
