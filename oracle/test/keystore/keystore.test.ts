import assert from "node:assert/strict";
import { mkdtemp, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Secret } from "../../src/config/secret.ts";
import {
  decryptKeystore,
  encryptKeystore,
  LIGHT_SCRYPT,
  readKeystore,
  writeKeystore,
} from "../../src/keystore/keystore.ts";

const key = new Secret(`0x${"7a".repeat(32)}`);
const password = new Secret("correct horse");

describe("keystore", () => {
  it("opens what it wrote, and only its owner may read the file", async () => {
    const path = join(await mkdtemp(join(tmpdir(), "dekuper-keystore-")), "key.json");
    await writeKeystore(path, await encryptKeystore(key, password, LIGHT_SCRYPT));
    assert.equal((await readKeystore(path, password)).reveal(), key.reveal());
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    await assert.rejects(writeKeystore(path, await encryptKeystore(key, password, LIGHT_SCRYPT)), /EEXIST/);
  });

  it("opens the test vector of the Web3 Secret Storage definition", async () => {
    const opened = await decryptKeystore(
      {
        crypto: {
          cipher: "aes-128-ctr",
          cipherparams: { iv: "83dbcc02d8ccb40e466191a123791e0e" },
          ciphertext: "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
          kdf: "scrypt",
          kdfparams: {
            dklen: 32,
            n: 262144,
            p: 8,
            r: 1,
            salt: "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
          },
          mac: "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
        },
        id: "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        version: 3,
      },
      new Secret("testpassword"),
    );
    assert.equal(opened.reveal(), "0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d");
  });

  it("refuses a wrong password and another format by name", async () => {
    const keystore = await encryptKeystore(key, password, LIGHT_SCRYPT);
    await assert.rejects(decryptKeystore(keystore, new Secret("wrong")), { code: "KEYSTORE_INVALID" });
    await assert.rejects(decryptKeystore({ version: 1 }, password), { code: "KEYSTORE_INVALID" });
    await assert.rejects(readKeystore("/nowhere/key.json", password), { code: "KEYSTORE_INVALID" });
  });
});
