/** Whether a host, IPv6 in brackets, is this machine seen from itself: faults and their control are for nobody else. */
export const isLoopback = (host: string) => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(host);
