"use client";

import type { Address } from "viem";
import { isOnline, type PeerView } from "../peers/presence.ts";
import styles from "./topology.module.css";

const WIDTH = 420;
const HEIGHT = 260;
const CENTRE = { x: WIDTH / 2, y: HEIGHT / 2 };
const SHOWN = 24;

/** This browser among the nodes: a solid line is a direct connection, a dashed one a node known from the registry only. */
export function Topology(props: { nodes: readonly Address[]; peers: PeerView; nowMs: number }) {
  const shown = props.nodes.slice(0, SHOWN);
  const online = props.nodes.filter((node) => isOnline(props.peers.presence.get(node), props.nowMs)).length;
  const label = `This browser is connected to ${props.peers.connected.size} of ${props.nodes.length} nodes; ${online} send heartbeats.`;
  return (
    <figure className={styles.figure}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label} className={styles.svg}>
        <ellipse className={styles.orbit} cx={CENTRE.x} cy={CENTRE.y} rx="150" ry="92" />
        {shown.map((node, index) => {
          const at = position(index, shown.length);
          return (
            <line
              key={node}
              className={styles.link}
              data-connected={props.peers.connected.has(node)}
              x1={CENTRE.x}
              y1={CENTRE.y}
              x2={at.x}
              y2={at.y}
            />
          );
        })}
        {shown.map((node, index) => (
          <Peer
            key={node}
            at={position(index, shown.length)}
            name={shown.length <= 8 ? `${node.slice(0, 6)}…${node.slice(-4)}` : undefined}
            alive={isOnline(props.peers.presence.get(node), props.nowMs)}
            beat={props.peers.presence.get(node)?.heartbeat.seq}
          />
        ))}
        <rect className={styles.self} x={CENTRE.x - 46} y={CENTRE.y - 15} width="92" height="30" rx="15" />
        <text className={styles.selfName} x={CENTRE.x} y={CENTRE.y + 4}>
          This browser
        </text>
      </svg>
      <figcaption className={styles.caption}>{caption(props.peers, props.nodes.length)}</figcaption>
    </figure>
  );
}

function Peer(props: {
  at: { x: number; y: number };
  name: string | undefined;
  alive: boolean;
  beat: number | undefined;
}) {
  return (
    <g>
      {props.alive && (
        <circle key={props.beat} className={styles.beat} cx={props.at.x} cy={props.at.y} r="8" />
      )}
      <circle className={styles.peer} data-alive={props.alive} cx={props.at.x} cy={props.at.y} r="8" />
      {props.name !== undefined && (
        <text className={styles.name} x={props.at.x} y={props.at.y + (props.at.y < CENTRE.y ? -16 : 26)}>
          {props.name}
        </text>
      )}
    </g>
  );
}

function position(index: number, count: number): { x: number; y: number } {
  const angle = (2 * Math.PI * index) / Math.max(count, 1) - Math.PI / (count <= 2 ? 1.2 : 2);
  return {
    x: Math.round(CENTRE.x + 150 * Math.cos(angle)),
    y: Math.round(CENTRE.y + 92 * Math.sin(angle)),
  };
}

function caption(peers: PeerView, nodes: number): string {
  if (peers.state === "starting" || (peers.state === "listening" && peers.connected.size === 0))
    return "Looking for nodes";
  if (peers.state === "unavailable") return "This browser could not join the peer-to-peer network";
  if (nodes === 0) return "No node to connect to";
  return `Connected to ${peers.connected.size} of ${nodes}`;
}
