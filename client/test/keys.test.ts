import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deriveOutputKey, readAgeKey, signerOf, signReadToken, type TypedDataSigner } from "@dekuper/client";
import { readTokenDigest } from "@dekuper/protocol";
import { Decrypter, Encrypter } from "age-encryption";
import { bytesToHex, recoverAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { deployment } from "./builders.ts";

const account = privateKeyToAccount(`0x${"42".repeat(32)}`);
const signer = signerOf(account);

/** Remembers as the command does, and counts. */
function memory(known = new Map<string, string>()) {
  return {
    known,
    load: async (consumer: string) => known.get(consumer),
    save: async (consumer: string, recipient: string) => {
      known.set(consumer, recipient);
    },
  };
}

function counting(inner: TypedDataSigner, signatures: () => TypedDataSigner["signTypedData"]) {
  let times = 0;
  const signTypedData: TypedDataSigner["signTypedData"] = (typedData) => {
    times += 1;
    return signatures()(typedData);
  };
  return { signer: { address: inner.address, signTypedData }, times: () => times };
}

describe("deriveOutputKey", () => {
  it("derives a key that opens what is encrypted to its recipient", async () => {
    const key = await deriveOutputKey(signer, deployment);
    assert.match(key.identity, /^AGE-SECRET-KEY-1[0-9A-Z]{58}$/);
    const encrypter = new Encrypter();
    encrypter.addRecipient(key.recipient);
    const decrypter = new Decrypter();
    decrypter.addIdentity(key.identity);
    const plain = await decrypter.decrypt(await encrypter.encrypt("weights"), "text");
    assert.equal(plain, "weights");
  });

  it("is the same key for ever: a change would close every output in the world", async () => {
    const key = await deriveOutputKey(signer, deployment);
    assert.equal(key.recipient, "age1dw8jnye64qkhlxcexhalrc2vveygc0zlddew3cwf6lnmaqthypvs6l2ree");
  });

  it("is another key for another wallet and for another market", async () => {
    const { recipient } = await deriveOutputKey(signer, deployment);
    const other = signerOf(privateKeyToAccount(`0x${"43".repeat(32)}`));
    assert.notEqual((await deriveOutputKey(other, deployment)).recipient, recipient);
    assert.notEqual((await deriveOutputKey(signer, { ...deployment, chainId: 1 })).recipient, recipient);
  });

  it("signs twice the first time and once afterwards", async () => {
    const asked = counting(signer, () => signer.signTypedData);
    const remembered = memory();
    await deriveOutputKey(asked.signer, deployment, remembered);
    assert.equal(asked.times(), 2);
    await deriveOutputKey(asked.signer, deployment, remembered);
    assert.equal(asked.times(), 3);
  });

  it("takes a wallet's recovery bit as 0/1 or 27/28", async () => {
    const { recipient } = await deriveOutputKey(signer, deployment);
    const low = counting(signer, () => async (typedData) => {
      const signature = await signer.signTypedData(typedData);
      const last = Number.parseInt(signature.slice(-2), 16) - 27;
      return `${signature.slice(0, -2)}0${last}` as `0x${string}`;
    });
    assert.equal((await deriveOutputKey(low.signer, deployment)).recipient, recipient);
  });

  it("refuses a wallet that signs differently each time, and remembers nothing of it", async () => {
    const random = counting(signer, () => async () => bytesToHex(crypto.getRandomValues(new Uint8Array(65))));
    const remembered = memory();
    await assert.rejects(deriveOutputKey(random.signer, deployment, remembered), {
      code: "WALLET_NOT_DETERMINISTIC",
    });
    assert.equal(remembered.known.size, 0);
  });

  it("refuses a wallet that signs otherwise than it once did", async () => {
    const remembered = memory(new Map([[account.address, "age1other"]]));
    await assert.rejects(deriveOutputKey(signer, deployment, remembered), {
      code: "WALLET_NOT_DETERMINISTIC",
    });
  });
});

describe("readAgeKey", () => {
  it("reads a key file as age-keygen writes it", async () => {
    const { identity, recipient } = await deriveOutputKey(signer, deployment);
    const key = await readAgeKey(`# created: 2026-01-01\n# public key: ${recipient}\n${identity}\n`);
    assert.deepEqual(key, { identity, recipient });
  });

  it("refuses anything else", async () => {
    await assert.rejects(readAgeKey("age1qqq"), { code: "KEYSTORE_INVALID" });
    await assert.rejects(readAgeKey(`AGE-SECRET-KEY-1${"Q".repeat(57)}P`), { code: "KEYSTORE_INVALID" });
  });
});

describe("signReadToken", () => {
  it("is signed by the consumer over every field, and expires", async () => {
    const lease = { leaseId: `0x${"cd".repeat(32)}`, attempt: 1 } as const;
    const token = await signReadToken(signer, deployment, lease, "output", 1_000);
    assert.equal(token.expiry, 4_600);
    assert.equal(token.registry, deployment.taskRegistry);
    const { signature, ...signed } = token;
    assert.equal(await recoverAddress({ hash: readTokenDigest(signed), signature }), account.address);
    const forged = { ...signed, scope: "logs" } as const;
    assert.notEqual(await recoverAddress({ hash: readTokenDigest(forged), signature }), account.address);
  });
});
