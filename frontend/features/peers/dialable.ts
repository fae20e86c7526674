/**
 * Whether a browser may open one of a node's addresses. It has WebSockets only, and from a page served over https only
 * those over TLS; its own computer is the exception.
 */
export function isDialable(multiaddrs: readonly string[], isSecurePage: boolean): boolean {
  return multiaddrs.some((multiaddr) => {
    const [, , host, ...parts] = multiaddr.split("/");
    if (parts.includes("wss") || (parts.includes("ws") && parts.includes("tls"))) return true;
    return parts.includes("ws") && (!isSecurePage || host === "127.0.0.1" || host === "localhost");
  });
}
