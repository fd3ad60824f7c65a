// Addresses of other players, shown or half hidden.

/** The part that points at a household is replaced; the port goes with it. */
export function masked(address: string): string {
  const v4 = /^(\d+)\.(\d+)\.\d+\.\d+(:\d+)?$/.exec(address);
  if (v4) return `${v4[1]}.${v4[2]}.•.•`;
  const v6 = /^\[?([0-9a-f]*):/i.exec(address);
  return v6 ? `${v6[1]}:…` : "•";
}

/** The port of our own listening socket: its address is most often that of every card at once, which nobody can reach. */
export function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}
