import { PROBE_PORT } from "./neighbour.ts";

/** An address that a lease's pod must not reach. */
export interface Target {
  /** The check that it belongs to. */
  readonly check: string;
  readonly host: string;
  readonly port: number;
}

/** Printed when everything has been tried. */
export const DONE = "done";

/**
 * A lease's own command, in busybox's ash: prints what it finds, one fact a line, name first. Then it listens until it is
 * stopped, for others to try to reach it. Arguments: a name to resolve, the DNS server to ask, and `check host port` triples.
 */
export const lookAroundScript = `say() { echo "$1 $2"; }
trap 'exit 0' TERM
name=$1 dns=$2; shift 2
say uid "$(id -u)"
while read -r key value _; do
  case $key in CapEff:|NoNewPrivs:|Seccomp:) say "$key" "$value";; esac
done </proc/self/status
while read -r inside outside count; do say user-map "$inside $outside $count"; done </proc/self/uid_map
for place in / /etc /usr /tmp; do touch "$place/.probe" 2>/dev/null && say writable "$place"; done
[ -e /var/run/secrets/kubernetes.io ] && say token mounted
while read -r address _ _ scope _; do [ "$scope" = 00 ] && say ipv6 "$address"; done 2>/dev/null </proc/net/if_inet6
cat /input/probe >/output/probe
( while :; do nc -l -p ${PROBE_PORT} </dev/null >/dev/null 2>&1 || sleep 0.2; done ) &
listener=$!
tried=0
while [ "$tried" -lt 20 ]; do
  nc -w 2 127.0.0.1 ${PROBE_PORT} </dev/null >/dev/null 2>&1 && { say itself reached; break; }
  tried=$((tried + 1)); sleep 0.1
done
waiting=
while [ $# -ge 3 ]; do
  ( nc -w 3 "$2" "$3" </dev/null >/dev/null 2>&1 && say reached "$1 $2 $3" ) & waiting="$waiting $!"
  shift 3
done
( timeout 3 nslookup "$name" "$dns" >/dev/null 2>&1 && say resolved "$name" ) & waiting="$waiting $!"
wait $waiting
echo ${DONE}
wait "$listener"
`;

/** Facts by name, as the script printed them. */
export type Facts = ReadonlyMap<string, readonly string[]>;

export function parseFacts(log: string): Facts {
  const facts = new Map<string, string[]>();
  for (const line of log.split("\n")) {
    const [, name, value = ""] = /^(\S+)(?: (.*))?$/.exec(line) ?? [];
    if (name !== undefined) facts.set(name, [...(facts.get(name) ?? []), value]);
  }
  return facts;
}
