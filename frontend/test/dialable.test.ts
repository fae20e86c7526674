import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isDialable } from "../features/peers/dialable.ts";

const WS = "/dns4/node.example/tcp/4001/ws";
const WSS = "/dns4/node.example/tcp/443/wss";
const TLS_WS = "/dns4/node.example/tcp/443/tls/sni/node.example/ws";
const TCP = "/dns4/node.example/tcp/4001";
const LOCAL = "/ip4/127.0.0.1/tcp/4001/ws/p2p/16Uiu2HAmKey";

describe("what a browser may dial", () => {
  it("is WebSockets, plain or over TLS, from a page served over http", () => {
    for (const address of [WS, WSS, TLS_WS, LOCAL]) assert.equal(isDialable([address], false), true, address);
  });

  it("is TLS only, from a page served over https", () => {
    assert.equal(isDialable([WSS], true), true);
    assert.equal(isDialable([TLS_WS], true), true);
    assert.equal(isDialable([WS], true), false);
  });

  it("is its own computer in any case", () => {
    assert.equal(isDialable([LOCAL], true), true);
  });

  it("is never plain TCP; one good address is enough", () => {
    assert.equal(isDialable([TCP], false), false);
    assert.equal(isDialable([], false), false);
    assert.equal(isDialable([TCP, WSS], true), true);
  });
});
