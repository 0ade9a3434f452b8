const loopback = /^(?:localhost|127\.0\.0\.1|\[::1\])$/i

/** Whether a host is this machine by a name that needs no token. */
export const isLoopbackHost = (host: string): boolean => loopback.test(host)
