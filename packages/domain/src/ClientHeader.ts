/** Name of the header in which a client says who it is. */
export const clientHeader = "Port-Server-Client"

/** Largest value of that header, in bytes. */
export const maxClientBytes = 1024
